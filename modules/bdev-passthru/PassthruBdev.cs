using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Passthru;

/// <summary>A bdev that hands every I/O to the one below, unchanged.</summary>
public sealed class PassthruBdev : Bdevs.Bdev
{
    private readonly IBdevDescriptor _descriptor;
    private readonly Action _destructed;

    /// <param name="name">Its name.</param>
    /// <param name="descriptor">The base, open for writing and claimed; closed when this bdev is destructed.</param>
    /// <param name="uuid">Its identity.</param>
    /// <param name="destructed">Called when it is gone.</param>
    internal PassthruBdev(string name, IBdevDescriptor descriptor, Guid uuid, Action destructed)
        : base(name, "passthru", descriptor.Bdev.BlockSize, descriptor.Bdev.BlockCount)
    {
        _descriptor = descriptor;
        _destructed = destructed;
        var lower = descriptor.Bdev;
        Uuid = uuid;
        BaseBdevNames = [lower.Name];
        MetadataSize = lower.MetadataSize;
        MetadataInterleaved = lower.MetadataInterleaved;
        DifType = lower.DifType;
        DifFormat = lower.DifFormat;
        DifIsHeadOfMetadata = lower.DifIsHeadOfMetadata;
        DifCheckFlags = lower.DifCheckFlags;
        PhysicalBlockSize = lower.PhysicalBlockSize;
        WriteUnitBlocks = lower.WriteUnitBlocks;
        SplitOnWriteUnit = lower.SplitOnWriteUnit;
        // Shown to those above; the splitting itself is left to the base, which would do it anyway.
        OptimalIoBoundary = lower.OptimalIoBoundary;
        AtomicCompareAndWriteBlocks = lower.AtomicCompareAndWriteBlocks;
        RequiredAlignment = lower.RequiredAlignment;
        WriteCache = lower.WriteCache;
        ZoneSizeBlocks = lower.ZoneSizeBlocks;
        MaxZoneAppendBlocks = lower.MaxZoneAppendBlocks;
        MaxOpenZones = lower.MaxOpenZones;
        MaxActiveZones = lower.MaxActiveZones;
        OptimalOpenZones = lower.OptimalOpenZones;
    }

    /// <summary>The base, open.</summary>
    internal IBdevDescriptor Descriptor => _descriptor;

    /// <summary>The bdev below.</summary>
    internal Bdevs.Bdev Base => _descriptor.Bdev;

    /// <summary>The name of the bdev below.</summary>
    internal string BaseName => _descriptor.Bdev.Name;

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => PassthruIo.CanForward(type) && _descriptor.Bdev.Supports(type);

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new PassthruChannel(_descriptor.GetChannel());

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new PassthruIo(io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((PassthruIo)io.Context!).Start((PassthruChannel)channel);

    /// <inheritdoc/>
    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((PassthruChannel)channel).Base.Flush();

    /// <inheritdoc/>
    public override ValueTask DestructAsync()
    {
        _descriptor.Close();
        _destructed();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("passthru");
        writer.BeginObject();
        writer.Name("name");
        writer.String(Name);
        writer.Name("base_bdev_name");
        writer.String(BaseName);
        writer.EndObject();
    }
}

/// <summary>One storage thread's way to the base.</summary>
internal sealed class PassthruChannel(IBdevChannel lower) : IoChannel
{
    internal readonly IBdevChannel Base = lower;

    // In the channel: a static of a collectible assembly costs more to reach.
    internal readonly BdevIoCallback Completed = PassthruIo.OnBaseCompleted;

    /// <inheritdoc/>
    protected override void Destroy() => Base.Put();
}
