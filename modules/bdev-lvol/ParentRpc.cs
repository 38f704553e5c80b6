using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>The parameters of <c>bdev_lvol_set_parent</c> and <c>bdev_lvol_set_parent_bdev</c>.</summary>
[RpcObject]
public sealed class LvolParentParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume, which must be thin")]
    public string LvolName { get; set; } = "";
    /// <summary>The parent.</summary>
    [RpcMember(Required = true, Summary = "The snapshot, or the bdev outside of the store, that it is to read through")]
    public string ParentName { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_lvol_start_shallow_copy</c>.</summary>
[RpcObject]
public sealed class ShallowCopyParameters
{
    /// <summary>Its UUID or alias.</summary>
    [RpcMember(Required = true, Summary = "UUID or alias of the volume, which must be read-only")]
    public string SrcLvolName { get; set; } = "";
    /// <summary>Where to.</summary>
    [RpcMember(Required = true, Summary = "Name of the bdev to copy to")]
    public string DstBdevName { get; set; } = "";
}

/// <summary>What <c>bdev_lvol_start_shallow_copy</c> returns, and <c>bdev_lvol_check_shallow_copy</c> takes.</summary>
[RpcObject]
public sealed class ShallowCopyNumber
{
    /// <summary>The copy's number.</summary>
    [RpcMember(Required = true, Summary = "Number of the copy")]
    public uint OperationId { get; set; }
}

/// <summary>How far a copy is.</summary>
[RpcObject]
public sealed class ShallowCopyInfo
{
    /// <summary>Clusters that are copied.</summary>
    public required ulong CopiedClusters { get; init; }
    /// <summary>Clusters to be copied.</summary>
    public required ulong TotalClusters { get; init; }
    /// <summary>in progress, complete or error.</summary>
    public required string State { get; init; }
    /// <summary>What went wrong.</summary>
    public string? Error { get; init; }
}

/// <summary>The RPC methods that change what a volume reads through, and that copy what is its own.</summary>
public sealed class ParentRpc(Lvols lvols, ShallowCopies copies, IModuleContext context)
{
    /// <summary>Makes a thin volume a clone of a snapshot.</summary>
    /// <exception cref="RpcException">No such volume, or it is not possible.</exception>
    [RpcMethod("bdev_lvol_set_parent", Summary = "Make a thin logical volume a clone of a snapshot.")]
    public async Task<bool> SetParentAsync(LvolParentParameters parameters)
    {
        var lvol = LvolRpc.Find(lvols, parameters.LvolName);
        var parent = LvolRpc.Find(lvols, parameters.ParentName);
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.SetParentAsync(lvol, parent));
        return true;
    }

    /// <summary>Makes a thin volume a clone of a bdev outside of the store.</summary>
    /// <exception cref="RpcException">No such volume or bdev, or it is not possible.</exception>
    [RpcMethod("bdev_lvol_set_parent_bdev", Summary = "Make a thin logical volume a clone of a bdev outside of the store.")]
    public async Task<bool> SetParentBdevAsync(LvolParentParameters parameters)
    {
        var lvol = LvolRpc.Find(lvols, parameters.LvolName);
        await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => lvols.SetParentBdevAsync(lvol,
            context.Bdevs.Find(parameters.ParentName) ?? throw new SpindleException(Errno.ENODEV, $"there is no bdev '{parameters.ParentName}'.")));
        return true;
    }

    /// <summary>Starts copying what is a read-only volume's own.</summary>
    /// <exception cref="RpcException">No such volume or bdev, or the bdev is in use.</exception>
    [RpcMethod("bdev_lvol_start_shallow_copy", Summary = "Start copying the clusters that are a read-only logical volume's own to a bdev.")]
    public async Task<ShallowCopyNumber> StartShallowCopyAsync(ShallowCopyParameters parameters)
    {
        var lvol = LvolRpc.Find(lvols, parameters.SrcLvolName);
        return new ShallowCopyNumber { OperationId = await LvolErrors.RunAsync(RpcErrorCode.InvalidParams, () => Task.FromResult(copies.Start(lvol, parameters.DstBdevName))) };
    }

    /// <summary>Tells how far a copy is.</summary>
    /// <exception cref="RpcException">No such copy.</exception>
    [RpcMethod("bdev_lvol_check_shallow_copy", Summary = "Show how far a shallow copy is; one that has ended is shown once.")]
    public async Task<ShallowCopyInfo> CheckShallowCopyAsync(ShallowCopyNumber parameters)
    {
        var copy = await LvolErrors.RunAsync(-Errno.ENODEV, () => Task.FromResult(copies.Check(parameters.OperationId)));
        return new ShallowCopyInfo { CopiedClusters = copy.Copied, TotalClusters = copy.Total, State = copy.State, Error = copy.Error is { } e ? Errno.Message(e.Errno) : null };
    }
}
