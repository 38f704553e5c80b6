using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>The parameters of <c>bdev_nvme_attach_controller</c>.</summary>
[RpcObject]
public sealed class AttachParameters
{
    [RpcMember(Required = true, Summary = "Name of the controller; its bdevs are called by it, with n and the namespace's number after it")]
    public string Name { get; set; } = "";

    [RpcMember(Required = true, Summary = "Transport: TCP")]
    public string Trtype { get; set; } = "";

    [RpcMember(Required = true, Summary = "Address of the target")]
    public string Traddr { get; set; } = "";

    [RpcMember(Summary = "Address family: IPv4 or IPv6; the address's when absent")]
    public string? Adrfam { get; set; }

    [RpcMember(Summary = "Port; 4420 when absent")]
    public string? Trsvcid { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect")]
    public string? Priority { get; set; }

    [RpcMember(Summary = "NQN of the subsystem")]
    public string? Subnqn { get; set; }

    [RpcMember(Summary = "NQN of the host; one made for this process when absent")]
    public string? Hostnqn { get; set; }

    [RpcMember(Summary = "Not supported: the system chooses the host's address")]
    public string? Hostaddr { get; set; }

    [RpcMember(Summary = "Not supported: the system chooses the host's port")]
    public string? Hostsvcid { get; set; }

    [RpcMember(Summary = "Check reference tags of protection information")]
    public bool PrchkReftag { get; set; }

    [RpcMember(Summary = "Check guards of protection information")]
    public bool PrchkGuard { get; set; }

    [RpcMember(Summary = "Use header digests")]
    public bool Hdgst { get; set; }

    [RpcMember(Summary = "Use data digests")]
    public bool Ddgst { get; set; }

    [RpcMember(Summary = "Time for connecting, in microseconds; 0: 10 s")]
    public ulong FabricsConnectTimeoutUs { get; set; }

    [RpcMember(Summary = "When the name is taken: multipath (default; a further path), failover (a further address) or disable (an error)")]
    public string? Multipath { get; set; }

    [RpcMember(Summary = "I/O queues to ask for, 1 to 65536")]
    public uint NumIoQueues { get; set; } = 1024;

    [RpcMember(Summary = "Seconds until a lost controller is deleted; -1: never; 0: no reconnect")]
    public int? CtrlrLossTimeoutSec { get; set; }

    [RpcMember(Summary = "Seconds between attempts to connect again; 0: no reconnect")]
    public uint? ReconnectDelaySec { get; set; }

    [RpcMember(Summary = "Seconds until I/O to a lost controller fails; 0: when it is deleted")]
    public uint? FastIoFailTimeoutSec { get; set; }

    [RpcMember(Summary = "Not supported: TLS")]
    public string? Psk { get; set; }

    [RpcMember(Summary = "Names of bdevs in the reply at most")]
    public uint MaxBdevs { get; set; } = 128;

    [RpcMember(Summary = "Not supported: authentication")]
    public string? DhchapKey { get; set; }

    [RpcMember(Summary = "Not supported: authentication")]
    public string? DhchapCtrlrKey { get; set; }

    [RpcMember(Summary = "Not supported: namespaces of other command sets are passed over")]
    public bool AllowUnrecognizedCsi { get; set; }
}

/// <summary>The parameters of <c>bdev_nvme_detach_controller</c>: what is given must fit.</summary>
[RpcObject]
public sealed class DetachParameters
{
    [RpcMember(Required = true, Summary = "Name of the controller")]
    public string Name { get; set; } = "";

    [RpcMember(Summary = "Only paths by this transport")]
    public string? Trtype { get; set; }

    [RpcMember(Summary = "Only paths to this address")]
    public string? Traddr { get; set; }

    [RpcMember(Summary = "Only paths of this address family")]
    public string? Adrfam { get; set; }

    [RpcMember(Summary = "Only paths to this port")]
    public string? Trsvcid { get; set; }

    [RpcMember(Summary = "Only paths to this subsystem")]
    public string? Subnqn { get; set; }

    [RpcMember(Summary = "Only paths from this address; none has one that was chosen")]
    public string? Hostaddr { get; set; }

    [RpcMember(Summary = "Only paths from this port; none has one that was chosen")]
    public string? Hostsvcid { get; set; }
}

/// <summary>A controller's name, and which of its paths.</summary>
[RpcObject]
public sealed class ControllerOperationParameters
{
    [RpcMember(Required = true, Summary = "Name of the controller")]
    public string Name { get; set; } = "";

    [RpcMember(Summary = "Of several paths, the one with this controller identifier; 0 or absent: all")]
    public ushort Cntlid { get; set; }
}

/// <summary>An optional name.</summary>
[RpcObject]
public sealed class OptionalNameParameters
{
    [RpcMember(Summary = "Only this one; all when absent")]
    public string? Name { get; set; }
}
