using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>Parameters of <c>nvmf_create_transport</c>; what is absent has the type's default.</summary>
[RpcObject]
internal sealed class CreateTransportParameters
{
    [RpcMember(Required = true, Summary = "Transport type: TCP.")]
    public string Trtype { get; set; } = "";

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }

    [RpcMember(Summary = "Entries of the largest I/O queue.")]
    public ushort? MaxQueueDepth { get; set; }

    [RpcMember(Summary = "I/O queues of a controller.")]
    public ushort? MaxIoQpairsPerCtrlr { get; set; }

    [RpcMember(Summary = "Bytes of data that an I/O command capsule may carry.")]
    public uint? InCapsuleDataSize { get; set; }

    [RpcMember(Summary = "Bytes of the largest data transfer.")]
    public uint? MaxIoSize { get; set; }

    [RpcMember(Summary = "Bytes of one data buffer.")]
    public uint? IoUnitSize { get; set; }

    [RpcMember(Summary = "Entries of the largest admin queue.")]
    public uint? MaxAqDepth { get; set; }

    [RpcMember(Summary = "Data buffers for all poll groups together.")]
    public uint? NumSharedBuffers { get; set; }

    [RpcMember(Summary = "Data buffers that a poll group keeps at hand.")]
    public uint? BufCacheSize { get; set; }

    [RpcMember(Summary = "Lend the bdev's own buffers.")]
    public bool? Zcopy { get; set; }

    [RpcMember(Summary = "Add protection information to writes and take it off reads.")]
    public bool? DifInsertOrStrip { get; set; }

    [RpcMember(Summary = "TCP: the last C2HData PDU stands for a successful completion.")]
    public bool? C2hSuccess { get; set; }

    [RpcMember(Summary = "TCP: the sockets' priority.")]
    public uint? SockPriority { get; set; }

    [RpcMember(Summary = "TCP: PDUs for control messages in each poll group.")]
    public uint? ControlMsgNum { get; set; }

    [RpcMember(Summary = "Seconds that an Abort waits.")]
    public uint? AbortTimeoutSec { get; set; }

    [RpcMember(Summary = "Taken and not used: connections are accepted when they come.")]
    public uint? AcceptorPollRate { get; set; }

    [RpcMember(Summary = "Milliseconds until an unacknowledged connection is dropped.")]
    public uint? AckTimeout { get; set; }

    [RpcMember(Summary = "RDMA: work requests in the pool.")]
    public uint? DataWrPoolSize { get; set; }

    [RpcMember(Summary = "Refuse commands that would be passed through.")]
    public bool? DisableCommandPassthru { get; set; }

    [RpcMember(Summary = "Granularity of the keep alive timer, in 100 ms.")]
    public ushort? Kas { get; set; }

    [RpcMember(Summary = "Milliseconds of the smallest keep alive timeout.")]
    public uint? MinKato { get; set; }

    // Of other transports. SPDK's rpc.py sends some of them whatever the transport is, and SPDK passes over those that are not its own.
    [RpcMember(Summary = "RDMA only; passed over.")]
    public uint? NumCqe { get; set; }

    [RpcMember(Summary = "RDMA only; passed over.")]
    public uint? MaxSrqDepth { get; set; }

    [RpcMember(Summary = "RDMA only; passed over.")]
    public bool? NoSrq { get; set; }

    [RpcMember(Summary = "RDMA only; passed over.")]
    public int? AcceptorBacklog { get; set; }

    [RpcMember(Summary = "RDMA only; passed over.")]
    public bool? NoWrBatching { get; set; }

    [RpcMember(Summary = "vfio-user only; passed over.")]
    public bool? DisableMappableBar0 { get; set; }

    [RpcMember(Summary = "vfio-user only; passed over.")]
    public bool? DisableAdaptiveIrq { get; set; }

    [RpcMember(Summary = "vfio-user only; passed over.")]
    public bool? DisableShadowDoorbells { get; set; }
}

/// <summary>Parameters of <c>nvmf_get_transports</c>.</summary>
[RpcObject]
internal sealed class GetTransportsParameters
{
    [RpcMember(Summary = "Only the transport of this type.")]
    public string? Trtype { get; set; }

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}
