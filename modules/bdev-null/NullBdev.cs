using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Null;

/// <summary>A bdev that discards what is written and leaves read buffers as they are. Every I/O is done when it is submitted.</summary>
/// <remarks>With protection information, reads get information that fits whatever the buffer holds, and writes are verified.</remarks>
public sealed unsafe class NullBdev : Bdevs.Bdev
{
    private readonly NullCreateParameters _parameters;
    private readonly ProtectionInformation? _protection;

    internal NullBdev(NullCreateParameters parameters, ProtectionInformation? protection)
        : base(parameters.Name, "Null disk", parameters.BlockSize + parameters.MdSize, parameters.NumBlocks)
    {
        _parameters = parameters;
        _protection = protection;
        Uuid = parameters.Uuid ?? Guid.Empty;
        PhysicalBlockSize = parameters.PhysicalBlockSize;
        MetadataSize = parameters.MdSize;
        MetadataInterleaved = parameters.MdSize > 0;
        DifType = (DifType)parameters.DifType;
        DifFormat = (DifFormat)parameters.DifPiFormat;
        DifIsHeadOfMetadata = parameters.DifIsHeadOfMd;
        DifCheckFlags = ProtectionInformation.DefaultFlags(DifType);
    }

    /// <summary>What it was made with.</summary>
    internal NullCreateParameters Parameters => _parameters;

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) =>
        type is BdevIoType.Read or BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Reset or BdevIoType.Abort;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new NullChannel();

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io)
    {
        if (_protection is not null && (io.Type == BdevIoType.Read || io.Type == BdevIoType.Write)) Protect(_protection, io);
        else if (Supports(io.Type)) io.Complete(io.Generation, BdevIoStatus.Success);
        else io.Complete(io.Generation, BdevIoResult.FromErrno(Errno.ENOTSUP));
    }

    /// <inheritdoc/>
    [DataPath]
    public override bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data) => true;

    [DataPath]
    private static void Protect(ProtectionInformation protection, BdevIo io)
    {
        if (io.Type == BdevIoType.Write)
        {
            io.Complete(io.Generation, protection.Verify(io.Iovs, null, io.NumBlocks, io.OffsetBlocks, out ulong failed).ToIoResult(failed));
            return;
        }
        protection.Generate(io.Iovs, null, io.NumBlocks, io.OffsetBlocks);
        io.Complete(io.Generation, BdevIoStatus.Success);
    }

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => writer.Call("bdev_null_create", w =>
    {
        void Number(string name, ulong value)
        {
            w.Name(name);
            w.Number(value);
        }

        w.Name("name");
        w.String(Name);
        Number("num_blocks", BlockCount);
        Number("block_size", _parameters.BlockSize);
        Number("physical_block_size", PhysicalBlockSize);
        Number("md_size", MetadataSize);
        Number("dif_type", (ulong)DifType);
        w.Name("dif_is_head_of_md");
        w.Boolean(DifIsHeadOfMetadata);
        Number("dif_pi_format", _parameters.DifPiFormat);
        w.Name("uuid");
        w.String(Uuid.ToString());
        Number("preferred_write_granularity", _parameters.PreferredWriteGranularity);
        Number("preferred_write_alignment", _parameters.PreferredWriteAlignment);
        Number("optimal_write_size", _parameters.OptimalWriteSize);
        Number("preferred_unmap_granularity", _parameters.PreferredUnmapGranularity);
        Number("preferred_unmap_alignment", _parameters.PreferredUnmapAlignment);
    });

    private sealed class NullChannel : IoChannel;
}
