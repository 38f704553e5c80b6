using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>The parameters of <c>bdev_lvol_snapshot</c>.</summary>
[RpcObject]
public sealed class LvolSnapshotParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume")]
    public string LvolName { get; set; } = "";
    /// <summary>The snapshot's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the snapshot, without that of the store")]
    public string SnapshotName { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_lvol_clone</c>.</summary>
[RpcObject]
public sealed class LvolCloneParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the snapshot")]
    public string SnapshotName { get; set; } = "";
    /// <summary>The clone's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the clone, without that of the store")]
    public string CloneName { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_lvol_clone_bdev</c>.</summary>
[RpcObject]
public sealed class LvolCloneBdevParameters
{
    /// <summary>The bdev outside of the store.</summary>
    [RpcMember(Required = true, Summary = "Name or UUID of the bdev; nobody may write to it from then on")]
    public string Bdev { get; set; } = "";
    /// <summary>The store.</summary>
    [RpcMember(Required = true, Summary = "Name of the store")]
    public string LvsName { get; set; } = "";
    /// <summary>The clone's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the clone, without that of the store")]
    public string CloneName { get; set; } = "";
}

/// <summary>The RPC methods of snapshots and clones.</summary>
public sealed class SnapshotRpc(LvolStores stores, Lvols lvols, IModuleContext context)
{
    /// <summary>Makes a snapshot and returns its UUID.</summary>
    /// <exception cref="RpcException">No such volume, or it is not possible.</exception>
    [RpcMethod("bdev_lvol_snapshot", Summary = "Make a snapshot of a logical volume; returns its UUID.")]
    public async Task<string> SnapshotAsync(LvolSnapshotParameters parameters) =>
        (await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.SnapshotAsync(LvolRpc.Find(lvols, parameters.LvolName), parameters.SnapshotName))).Id;

    /// <summary>Makes a clone and returns its UUID.</summary>
    /// <exception cref="RpcException">No such snapshot, or it is not possible.</exception>
    [RpcMethod("bdev_lvol_clone", Summary = "Make a clone of a snapshot; returns its UUID.")]
    public async Task<string> CloneAsync(LvolCloneParameters parameters) =>
        (await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.CloneAsync(LvolRpc.Find(lvols, parameters.SnapshotName), parameters.CloneName))).Id;

    /// <summary>Makes a clone of a bdev outside of the store and returns its UUID.</summary>
    /// <exception cref="RpcException">Invalid parameters, with SPDK's words.</exception>
    [RpcMethod("bdev_lvol_clone_bdev", Summary = "Make a logical volume that is a clone of a bdev outside of the store; returns its UUID.")]
    public async Task<string> CloneBdevAsync(LvolCloneBdevParameters parameters)
    {
        var store = stores.All.FirstOrDefault(store => store.Name == parameters.LvsName) ?? throw new RpcException(RpcErrorCode.InvalidParams, "lvs does not exist");
        var bdev = context.Bdevs.Find(parameters.Bdev) ?? throw new RpcException(RpcErrorCode.InvalidParams, "bdev does not exist");
        if (lvols.Find(parameters.Bdev) is { } lvol && lvol.Store == store)
            throw new RpcException(RpcErrorCode.InvalidParams, "bdev is an lvol in same lvs as clone; use bdev_lvol_clone instead");
        return (await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.CloneBdevAsync(store, bdev, parameters.CloneName))).Id;
    }

    /// <summary>Gives a volume all its clusters.</summary>
    /// <exception cref="RpcException">No such volume, or it is not possible.</exception>
    [RpcMethod("bdev_lvol_inflate", Summary = "Give a logical volume all its clusters; it no longer depends on a snapshot.")]
    public async Task<bool> InflateAsync(LvolNameParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.InflateAsync(LvolRpc.Find(lvols, parameters.Name)));
        return true;
    }

    /// <summary>Makes a clone independent of its snapshot.</summary>
    /// <exception cref="RpcException">No such volume, or it is no clone.</exception>
    [RpcMethod("bdev_lvol_decouple_parent", Summary = "Give a clone what it reads through its snapshot; it no longer depends on it.")]
    public async Task<bool> DecoupleParentAsync(LvolNameParameters parameters)
    {
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.DecoupleAsync(LvolRpc.Find(lvols, parameters.Name)));
        return true;
    }
}
