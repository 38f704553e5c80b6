using Spindle.Blobs;
using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>The parameters of <c>bdev_lvol_create_lvstore</c>.</summary>
[RpcObject]
public sealed class LvstoreCreateParameters
{
    /// <summary>The bdev below.</summary>
    [RpcMember(Required = true, Summary = "Bdev on which to make the store; what is on it is lost")]
    public string BdevName { get; set; } = "";
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Name of the store, 1 to 63 bytes")]
    public string LvsName { get; set; } = "";
    /// <summary>Bytes.</summary>
    [RpcMember(Summary = "Bytes of a cluster, a multiple of the metadata page; 4 MiB when absent or 0")]
    public uint ClusterSz { get; set; }
    /// <summary>How the data region is cleared.</summary>
    [RpcMember(Summary = "How the data region is cleared: none, unmap (when absent), write_zeroes")]
    public string? ClearMethod { get; set; }
    /// <summary>Percent.</summary>
    [RpcMember(Summary = "Metadata pages for each 100 clusters; 100 when absent or 0")]
    public uint NumMdPagesPerClusterRatio { get; set; }
    /// <summary>Bytes.</summary>
    [RpcMember(Summary = "Bytes of a metadata page, a power of two from 4096 to 65536; what fits the bdev when absent or 0")]
    public uint MdPageSize { get; set; }
}

/// <summary>The parameters of <c>bdev_lvol_rename_lvstore</c>.</summary>
[RpcObject]
public sealed class LvstoreRenameParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Name of the store")]
    public string OldName { get; set; } = "";
    /// <summary>The new name.</summary>
    [RpcMember(Required = true, Summary = "New name")]
    public string NewName { get; set; } = "";
}

/// <summary>Which store: exactly one of the members.</summary>
[RpcObject]
public sealed class LvstoreParameters
{
    /// <summary>The identity.</summary>
    [RpcMember(Summary = "UUID of the store")]
    public string? Uuid { get; set; }
    /// <summary>The name.</summary>
    [RpcMember(Summary = "Name of the store")]
    public string? LvsName { get; set; }
}

/// <summary>What <c>bdev_lvol_get_lvstores</c> shows.</summary>
[RpcObject]
public sealed class LvstoreInfo
{
    /// <summary>The identity.</summary>
    public required Guid Uuid { get; init; }
    /// <summary>The name.</summary>
    public required string Name { get; init; }
    /// <summary>The bdev below.</summary>
    public required string BaseBdev { get; init; }
    /// <summary>Clusters for data.</summary>
    public required ulong TotalDataClusters { get; init; }
    /// <summary>Those that are free.</summary>
    public required ulong FreeClusters { get; init; }
    /// <summary>Bytes.</summary>
    public required ulong BlockSize { get; init; }
    /// <summary>Bytes.</summary>
    public required ulong ClusterSize { get; init; }
    /// <summary>Bytes.</summary>
    public required ulong MaxGrowableSize { get; init; }
}

/// <summary>The RPC methods of stores.</summary>
public sealed class LvstoreRpc(LvolStores stores)
{
    /// <summary>Makes a store and returns its UUID.</summary>
    /// <exception cref="RpcException">Invalid parameters, or an error number of the bdev.</exception>
    [RpcMethod("bdev_lvol_create_lvstore", Summary = "Make a store of logical volumes on a bdev; returns its UUID.")]
    public async Task<Guid> CreateAsync(LvstoreCreateParameters parameters)
    {
        if (parameters.MdPageSize != 0 && (parameters.MdPageSize is < 4096 or > 65536 || !System.Numerics.BitOperations.IsPow2(parameters.MdPageSize)))
            throw LvolErrors.Of(-Errno.EINVAL, Errno.EINVAL, $"md_page_size is {parameters.MdPageSize}; it must be a power of two from 4096 to 65536.");
        var options = new BlobstoreOptions
        {
            ClusterSize = parameters.ClusterSz == 0 ? 4 << 20 : parameters.ClusterSz,
            PageSize = parameters.MdPageSize,
            PagesPerCluster = (parameters.NumMdPagesPerClusterRatio == 0 ? 100 : parameters.NumMdPagesPerClusterRatio) / 100.0,
            ClearMethod = parameters.ClearMethod?.ToLowerInvariant() switch
            {
                null or "unmap" => StoreClearMethod.Unmap,
                "none" => StoreClearMethod.None,
                "write_zeroes" => StoreClearMethod.WriteZeroes,
                _ => throw new RpcException(-Errno.EINVAL, "Invalid clear_method parameter: it must be none, unmap or write_zeroes."),
            },
        };
        try
        {
            return (await stores.CreateAsync(parameters.BdevName, parameters.LvsName, options)).Uuid;
        }
        catch (SpindleException e)
        {
            throw LvolErrors.Of(-e.Errno, e);
        }
    }

