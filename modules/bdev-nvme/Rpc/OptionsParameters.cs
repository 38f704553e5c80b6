using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>The parameters of <c>bdev_nvme_set_options</c>, in SPDK's order; what is absent stays as it is.</summary>
[RpcObject]
public sealed class OptionsParameters
{
    [RpcMember(Summary = "What to do with a command that does not end in time: none, reset or abort")]
    public string? ActionOnTimeout { get; set; }

    [RpcMember(Summary = "Time for an I/O command, in microseconds; 0: not looked at")]
    public ulong? TimeoutUs { get; set; }

    [RpcMember(Summary = "Time for an admin command, in microseconds; 0: 10 s")]
    public ulong? TimeoutAdminUs { get; set; }

    [RpcMember(Summary = "Keep-alive timeout in milliseconds; 0: none")]
    public uint? KeepAliveTimeoutMs { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? ArbitrationBurst { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? LowPriorityWeight { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? MediumPriorityWeight { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? HighPriorityWeight { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: the ring tells of what comes")]
    public ulong? NvmeAdminqPollPeriodUs { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: the ring tells of what comes")]
    public ulong? NvmeIoqPollPeriodUs { get; set; }

    [RpcMember(Summary = "Commands outstanding on an I/O queue; 0: 127, or as many as the controller takes")]
    public uint? IoQueueRequests { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: commands are always gathered")]
    public bool? DelayCmdSubmit { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: the bdev retries")]
    public uint? TransportRetryCount { get; set; }

    [RpcMember(Summary = "Attempts after a transient error of the device; -1: without end")]
    public int? BdevRetryCount { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect")]
    public byte? TransportAckTimeout { get; set; }

    [RpcMember(Summary = "Seconds until a lost controller is deleted; -1: never; 0: no reconnect")]
    public int? CtrlrLossTimeoutSec { get; set; }

    [RpcMember(Summary = "Seconds between attempts to connect again; 0: no reconnect")]
    public uint? ReconnectDelaySec { get; set; }

    [RpcMember(Summary = "Seconds until I/O to a lost controller fails; 0: when it is deleted")]
    public uint? FastIoFailTimeoutSec { get; set; }

    [RpcMember(Summary = "Stay on the present path when a better one comes back")]
    public bool? DisableAutoFailback { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: every bdev has a UUID that stays")]
    public bool? GenerateUuids { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public byte? TransportTos { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect")]
    public bool? NvmeErrorStat { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? RdmaSrqSize { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect")]
    public bool? IoPathStat { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect")]
    public bool? AllowAccelSequence { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public uint? RdmaMaxCqSize { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public ushort? RdmaCmEventTimeoutMs { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: there is no authentication")]
    public List<string>? DhchapDigests { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect: there is no authentication")]
    public List<string>? DhchapDhgroups { get; set; }

    [RpcMember(Summary = "Accepted as SPDK's; without effect over TCP")]
    public bool? RdmaUmrPerIo { get; set; }

    [RpcMember(Summary = "Time for a connection, in milliseconds; 0: 10 s")]
    public uint? TcpConnectTimeoutMs { get; set; }

    [RpcMember(Summary = "Pass flushes to devices with a volatile write cache (SPDK's default is false)")]
    public bool? EnableFlush { get; set; }
}
