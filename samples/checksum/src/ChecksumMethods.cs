using Spindle;
using Spindle.Bdevs;
using Spindle.Rpc;

namespace Acme.Checksum;

[RpcObject]
public sealed class CreateParameters
{
    [RpcMember(Required = true, Summary = "The bdev below; what it holds is lost, unless rebuild says otherwise.")] public string BaseBdevName { get; set; } = "";
    [RpcMember(Required = true, Summary = "The new bdev's name, at most 64 bytes; it is stored on the base.")] public string Name { get; set; } = "";
    [RpcMember(Summary = "Of a base that holds a checksum disk already: keep its data, and take it as it is for correct.")] public bool Rebuild { get; set; }
}

[RpcObject]
public sealed class NameParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")] public string Name { get; set; } = "";
}

[RpcObject]
public sealed class ChecksumError
{
    [RpcMember(Summary = "The block, of the checksum disk.")] public ulong Block { get; set; }
    [RpcMember(Summary = "The CRC32C that was stored when it was written.")] public uint Stored { get; set; }
    [RpcMember(Summary = "The CRC32C of what was read.")] public uint Found { get; set; }
}

[RpcObject]
public sealed class ChecksumErrors
{
    [RpcMember(Summary = "Reads that found a block altered since the disk came up.")] public ulong Count { get; set; }
    [RpcMember(Summary = "The latest of them, the newest last.")] public List<ChecksumError> Latest { get; set; } = [];
}

public sealed class ChecksumMethods(IBdevRegistry bdevs, ChecksumDisks disks)
{
    [RpcMethod("acme_checksum_create", Summary = "Make a checksum disk on another bdev; returns its name. From then on it comes up with that bdev.")]
    public Task<string> CreateAsync(CreateParameters p) => disks.CreateAsync(p.BaseBdevName, p.Name, p.Rebuild);

    [RpcMethod("acme_checksum_delete", Summary = "Take a checksum disk away for good: it does not come up again. The bdev below stays.")]
    public Task DeleteAsync(NameParameters p)
    {
        var disk = Find(p.Name);
        disk.IsDeleted = true;
        return bdevs.UnregisterAsync(disk);
    }

    [RpcMethod("acme_checksum_get_errors", Summary = "The blocks that were found altered.")]
    public ChecksumErrors GetErrors(NameParameters p) => Find(p.Name).Errors();

    private ChecksumBdev Find(string name) => bdevs.Find(name) as ChecksumBdev ?? throw new SpindleException(Errno.ENODEV, $"name: there is no checksum disk '{name}'.");
}