    /// <summary>Deletes a store.</summary>
    /// <exception cref="RpcException">No such store, or an error number of the bdev.</exception>
    [RpcMethod("bdev_lvol_delete_lvstore", Summary = "Delete a store with all its volumes.")]
    public async Task<bool> DeleteAsync(LvstoreParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => stores.DeleteAsync(Find(parameters.Uuid, parameters.LvsName)));
        return true;
    }

    /// <summary>Renames a store.</summary>
    /// <exception cref="RpcException">No such store, or the name cannot be had.</exception>
    [RpcMethod("bdev_lvol_rename_lvstore", Summary = "Rename a store; the aliases of its volumes change with it.")]
    public async Task<bool> RenameAsync(LvstoreRenameParameters parameters)
    {
        var store = stores.All.FirstOrDefault(store => store.Name == parameters.OldName) ?? throw new RpcException(-Errno.ENOENT, $"Lvol store {parameters.OldName} not found");
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => stores.RenameAsync(store, parameters.NewName));
        return true;
    }

    /// <summary>Takes in what the bdev below has grown by.</summary>
    /// <exception cref="RpcException">No such store, or it cannot grow so far.</exception>
    [RpcMethod("bdev_lvol_grow_lvstore", Summary = "Let a store use what its bdev has grown by.")]
    public async Task<bool> GrowAsync(LvstoreParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () =>
        {
            var store = Find(parameters.Uuid, parameters.LvsName);
            LvolStores.CheckThere(store);
            return store.Blobs.GrowAsync();
        });
        return true;
    }

    /// <summary>Shows stores.</summary>
    /// <exception cref="RpcException">No such store.</exception>
    [RpcMethod("bdev_lvol_get_lvstores", Summary = "Show the stores, or one of them.")]
    public IReadOnlyList<LvstoreInfo> Get(LvstoreParameters parameters) =>
        [.. (parameters is { Uuid: null, LvsName: null } ? stores.All : [Find(parameters.Uuid, parameters.LvsName)]).Select(store => new LvstoreInfo
        {
            Uuid = store.Uuid, Name = store.Name, BaseBdev = store.BaseName, TotalDataClusters = store.Blobs.DataClusters, FreeClusters = store.Blobs.FreeClusters,
            BlockSize = store.Blobs.IoUnitSize, ClusterSize = store.Blobs.ClusterSize, MaxGrowableSize = store.Blobs.MaxGrowableSize,
        })];

    private LvolStore Find(string? uuid, string? name) => Find(stores, uuid, name);

    internal static LvolStore Find(LvolStores stores, string? uuid, string? name)
    {
        if (uuid is null == name is null) throw LvolErrors.Of(-Errno.EINVAL, Errno.EINVAL, "give either the UUID or the name of the store.");
        return stores.All.FirstOrDefault(store => uuid is null ? store.Name == name : Guid.TryParse(uuid, out var wanted) && store.Uuid == wanted)
            ?? throw LvolErrors.Of(-Errno.ENODEV, Errno.ENODEV, $"there is no store '{uuid ?? name}'.");
    }
}
