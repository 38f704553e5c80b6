using Spindle.Bdev.Nvme.Bdevs;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>How the paths of a bdev are used.</summary>
public sealed class MultipathRpc(NvmeService service)
{
    private readonly NvmeControllers _controllers = service.Controllers;

    /// <summary>Sets how I/O is shared out among the paths of a bdev.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev. EINVAL: a parameter is not valid.</exception>
    [RpcMethod("bdev_nvme_set_multipath_policy", Summary = "Set how I/O is shared out among the paths of an NVMe bdev.", ParameterErrorText = "spdk_json_decode_object failed")]
    public bool SetPolicy(PolicyParameters p)
    {
        var policy = p.Policy switch
        {
            "active_passive" => MultipathPolicy.ActivePassive,
            "active_active" => MultipathPolicy.ActiveActive,
            _ => throw DecodeError($"policy '{p.Policy}' is neither active_passive nor active_active."),
        };
        var selector = p.Selector switch
        {
            null or "round_robin" => MultipathSelector.RoundRobin,
            "queue_depth" => MultipathSelector.QueueDepth,
            _ => throw DecodeError($"selector '{p.Selector}' is neither round_robin nor queue_depth."),
        };
        bool turns = policy == MultipathPolicy.ActiveActive && selector == MultipathSelector.RoundRobin;
        if (policy == MultipathPolicy.ActivePassive && p.Selector is not null) throw DecodeError("selector is for policy active_active only.");
        if (p.RrMinIo is not null && !turns) throw new SpindleException(Errno.EINVAL, "Invalid argument: rr_min_io is for selector round_robin of policy active_active only.");
        if (p.RrMinIo == 0) throw new SpindleException(Errno.EINVAL, "Invalid argument: rr_min_io must be at least 1.");
        Bdev(p.Name).Choice = new MultipathChoice(policy, selector, p.RrMinIo ?? 1);
        return true;
    }

    /// <summary>Puts one path of a bdev before the others.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev, or no such path.</exception>
    [RpcMethod("bdev_nvme_set_preferred_path", Summary = "Prefer one path of an NVMe bdev.", ParameterErrorText = "spdk_json_decode_object failed")]
    public bool SetPreferredPath(PreferredPathParameters p)
    {
        if (!Bdev(p.Name).Prefer(p.Cntlid)) throw new SpindleException(Errno.ENODEV, $"No such device: '{p.Name}' has no path by cntlid {p.Cntlid} (bdev_nvme_get_io_paths).");
        return true;
    }

    private NvmeBdev Bdev(string name) => _controllers.Groups.SelectMany(group => group.Bdevs.Values).FirstOrDefault(bdev => bdev.Name == name)
        ?? throw new SpindleException(Errno.ENODEV, $"No such device: name '{name}' is no NVMe bdev.");

    private static RpcException DecodeError(string why) => new(RpcErrorCode.InternalError, $"spdk_json_decode_object failed: {why}");
}

/// <summary>The parameters of <c>bdev_nvme_set_multipath_policy</c>.</summary>
[RpcObject]
public sealed class PolicyParameters
{
    [RpcMember(Required = true, Summary = "Name of the bdev")]
    public string Name { get; set; } = "";

    [RpcMember(Required = true, Summary = "active_passive or active_active")]
    public string Policy { get; set; } = "";

    [RpcMember(Summary = "For active_active: round_robin (default) or queue_depth")]
    public string? Selector { get; set; }

    [RpcMember(Summary = "For round_robin: I/Os by one path before the next one's turn, at least 1; 1 when absent")]
    public uint? RrMinIo { get; set; }
}

/// <summary>The parameters of <c>bdev_nvme_set_preferred_path</c>.</summary>
[RpcObject]
public sealed class PreferredPathParameters
{
    [RpcMember(Required = true, Summary = "Name of the bdev")]
    public string Name { get; set; } = "";

    [RpcMember(Required = true, Summary = "Identifier of the controller of the path")]
    public ushort Cntlid { get; set; }
}
