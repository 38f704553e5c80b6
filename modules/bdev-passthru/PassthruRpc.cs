using Spindle.Rpc;

namespace Spindle.Bdev.Passthru;

/// <summary>The parameters of <c>bdev_passthru_create</c>.</summary>
[RpcObject]
public sealed class PassthruCreateParameters
{
    /// <summary>The bdev below, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseBdevName { get; set; } = "";

    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

    /// <summary>Identity; derived from the base's when absent.</summary>
    [RpcMember(Summary = "UUID of the new bdev; derived from the base bdev's when absent")]
    public Guid? Uuid { get; set; }
}

/// <summary>The parameters of <c>bdev_passthru_delete</c>.</summary>
[RpcObject]
public sealed class PassthruDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The module's RPC methods.</summary>
public sealed class PassthruRpc(PassthruCollection collection)
{
    /// <summary>Puts a bdev on another one, now or when that one appears, and returns its name.</summary>
    /// <exception cref="SpindleException">EEXIST: the name is taken. EPERM: the base is claimed. EINVAL: a name is empty.</exception>
    [RpcMethod("bdev_passthru_create", Summary = "Create a bdev that hands every I/O to another one; returns its name.")]
    public string Create(PassthruCreateParameters parameters) =>
        collection.Create(parameters.BaseBdevName, parameters.Name, parameters.Uuid ?? Guid.Empty);

    /// <summary>Deletes one, or forgets one that waits for its base.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_passthru_delete", Summary = "Delete a passthru bdev.")]
    public async Task<bool> DeleteAsync(PassthruDeleteParameters parameters)
    {
        await collection.DeleteAsync(parameters.Name);
        return true;
    }
}
