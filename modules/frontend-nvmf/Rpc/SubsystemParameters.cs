using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>Parameters of <c>nvmf_create_subsystem</c>.</summary>
[RpcObject]
internal sealed class CreateSubsystemParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }

    [RpcMember(Summary = "Serial number, up to 20 ASCII characters.")]
    public string? SerialNumber { get; set; }

    [RpcMember(Summary = "Model number, up to 40 ASCII characters.")]
    public string? ModelNumber { get; set; }

    [RpcMember(Summary = "Largest NSID; 0 or absent: 32.")]
    public uint MaxNamespaces { get; set; }

    [RpcMember(Summary = "Let any host connect.")]
    public bool AllowAnyHost { get; set; }

    [RpcMember(Summary = "Report asymmetric namespace access.")]
    public bool AnaReporting { get; set; }

    [RpcMember(Summary = "Smallest controller ID.")]
    public ushort? MinCntlid { get; set; }

    [RpcMember(Summary = "Largest controller ID.")]
    public ushort? MaxCntlid { get; set; }

    [RpcMember(Summary = "KiB of the largest range to deallocate; 0: no limit.")]
    public ulong MaxDiscardSizeKib { get; set; }

    [RpcMember(Summary = "KiB of the largest Write Zeroes, a power of two from 4; 0: no limit.")]
    public ulong MaxWriteZeroesSizeKib { get; set; }

    [RpcMember(Summary = "Pass commands through to NVMe bdevs; not supported.")]
    public bool Passthrough { get; set; }

    [RpcMember(Summary = "NVM subsystem reset; not supported.")]
    public bool EnableNssr { get; set; }
}

/// <summary>Parameters of methods that name a subsystem.</summary>
[RpcObject]
internal sealed class SubsystemParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Parameters of <c>nvmf_get_subsystems</c>.</summary>
[RpcObject]
internal sealed class GetSubsystemsParameters
{
    [RpcMember(Summary = "Only the subsystem with this NQN.")]
    public string? Nqn { get; set; }

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Parameters of <c>nvmf_get_stats</c>.</summary>
[RpcObject]
internal sealed class GetStatsParameters
{
    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_add_host</c>.</summary>
[RpcObject]
internal sealed class AddHostParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The host's NQN.")]
    public string Host { get; set; } = "";

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }

    [RpcMember(Summary = "Pre-shared key for TLS; not supported.")]
    public string? Psk { get; set; }

    [RpcMember(Summary = "Key of in-band authentication; not supported.")]
    public string? DhchapKey { get; set; }

    [RpcMember(Summary = "Controller's key of in-band authentication; not supported.")]
    public string? DhchapCtrlrKey { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_remove_host</c>.</summary>
[RpcObject]
internal sealed class RemoveHostParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The host's NQN.")]
    public string Host { get; set; } = "";

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_allow_any_host</c>.</summary>
[RpcObject]
internal sealed class AllowAnyHostParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "Let any host connect, or only those added.")]
    public bool AllowAnyHost { get; set; }

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}
