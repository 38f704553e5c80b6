using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>A bdev that completes reads and writes of the one below late.</summary>
public sealed class DelayBdev : VirtualBdev
{
    private readonly DelayAssociation _association;

    /// <param name="association">What was asked for.</param>
    /// <param name="share">The base.</param>
    /// <param name="uuid">Its identity.</param>
    internal DelayBdev(DelayAssociation association, BaseShare share, Guid uuid) : base(association.Name, "delay", share, 0, share.Base.BlockCount, showsZones: true)
    {
        _association = association;
        Uuid = uuid;
    }

    /// <summary>How late.</summary>
    internal DelayLatencies Latencies => _association.Latencies;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new DelayChannel(OpenBase(), thread, Latencies);

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new DelayIo(io);

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("delay");
        writer.BeginObject();
        _association.Write(writer);
        writer.EndObject();
    }

    /// <summary>Has every thread end its delayed I/Os now, as the base did.</summary>
    internal Task EndDelayedAsync() => Threads.ForEachChannelAsync(this, static (channel, _) => ((DelayChannel)channel).EndAll(aborted: false), null);

    /// <summary>Has every thread end its delayed I/Os now, as aborted.</summary>
    internal Task AbortDelayedAsync() => Threads.ForEachChannelAsync(this, static (channel, _) => ((DelayChannel)channel).EndAll(aborted: true), null);
}
