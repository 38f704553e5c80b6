using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Split;

/// <summary>The parameters of <c>bdev_split_create</c>.</summary>
[RpcObject]
public sealed class SplitCreateParameters
{
    /// <summary>The bdev to split, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseBdev { get; set; } = "";

    /// <summary>How many parts.</summary>
    [RpcMember(Required = true, Summary = "Number of parts")]
    public uint SplitCount { get; set; }

    /// <summary>MiB of a part; 0: the base's size divided by the number of parts.</summary>
    [RpcMember(Summary = "Size of a part in MiB; the base's size divided by the number of parts when absent or 0")]
    public ulong SplitSizeMb { get; set; }
}

/// <summary>The parameters of <c>bdev_split_delete</c>.</summary>
[RpcObject]
public sealed class SplitDeleteParameters
{
    /// <summary>The bdev that is split.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name")]
    public string BaseBdev { get; set; } = "";
}

/// <summary>The module's RPC methods.</summary>
public sealed class SplitRpc(VirtualBdevs<SplitAssociation> splits)
{
    /// <summary>Splits a bdev, now or when it appears, and returns the names of the parts that are there.</summary>
    /// <exception cref="RpcException">Invalid parameters: with SPDK's words, then the reason.</exception>
    [RpcMethod("bdev_split_create", Summary = "Split a bdev into equal parts, each a bdev; returns their names.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public IReadOnlyList<string> Create(SplitCreateParameters parameters)
    {
        if (parameters.BaseBdev.Length == 0) throw Failed(parameters, Errno.EINVAL, "base_bdev is empty.");
        if (parameters.SplitCount == 0) throw Failed(parameters, Errno.EINVAL, "split_count is 0.");
        if (Find(parameters.BaseBdev) is not null) throw Failed(parameters, Errno.EEXIST, "it is split already; delete that first (bdev_split_delete).");
        var split = new SplitAssociation(parameters.BaseBdev, parameters.SplitCount, parameters.SplitSizeMb);
        try
        {
            splits.Add(split);
        }
        catch (SpindleException e)
        {
            throw Failed(parameters, e.Errno, e.Message);
        }
        return [.. split.Bdevs.Select(bdev => bdev.Name)];
    }

    /// <summary>Takes the parts of a bdev away, or forgets one that waits.</summary>
    /// <exception cref="RpcException">Invalid parameters: it is not split.</exception>
    [RpcMethod("bdev_split_delete", Summary = "Take the parts of a split bdev away.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public async Task<bool> DeleteAsync(SplitDeleteParameters parameters)
    {
        var split = Find(parameters.BaseBdev) ??
            throw new RpcException(RpcErrorCode.InvalidParams, $"{Errno.Message(Errno.ENOENT)}: bdev '{parameters.BaseBdev}' is not split.");
        await splits.DeleteAsync(split);
        return true;
    }

    private SplitAssociation? Find(string baseName) => splits.All.FirstOrDefault(split => split.BaseName == baseName);

    private static RpcException Failed(SplitCreateParameters parameters, int errno, string reason) => new(RpcErrorCode.InvalidParams,
        $"Failed to create {parameters.SplitCount} split bdevs from '{parameters.BaseBdev}': {Errno.Message(errno)}: {reason}");
}
