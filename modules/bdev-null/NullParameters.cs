using Spindle.Rpc;

namespace Spindle.Bdev.Null;

/// <summary>The parameters of <c>bdev_null_create</c>.</summary>
[RpcObject]
public sealed class NullCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

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

    /// <summary>Bytes of metadata after each block's data: 0, 8, 16, 32, 64 or 128.</summary>
    [RpcMember(Summary = "Metadata bytes after each block's data: 0, 8, 16, 32, 64 or 128")]
    public uint MdSize { get; set; }

    /// <summary>Protection information type, 0 (none) to 3.</summary>
    [RpcMember(Summary = "Protection information type: 0 (none), 1, 2 or 3; needs md_size")]
    public int DifType { get; set; }

    /// <summary>True: the protection information is at the beginning of the metadata.</summary>
    [RpcMember(Summary = "Protection information at the beginning of the metadata (true) or at its end (false)")]
    public bool DifIsHeadOfMd { get; set; }

    /// <summary>Layout of the protection information: 0 (16-bit guard), 1 (32-bit), 2 (64-bit).</summary>
    [RpcMember(Summary = "Protection information format: 0 (16-bit guard), 1 (32-bit) or 2 (64-bit)")]
    public uint DifPiFormat { get; set; }

    /// <summary>Blocks. Kept and saved; nothing reads it yet.</summary>
    [RpcMember(Summary = "Preferred write alignment in blocks")]
    public uint PreferredWriteAlignment { get; set; }

    /// <summary>Blocks. Kept and saved; nothing reads it yet.</summary>
    [RpcMember(Summary = "Preferred write granularity in blocks")]
    public uint PreferredWriteGranularity { get; set; }

    /// <summary>Blocks. Kept and saved; nothing reads it yet.</summary>
    [RpcMember(Summary = "Optimal write size in blocks")]
    public uint OptimalWriteSize { get; set; }

    /// <summary>Blocks. Kept and saved; nothing reads it yet.</summary>
    [RpcMember(Summary = "Preferred unmap alignment in blocks")]
    public uint PreferredUnmapAlignment { get; set; }

    /// <summary>Blocks. Kept and saved; nothing reads it yet.</summary>
    [RpcMember(Summary = "Preferred unmap granularity in blocks")]
    public uint PreferredUnmapGranularity { get; set; }
}

/// <summary>The parameters of <c>bdev_null_delete</c>.</summary>
[RpcObject]
public sealed class NullDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_null_resize</c>.</summary>
[RpcObject]
public sealed class NullResizeParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";

    /// <summary>MiB.</summary>
    [RpcMember(Required = true, Summary = "New capacity in MiB; not smaller than now")]
    public ulong NewSize { get; set; }
}
