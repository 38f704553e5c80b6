using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Malloc;

/// <summary>A bdev in memory. Every I/O is done when it is submitted.</summary>
public sealed unsafe class MallocBdev : Bdevs.Bdev
{
    // So much is zeroed in one go: well under a millisecond.
    private const uint LargestZeroBytes = 1 << 20;

    private readonly MallocStore _store;
    private readonly MallocOptions _options;
    private readonly bool _isProtected;

    internal MallocBdev(string name, MallocOptions options, MallocStore store)
        : base(name, "Malloc disk", options.BlockSize, options.BlockCount)
    {
        _store = store;
        _options = options;
        _isProtected = options.Protection is not null;
        Uuid = options.Uuid;
        PhysicalBlockSize = options.PhysicalBlockSize;
        MetadataSize = options.MetadataSize;
        MetadataInterleaved = options.MetadataInterleaved;
        DifType = options.DifType;
        DifFormat = options.DifFormat;
        DifIsHeadOfMetadata = options.DifIsHeadOfMetadata;
        DifCheckFlags = ProtectionInformation.DefaultFlags(options.DifType);
        OptimalIoBoundary = options.OptimalIoBoundary;
        SplitOnOptimalIoBoundary = options.OptimalIoBoundary > 0;
        MaxUnmapBlocks = Math.Max(1, LargestZeroBytes / options.BlockSize);
        MaxWriteZeroesBlocks = MaxUnmapBlocks;
        MaxCopyBlocks = MaxUnmapBlocks;
        WriteCache = true;
    }

    /// <summary>Its memory.</summary>
    internal MallocStore Store => _store;

    /// <summary>What it was made with.</summary>
    internal MallocOptions Options => _options;

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Unmap or BdevIoType.Flush
        or BdevIoType.Reset or BdevIoType.WriteZeroes or BdevIoType.Compare or BdevIoType.Abort or BdevIoType.Copy
        || (type == BdevIoType.Zcopy && MetadataSize == 0);

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new MallocChannel();

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io)
    {
        ulong failed;
        switch (io.Type)
        {
            case BdevIoType.Read:
                Complete(io, _store.Read(io.Iovs, io.Metadata, io.OffsetBlocks, io.NumBlocks, Verifies(io), out failed), failed);
                break;
            case BdevIoType.Write:
                Complete(io, _store.Write(io.Iovs, io.Metadata, io.OffsetBlocks, io.NumBlocks, Verifies(io), out failed), failed);
                break;
            case BdevIoType.Unmap:
            case BdevIoType.WriteZeroes:
                _store.Zero(io.OffsetBlocks, io.NumBlocks);
                io.Complete(io.Generation, BdevIoStatus.Success);
                break;
            case BdevIoType.Compare:
                bool equal = _store.Equals(io.Iovs, io.Metadata, io.OffsetBlocks, io.NumBlocks);
                io.Complete(io.Generation, equal ? BdevIoStatus.Success : BdevIoStatus.Miscompare);
                break;
            case BdevIoType.Copy:
                Complete(io, _store.CopyBlocks(io.OffsetBlocks, io.CopySourceOffset, io.NumBlocks, out failed), failed);
                break;
            case BdevIoType.Zcopy:
                if (io.ZcopyStep is BdevZcopyStep.Start or BdevZcopyStep.StartPopulated) io.LendBuffers([_store.LendForWriting(io.OffsetBlocks, io.NumBlocks)]);
                io.Complete(io.Generation, BdevIoStatus.Success);
                break;
            case BdevIoType.Flush: // memory has nothing more durable
            case BdevIoType.Reset: // nothing is outstanding here
            case BdevIoType.Abort: // its target has ended: every I/O ends when it is submitted
                io.Complete(io.Generation, BdevIoStatus.Success);
                break;
            default:
                io.Complete(io.Generation, BdevIoResult.FromErrno(Errno.ENOTSUP));
                break;
        }
    }

    // What the host has just made, or is about to verify, is not verified twice.
    [DataPath]
    private bool Verifies(BdevIo io) => _isProtected && !io.HostMakesMetadata;

    [DataPath]
    private static void Complete(BdevIo io, DifResult result, ulong failed)
    {
        if (result == DifResult.Ok) io.Complete(io.Generation, BdevIoStatus.Success);
        else io.Complete(io.Generation, result.ToIoResult(failed));
    }

    /// <inheritdoc/>
    [DataPath]
    public override bool TryLend(ulong offsetBlocks, ulong numBlocks, out IoVec memory) => _store.TryLend(offsetBlocks, numBlocks, out memory);

    /// <inheritdoc/>
    [DataPath]
    public override bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data)
    {
        _store.Write(offsetBlocks, data);
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask DestructAsync() => _store.DisposeAsync();

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => writer.Call("bdev_malloc_create", w =>
    {
        w.Name("name");
        w.String(Name);
        w.Name("num_blocks");
        w.Number(BlockCount);
        w.Name("block_size");
        w.Number((ulong)_options.DataBlockSize);
        w.Name("physical_block_size");
        w.Number((ulong)PhysicalBlockSize);
        w.Name("uuid");
        w.String(Uuid.ToString());
        w.Name("optimal_io_boundary");
        w.Number((ulong)OptimalIoBoundary);
        w.Name("md_size");
        w.Number((ulong)MetadataSize);
        w.Name("md_interleave");
        w.Boolean(MetadataInterleaved);
        w.Name("dif_type");
        w.Number((long)DifType);
        w.Name("dif_is_head_of_md");
        w.Boolean(DifIsHeadOfMetadata);
        w.Name("dif_pi_format");
        w.Number((long)_options.DifFormat);
    });

    private sealed class MallocChannel : IoChannel;
}
