using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Threading;

namespace Spindle.Virtual;

/// <summary>A bdev that shows a range of the blocks of another one. What it does with an I/O on the way is said by its <see cref="VirtualIo"/>.</summary>
public abstract class VirtualBdev : Bdevs.Bdev
{
    private readonly BaseShare _share;
    private readonly ProtectionInformation? _renumbering; // null: the base's reference tags are this bdev's, or there are none

    /// <param name="name">Its name.</param>
    /// <param name="productName">The kind of device, for people.</param>
    /// <param name="share">Its part in the open base; given back when this bdev is destructed.</param>
    /// <param name="offsetBlocks">The base's block that is this bdev's first.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="showsZones">Its zones are those of the base, if that has some. Only for one that shows all of its base.</param>
    /// <exception cref="SpindleException">ENOTSUP: the base's reference tags are block addresses, which are others here, and its blocks do not fit a buffer to be renumbered in; or it is zoned and
    /// its zones are not shown.</exception>
    protected VirtualBdev(string name, string productName, BaseShare share, ulong offsetBlocks, ulong blockCount, bool showsZones = false)
        : base(name, productName, share.Base.BlockSize, blockCount)
    {
        _share = share;
        OffsetBlocks = offsetBlocks;
        var lower = share.Base;
        if (lower.IsZoned && !showsZones)
        {
            throw new SpindleException(Errno.ENOTSUP, $"'{name}' cannot be put on '{lower.Name}', which is zoned: a {productName} bdev does not keep to the order in which zones are written. " +
                "Use a bdev that is not zoned.");
        }
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
        // Shown to those above where the range starts at such a boundary; the splitting itself is left to the base, which would do it anyway.
        OptimalIoBoundary = lower.OptimalIoBoundary is > 0 and var boundary && offsetBlocks % boundary == 0 ? boundary : 0;
        AtomicCompareAndWriteBlocks = lower.AtomicCompareAndWriteBlocks;
        RequiredAlignment = lower.RequiredAlignment;
        WriteCache = lower.WriteCache;
        ZoneSizeBlocks = lower.ZoneSizeBlocks;
        MaxZoneAppendBlocks = lower.MaxZoneAppendBlocks;
        MaxOpenZones = lower.MaxOpenZones;
        MaxActiveZones = lower.MaxActiveZones;
        OptimalOpenZones = lower.OptimalOpenZones;
        if (offsetBlocks == 0 || lower.DifType is not (DifType.Type1 or DifType.Type2)) return;
        _renumbering = new ProtectionInformation(lower.MetadataInterleaved ? lower.BlockSize - lower.MetadataSize : lower.BlockSize, lower.MetadataSize, lower.MetadataInterleaved,
            lower.DifIsHeadOfMetadata, lower.DifType, lower.DifCheckFlags, lower.DifFormat);
        // A write is renumbered in one buffer, so it must fit; the host splits larger ones.
        uint most = share.Iobuf.LargeBufferSize / (lower.MetadataInterleaved ? lower.BlockSize : lower.MetadataSize);
        if (SplitOnWriteUnit && WriteUnitBlocks > 1) most -= most % WriteUnitBlocks;
        if (most == 0)
        {
            throw new SpindleException(Errno.ENOTSUP, $"'{name}' cannot start at block {offsetBlocks} of '{lower.Name}', whose protection information of type {(int)lower.DifType} holds its own " +
                $"block addresses: what must be written in one go does not fit the {share.Iobuf.LargeBufferSize} bytes of a buffer. Raise large_bufsize (iobuf_set_options).");
        }
        MaxRwBlocks = most;
    }

    /// <summary>The bdev below.</summary>
    public Bdevs.Bdev Base => _share.Base;

    /// <summary>The base's block that is this bdev's first.</summary>
    public ulong OffsetBlocks { get; }

    /// <summary>The host's threads.</summary>
    protected IStorageThreads Threads => _share.Threads;

    /// <summary>Opens this thread's way to the base.</summary>
    /// <exception cref="SpindleException">ENODEV: the base is being removed.</exception>
    protected IBdevChannel OpenBase() => _share.Descriptor.GetChannel();

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => VirtualIo.CanForward(type) && Base.Supports(type) && (_renumbering is null || type != BdevIoType.CompareAndWrite);

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => _renumbering is null
        ? new VirtualChannel(OpenBase(), OffsetBlocks) : new RenumberingChannel(OpenBase(), OffsetBlocks, _renumbering, _share.Iobuf);

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => _renumbering is null ? new VirtualIo(io) : new RenumberingIo(io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((VirtualIo)io.Context!).Start((VirtualChannel)channel);

    /// <inheritdoc/>
    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((VirtualChannel)channel).Base.Flush();

    /// <summary>What must be done before the bdev can go: ends I/O that nothing else would end. On the app thread, before it is unregistered.</summary>
    protected internal virtual Task PrepareRemovalAsync() => Task.CompletedTask;

    /// <inheritdoc/>
    public override ValueTask DestructAsync()
    {
        _share.Return();
        return ValueTask.CompletedTask;
    }
}

/// <summary>One storage thread's way to the base.</summary>
/// <param name="lower">The base's channel, put when this one is destroyed.</param>
/// <param name="offsetBlocks">The base's block that is the bdev's first.</param>
public class VirtualChannel(IBdevChannel lower, ulong offsetBlocks) : IoChannel
{
    /// <summary>The base's channel.</summary>
    public readonly IBdevChannel Base = lower;

    /// <summary>The base's block that is the bdev's first.</summary>
    public readonly ulong OffsetBlocks = offsetBlocks;

    // In the channel: a static of a collectible assembly costs more to reach.
    internal readonly BdevIoCallback Completed = VirtualIo.OnBaseCompleted;

    /// <inheritdoc/>
    protected override void Destroy() => Base.Put();
}
