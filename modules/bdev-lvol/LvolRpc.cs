using Spindle.Blobs.Format;
using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>The parameters of <c>bdev_lvol_create</c>.</summary>
[RpcObject]
public sealed class LvolCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Name of the volume, 1 to 63 bytes")]
    public string LvolName { get; set; } = "";
    /// <summary>MiB.</summary>
    [RpcMember(Required = true, Summary = "Size in MiB, rounded up to whole clusters")]
    public ulong SizeInMib { get; set; }
    /// <summary>Clusters come with the first write.</summary>
    [RpcMember(Summary = "True: clusters come with the first write")]
    public bool ThinProvision { get; set; }
    /// <summary>The store.</summary>
    [RpcMember(Summary = "UUID of the store; or lvs_name")]
    public string? Uuid { get; set; }
    /// <summary>The store.</summary>
    [RpcMember(Summary = "Name of the store; or uuid")]
    public string? LvsName { get; set; }
    /// <summary>How clusters are cleared.</summary>
    [RpcMember(Summary = "How clusters are cleared when they are given back: none, unmap (when absent), write_zeroes")]
    public string? ClearMethod { get; set; }
}

/// <summary>Which volume.</summary>
[RpcObject]
public sealed class LvolNameParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_lvol_rename</c>.</summary>
[RpcObject]
public sealed class LvolRenameParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume")]
    public string OldName { get; set; } = "";
    /// <summary>The new name.</summary>
    [RpcMember(Required = true, Summary = "New name, without that of the store")]
    public string NewName { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_lvol_resize</c>.</summary>
[RpcObject]
public sealed class LvolResizeParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume")]
    public string Name { get; set; } = "";
    /// <summary>MiB.</summary>
    [RpcMember(Required = true, Summary = "New size in MiB, rounded up to whole clusters")]
    public ulong SizeInMib { get; set; }
}

/// <summary>The parameters of <c>bdev_lvol_get_lvols</c>.</summary>
[RpcObject]
public sealed class LvolsGetParameters
{
    /// <summary>The store.</summary>
    [RpcMember(Summary = "UUID of the store; or lvs_name")]
    public string? LvsUuid { get; set; }
    /// <summary>The store.</summary>
    [RpcMember(Summary = "Name of the store; or lvs_uuid")]
    public string? LvsName { get; set; }
}

/// <summary>The store of a volume, as it is shown.</summary>
[RpcObject]
public sealed class LvolStoreInfo
{
    /// <summary>The name.</summary>
    public required string Name { get; init; }
    /// <summary>The identity.</summary>
    public required Guid Uuid { get; init; }
}

/// <summary>What <c>bdev_lvol_get_lvols</c> shows.</summary>
[RpcObject]
public sealed class LvolInfo
{
    /// <summary>The store's name and its own.</summary>
    public required string Alias { get; init; }
    /// <summary>The identity.</summary>
    public required Guid Uuid { get; init; }
    /// <summary>The name.</summary>
    public required string Name { get; init; }
    /// <summary>Clusters come with the first write.</summary>
    public required bool IsThinProvisioned { get; init; }
    /// <summary>There are clones of it.</summary>
    public required bool IsSnapshot { get; init; }
    /// <summary>It is a clone of a snapshot.</summary>
    public required bool IsClone { get; init; }
    /// <summary>It is a clone of a bdev outside of the store.</summary>
    public required bool IsEsnapClone { get; init; }
    /// <summary>That bdev is not there.</summary>
    public required bool IsDegraded { get; init; }
    /// <summary>Clusters of its own.</summary>
    public required ulong NumAllocatedClusters { get; init; }
    /// <summary>The store.</summary>
    public required LvolStoreInfo Lvs { get; init; }
}

