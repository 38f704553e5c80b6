using Spindle.Bdevs;
using Spindle.Dif;

namespace Spindle.Bdev.Malloc;

/// <summary>The checked form of <see cref="MallocCreateParameters"/>.</summary>
internal sealed record MallocOptions
{
    public required uint DataBlockSize { get; init; }
    public required ulong BlockCount { get; init; }
    public required Guid Uuid { get; init; }
    public required uint PhysicalBlockSize { get; init; }
    public required uint OptimalIoBoundary { get; init; }
    public required uint MetadataSize { get; init; }
    public required bool MetadataInterleaved { get; init; }
    public required DifType DifType { get; init; }
    public required bool DifIsHeadOfMetadata { get; init; }
    public required DifFormat DifFormat { get; init; }
    public required ProtectionInformation? Protection { get; init; }

    /// <summary>Bytes of a block in the data buffer.</summary>
    public uint BlockSize => MetadataInterleaved ? DataBlockSize + MetadataSize : DataBlockSize;

    /// <summary>Bytes of all blocks.</summary>
    public nuint DataBytes => (nuint)(BlockCount * BlockSize);

    /// <summary>Bytes of all separate metadata.</summary>
    public nuint MetadataBytes => MetadataInterleaved ? 0 : (nuint)(BlockCount * MetadataSize);

    /// <summary>Checks the parameters.</summary>
    /// <exception cref="SpindleException">EINVAL, naming the parameter.</exception>
    public static MallocOptions Of(MallocCreateParameters p)
    {
        Require(p.NumBlocks > 0, "num_blocks must be above 0.");
        Require(p.BlockSize is > 0 and <= 1 << 20 && p.BlockSize % 512 == 0, $"block_size {p.BlockSize} must be a multiple of 512, from 512 to 1048576.");
        Require(p.PhysicalBlockSize % 512 == 0, $"physical_block_size {p.PhysicalBlockSize} must be a multiple of 512.");
        Require(p.MdSize is 0 or 8 or 16 or 32 or 64 or 128, $"md_size {p.MdSize} must be 0, 8, 16, 32, 64 or 128.");
        Require(p.DifType is >= 0 and <= 3, $"dif_type {p.DifType} must be 0 (none), 1, 2 or 3.");
        Require(p.DifPiFormat <= 2, $"dif_pi_format {p.DifPiFormat} must be 0 (16-bit guard), 1 (32-bit) or 2 (64-bit).");
        Require(p.NumaId is -1 or 0, $"numa_id {p.NumaId}: memory cannot be bound to a node; leave it out or give -1.");
        Require((UInt128)p.NumBlocks * (p.BlockSize + p.MdSize) <= (UInt128)long.MaxValue, $"num_blocks {p.NumBlocks} of {p.BlockSize} bytes is more than 2^63 bytes.");
        var type = (DifType)p.DifType;
        bool interleaved = p.MdInterleave && p.MdSize > 0;
        var format = (DifFormat)p.DifPiFormat;
        return new MallocOptions
        {
            DataBlockSize = p.BlockSize,
            BlockCount = p.NumBlocks,
            Uuid = p.Uuid ?? Guid.Empty,
            PhysicalBlockSize = p.PhysicalBlockSize,
            OptimalIoBoundary = p.OptimalIoBoundary,
            MetadataSize = p.MdSize,
            MetadataInterleaved = interleaved,
            DifType = type,
            DifIsHeadOfMetadata = p.DifIsHeadOfMd,
            DifFormat = format,
            Protection = type == DifType.None ? null : new ProtectionInformation(p.BlockSize, p.MdSize, interleaved, p.DifIsHeadOfMd, type,
                ProtectionInformation.DefaultFlags(type), format),
        };
    }

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new SpindleException(Errno.EINVAL, message);
    }
}
