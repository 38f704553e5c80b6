using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>A bdev that fails, hangs or corrupts I/O on demand and otherwise hands it to the one below.</summary>
public sealed class ErrorBdev : VirtualBdev
{
    private readonly ErrorInjections _injections;

    internal ErrorBdev(string name, ErrorInjections injections, BaseShare share, Guid uuid) : base(name, "Error Injection Disk", share, 0, share.Base.BlockCount, showsZones: true)
    {
        _injections = injections;
        Uuid = uuid;
    }

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new ErrorChannel(OpenBase(), _injections);

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new ErrorIo(io);

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("error_disk");
        writer.BeginObject();
        writer.Name("base_bdev");
        writer.String(Base.Name);
        writer.EndObject();
    }

    /// <summary>Has every thread end the I/Os that it holds, as aborted.</summary>
    internal Task AbortHeldAsync() => Threads.ForEachChannelAsync(this, static (channel, _) => ((ErrorChannel)channel).AbortAll(), null);

    /// <inheritdoc/>
    protected override Task PrepareRemovalAsync()
    {
        // Nothing would ever end them, and an opener waits for its I/O before it closes.
        foreach (var type in ErrorInjections.Types) _injections.Set(type, null);
        return AbortHeldAsync();
    }
}

/// <summary>One storage thread's I/Os at the base, counted, and those that are held.</summary>
internal sealed class ErrorChannel(IBdevChannel lower, ErrorInjections injections) : VirtualChannel(lower, 0)
{
    internal readonly ErrorInjections Injections = injections;
    internal ulong Outstanding;
    private ErrorIo? _held;

    [DataPath]
    public void Hold(ErrorIo io)
    {
        io.Previous = null;
        io.Next = _held;
        if (_held is not null) _held.Previous = io;
        _held = io;
    }

    [DataPath]
    public void Remove(ErrorIo io)
    {
        if (io.Previous is null) _held = io.Next;
        else io.Previous.Next = io.Next;
        if (io.Next is not null) io.Next.Previous = io.Previous;
        io.Next = io.Previous = null;
    }

    /// <summary>Ends all held I/Os as aborted. On the channel's thread.</summary>
    public int AbortAll()
    {
        while (_held is { } io) io.AbortNow();
        return 0;
    }
}