/// <summary>The RPC methods of volumes.</summary>
public sealed class LvolRpc(LvolStores stores, Lvols lvols)
{
    /// <summary>Makes a volume and returns its UUID.</summary>
    /// <exception cref="RpcException">Invalid parameters: the error's words, then the reason.</exception>
    [RpcMethod("bdev_lvol_create", Summary = "Make a logical volume; returns its UUID.")]
    public async Task<string> CreateAsync(LvolCreateParameters parameters)
    {
        var store = LvstoreRpc.Find(stores, parameters.Uuid, parameters.LvsName);
        var method = parameters.ClearMethod?.ToLowerInvariant() switch
        {
            null => ClearMethod.Default,
            "none" => ClearMethod.None,
            "unmap" => ClearMethod.Unmap,
            "write_zeroes" => ClearMethod.WriteZeroes,
            _ => throw new RpcException(-Errno.EINVAL, "Invalid clean_method option: clear_method must be none, unmap or write_zeroes."),
        };
        return (await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.CreateAsync(store, parameters.LvolName, parameters.SizeInMib, parameters.ThinProvision, method))).Id;
    }

    /// <summary>Deletes a volume.</summary>
    /// <exception cref="RpcException">No such volume, or it cannot be deleted.</exception>
    [RpcMethod("bdev_lvol_delete", Summary = "Delete a logical volume.")]
    public async Task<bool> DeleteAsync(LvolNameParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InternalError, () => lvols.DeleteAsync(Find(lvols, parameters.Name)));
        return true;
    }

    /// <summary>Renames a volume.</summary>
    /// <exception cref="RpcException">No such volume, or the name cannot be had.</exception>
    [RpcMethod("bdev_lvol_rename", Summary = "Rename a logical volume; its alias changes with it.")]
    public async Task<bool> RenameAsync(LvolRenameParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.RenameAsync(Find(lvols, parameters.OldName), parameters.NewName));
        return true;
    }

    /// <summary>Changes the size of a volume.</summary>
    /// <exception cref="RpcException">No such volume, or it cannot have that size.</exception>
    [RpcMethod("bdev_lvol_resize", Summary = "Change the size of a logical volume.")]
    public async Task<bool> ResizeAsync(LvolResizeParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.ResizeAsync(Find(lvols, parameters.Name), parameters.SizeInMib));
        return true;
    }

    /// <summary>Makes a volume read-only.</summary>
    /// <exception cref="RpcException">No such volume.</exception>
    [RpcMethod("bdev_lvol_set_read_only", Summary = "Make a logical volume read-only, for good.")]
    public async Task<bool> SetReadOnlyAsync(LvolNameParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.SetReadOnlyAsync(Find(lvols, parameters.Name)));
        return true;
    }

    /// <summary>Shows volumes, those without a bdev too.</summary>
    /// <exception cref="RpcException">No such store.</exception>
    [RpcMethod("bdev_lvol_get_lvols", Summary = "Show the logical volumes, or those of one store.")]
    public IReadOnlyList<LvolInfo> Get(LvolsGetParameters parameters) =>
        [.. (parameters is { LvsUuid: null, LvsName: null } ? lvols.All : LvstoreRpc.Find(stores, parameters.LvsUuid, parameters.LvsName).Lvols).Select(lvol => new LvolInfo
        {
            Alias = lvol.Alias, Uuid = lvol.Uuid, Name = lvol.Name, IsThinProvisioned = lvol.Blob.IsThin, IsSnapshot = lvol.Blob.Clones.Any(), IsClone = lvol.Blob.Parent is not null,
            IsEsnapClone = lvol.Blob.ExternalSnapshotId is not null, IsDegraded = lvol.Blob.IsDegraded, NumAllocatedClusters = lvol.Blob.AllocatedClusters,
            Lvs = new LvolStoreInfo { Name = lvol.Store.Name, Uuid = lvol.Store.Uuid },
        })];

    internal static Lvol Find(Lvols lvols, string name) => lvols.Find(name) ?? throw LvolErrors.Of(-Errno.ENODEV, Errno.ENODEV, $"there is no logical volume '{name}'.");
}
