using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>An address of a listener.</summary>
[RpcObject]
internal sealed class ListenAddressMember
{
    [RpcMember(Summary = "Transport type: TCP.")]
    public string? Trtype { get; set; }

    [RpcMember(Summary = "Address family: IPv4 (when absent) or IPv6.")]
    public string? Adrfam { get; set; }

    [RpcMember(Required = true, Summary = "The address.")]
    public string Traddr { get; set; } = "";

    [RpcMember(Summary = "The port.")]
    public string? Trsvcid { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_add_listener</c>.</summary>
[RpcObject]
internal sealed class AddListenerParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "Where to listen.")]
    public ListenAddressMember ListenAddress { get; set; } = null!;

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }

    [RpcMember(Summary = "TLS; not supported.")]
    public bool SecureChannel { get; set; }

    [RpcMember(Summary = "ANA state of all groups there: optimized (when absent), non_optimized or inaccessible.")]
    public string? AnaState { get; set; }

    [RpcMember(Summary = "Socket implementation; taken and not used: the reactor's ring carries all sockets.")]
    public string? SockImpl { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_remove_listener</c>.</summary>
[RpcObject]
internal sealed class RemoveListenerParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The listener's address.")]
    public ListenAddressMember ListenAddress { get; set; } = null!;

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_listener_set_ana_state</c>.</summary>
[RpcObject]
internal sealed class SetAnaStateParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The listener's address.")]
    public ListenAddressMember ListenAddress { get; set; } = null!;

    [RpcMember(Required = true, Summary = "optimized, non_optimized or inaccessible.")]
    public string AnaState { get; set; } = "";

    [RpcMember(Summary = "ANA group; 0 or absent: all.")]
    public uint Anagrpid { get; set; }

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}
