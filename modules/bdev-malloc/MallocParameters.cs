using Spindle.Rpc;

namespace Spindle.Bdev.Malloc;

/// <summary>The parameters of <c>bdev_malloc_create</c>.</summary>
[RpcObject]
public sealed class MallocCreateParameters
{
    /// <summary>The name; Malloc0, Malloc1 … when absent.</summary>
    [RpcMember(Summary = "Bdev name to use")]
    public string? Name { get; set; }

    /// <summary>Blocks; above 0.</summary>
    [RpcMember(Required = true, Summary = "Number of blocks")]
    public ulong NumBlocks { get; set; }

    /// <summary>Bytes of data in a block, a multiple of 512.</summary>
    [RpcMember(Required = true, Summary = "Data block size in bytes, a multiple of 512")]
    public uint BlockSize { get; set; }

    /// <summary>Bytes, a multiple of 512; 0 or absent: the block size.</summary>
    [RpcMember(Summary = "Physical block size in bytes, a multiple of 512")]
    public uint PhysicalBlockSize { get; set; }

    /// <summary>Identity; made up when absent.</summary>
    [RpcMember(Summary = "UUID of the new bdev")]
    public Guid? Uuid { get; set; }

    /// <summary>Blocks between boundaries at which I/O is split; 0 for none.</summary>
    [RpcMember(Summary = "Split I/O at multiples of this many blocks; 0: no")]
    public uint OptimalIoBoundary { get; set; }

    /// <summary>Bytes of metadata for each block: 0, 8, 16, 32, 64 or 128.</summary>
    [RpcMember(Summary = "Metadata bytes of a block: 0, 8, 16, 32, 64 or 128")]
    public uint MdSize { get; set; }

    /// <summary>True: each block's metadata follows its data; false: in a buffer of its own.</summary>
    [RpcMember(Summary = "Metadata after each block's data (true) or in a buffer of its own (false)")]
    public bool MdInterleave { get; set; }

    /// <summary>Protection information type, 0 (none) to 3.</summary>
    [RpcMember(Summary = "Protection information type: 0 (none), 1, 2 or 3; needs md_size")]
    public int DifType { get; set; }

    /// <summary>True: the protection information is at the beginning of the metadata.</summary>
    [RpcMember(Summary = "Protection information at the beginning of the metadata (true) or at its end (false)")]
    public bool DifIsHeadOfMd { get; set; }

    /// <summary>Layout of the protection information: 0 (16-bit guard), 1 (32-bit), 2 (64-bit).</summary>
    [RpcMember(Summary = "Protection information format: 0 (16-bit guard), 1 (32-bit) or 2 (64-bit)")]
    public uint DifPiFormat { get; set; }

    /// <summary>NUMA node of the memory; -1 for any.</summary>
    [RpcMember(Summary = "NUMA node of the memory; -1 (the default) for any")]
    public int NumaId { get; set; } = -1;
}

/// <summary>The parameters of <c>bdev_malloc_delete</c>.</summary>
[RpcObject]
public sealed class MallocDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}
