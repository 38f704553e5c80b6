using Spindle.Rpc;

namespace Spindle.Bdev.Aio;

/// <summary>The parameters of <c>bdev_aio_create</c>.</summary>
[RpcObject]
public sealed class AioCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

    /// <summary>A file or block device that exists.</summary>
    [RpcMember(Required = true, Summary = "Path of an existing file or block device")]
    public string Filename { get; set; } = "";

    /// <summary>Bytes; what the device has, or 512 for a file, when 0 or absent.</summary>
    [RpcMember(Summary = "Block size in bytes, a power of two from 512; the device's when absent")]
    public uint BlockSize { get; set; }

    /// <summary>Open for reading only.</summary>
    [RpcMember(Summary = "Open for reading only")]
    public bool Readonly { get; set; }

    /// <summary>Unmap and write zeroes by fallocate.</summary>
    [RpcMember(Summary = "Unmap and write zeroes by fallocate")]
    public bool Fallocate { get; set; }

    /// <summary>Identity; when absent one that is the same for this name, file and machine.</summary>
    [RpcMember(Summary = "UUID of the new bdev")]
    public Guid? Uuid { get; set; }

    /// <summary>Accepted for block devices; without effect, as the ring never blocks a reactor.</summary>
    [RpcMember(Summary = "For block devices only; without effect, as I/O never blocks here")]
    public bool Nowait { get; set; }
}

/// <summary>The parameters of <c>bdev_aio_delete</c> and <c>bdev_aio_rescan</c>.</summary>
[RpcObject]
public sealed class AioNameParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}
