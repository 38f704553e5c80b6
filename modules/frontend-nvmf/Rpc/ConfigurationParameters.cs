using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>Parameters of <c>nvmf_set_config</c>.</summary>
[RpcObject]
internal sealed class SetConfigParameters
{
    [RpcMember(Summary = "Admin commands to pass through to an NVMe bdev; none may be true.")]
    public AdminPassthroughParameters? AdminCmdPassthru { get; set; }

    [RpcMember(Summary = "Mask or list of the cores that get a poll group; all when absent.")]
    public string? PollGroupsMask { get; set; }

    [RpcMember(Summary = "\"match_any\", or a comma-separated list of \"transport\", \"address\" and \"svcid\".")]
    public string? DiscoveryFilter { get; set; }

    [RpcMember(Summary = "Digests of in-band authentication that may be used; authentication is not supported, they are kept for nothing.")]
    public string[]? DhchapDigests { get; set; }

    [RpcMember(Summary = "Diffie-Hellman groups of in-band authentication that may be used; authentication is not supported, they are kept for nothing.")]
    public string[]? DhchapDhgroups { get; set; }
}

/// <summary>Member <c>admin_cmd_passthru</c> of <c>nvmf_set_config</c>.</summary>
[RpcObject]
internal sealed class AdminPassthroughParameters
{
    [RpcMember(Summary = "Identify Controller; false, passing through is not supported.")]
    public bool IdentifyCtrlr { get; set; }

    [RpcMember(Summary = "Identify with the UUID list; false, passing through is not supported.")]
    public bool IdentifyUuidList { get; set; }

    [RpcMember(Summary = "Get Log Page; false, passing through is not supported.")]
    public bool GetLogPage { get; set; }

    [RpcMember(Summary = "Get Features and Set Features; false, passing through is not supported.")]
    public bool GetSetFeatures { get; set; }

    [RpcMember(Summary = "Sanitize; false, passing through is not supported.")]
    public bool Sanitize { get; set; }

    [RpcMember(Summary = "Security Send and Security Receive; false, passing through is not supported.")]
    public bool SecuritySendRecv { get; set; }

    [RpcMember(Summary = "Firmware Commit and Firmware Image Download; false, passing through is not supported.")]
    public bool FwUpdate { get; set; }

    [RpcMember(Summary = "NVMe-MI Send and NVMe-MI Receive; false, passing through is not supported.")]
    public bool NvmeMi { get; set; }

    [RpcMember(Summary = "Vendor-specific commands; false, passing through is not supported.")]
    public bool VendorSpecific { get; set; }


    /// <summary>True when any is asked for.</summary>
    internal bool AsksForAny() => IdentifyCtrlr || IdentifyUuidList || GetLogPage || GetSetFeatures || Sanitize || SecuritySendRecv || FwUpdate || NvmeMi || VendorSpecific;
}

/// <summary>Parameters of <c>nvmf_set_max_subsystems</c>.</summary>
[RpcObject]
internal sealed class SetMaxSubsystemsParameters
{
    [RpcMember(Required = true, Summary = "Subsystems there may be, the discovery subsystem included.")]
    public uint MaxSubsystems { get; set; }
}

/// <summary>Parameters of <c>nvmf_set_crdt</c>.</summary>
[RpcObject]
internal sealed class SetCrdtParameters
{
    [RpcMember(Summary = "Command retry delay time 1, in 100 ms.")]
    public ushort Crdt1 { get; set; }

    [RpcMember(Summary = "Command retry delay time 2, in 100 ms.")]
    public ushort Crdt2 { get; set; }

    [RpcMember(Summary = "Command retry delay time 3, in 100 ms.")]
    public ushort Crdt3 { get; set; }
}
