using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>All options with a value: what bdev_nvme_set_options was given, over the defaults. Kept whole, so that a configuration is saved as SPDK saves it.</summary>
internal static class OptionValues
{
    /// <summary>SPDK's defaults, but for enable_flush: a flush that was acknowledged without the device having heard of it would be a promise that nobody keeps.</summary>
    internal static OptionsParameters Defaults() => new()
    {
        ActionOnTimeout = "none",
        TimeoutUs = 0,
        TimeoutAdminUs = 0,
        KeepAliveTimeoutMs = 10000,
        ArbitrationBurst = 0,
        LowPriorityWeight = 0,
        MediumPriorityWeight = 0,
        HighPriorityWeight = 0,
        NvmeAdminqPollPeriodUs = 10000,
        NvmeIoqPollPeriodUs = 0,
        IoQueueRequests = 0,
        DelayCmdSubmit = true,
        TransportRetryCount = 4,
        BdevRetryCount = 3,
        TransportAckTimeout = 0,
        CtrlrLossTimeoutSec = 0,
        ReconnectDelaySec = 0,
        FastIoFailTimeoutSec = 0,
        DisableAutoFailback = false,
        GenerateUuids = false,
        TransportTos = 0,
        NvmeErrorStat = false,
        RdmaSrqSize = 0,
        IoPathStat = false,
        AllowAccelSequence = false,
        RdmaMaxCqSize = 0,
        RdmaCmEventTimeoutMs = 0,
        DhchapDigests = ["sha256", "sha384", "sha512"],
        DhchapDhgroups = ["null", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"],
        RdmaUmrPerIo = false,
        TcpConnectTimeoutMs = 0,
        EnableFlush = true,
    };

    /// <summary>What is given, and what was for the rest.</summary>
    internal static OptionsParameters Merge(OptionsParameters given, OptionsParameters before) => new()
    {
        ActionOnTimeout = given.ActionOnTimeout ?? before.ActionOnTimeout,
        TimeoutUs = given.TimeoutUs ?? before.TimeoutUs,
        TimeoutAdminUs = given.TimeoutAdminUs ?? before.TimeoutAdminUs,
        KeepAliveTimeoutMs = given.KeepAliveTimeoutMs ?? before.KeepAliveTimeoutMs,
        ArbitrationBurst = given.ArbitrationBurst ?? before.ArbitrationBurst,
        LowPriorityWeight = given.LowPriorityWeight ?? before.LowPriorityWeight,
        MediumPriorityWeight = given.MediumPriorityWeight ?? before.MediumPriorityWeight,
        HighPriorityWeight = given.HighPriorityWeight ?? before.HighPriorityWeight,
        NvmeAdminqPollPeriodUs = given.NvmeAdminqPollPeriodUs ?? before.NvmeAdminqPollPeriodUs,
        NvmeIoqPollPeriodUs = given.NvmeIoqPollPeriodUs ?? before.NvmeIoqPollPeriodUs,
        IoQueueRequests = given.IoQueueRequests ?? before.IoQueueRequests,
        DelayCmdSubmit = given.DelayCmdSubmit ?? before.DelayCmdSubmit,
        TransportRetryCount = given.TransportRetryCount ?? before.TransportRetryCount,
        BdevRetryCount = given.BdevRetryCount ?? before.BdevRetryCount,
        TransportAckTimeout = given.TransportAckTimeout ?? before.TransportAckTimeout,
        CtrlrLossTimeoutSec = given.CtrlrLossTimeoutSec ?? before.CtrlrLossTimeoutSec,
        ReconnectDelaySec = given.ReconnectDelaySec ?? before.ReconnectDelaySec,
        FastIoFailTimeoutSec = given.FastIoFailTimeoutSec ?? before.FastIoFailTimeoutSec,
        DisableAutoFailback = given.DisableAutoFailback ?? before.DisableAutoFailback,
        GenerateUuids = given.GenerateUuids ?? before.GenerateUuids,
        TransportTos = given.TransportTos ?? before.TransportTos,
        NvmeErrorStat = given.NvmeErrorStat ?? before.NvmeErrorStat,
        RdmaSrqSize = given.RdmaSrqSize ?? before.RdmaSrqSize,
        IoPathStat = given.IoPathStat ?? before.IoPathStat,
        AllowAccelSequence = given.AllowAccelSequence ?? before.AllowAccelSequence,
        RdmaMaxCqSize = given.RdmaMaxCqSize ?? before.RdmaMaxCqSize,
        RdmaCmEventTimeoutMs = given.RdmaCmEventTimeoutMs ?? before.RdmaCmEventTimeoutMs,
        DhchapDigests = given.DhchapDigests ?? before.DhchapDigests,
        DhchapDhgroups = given.DhchapDhgroups ?? before.DhchapDhgroups,
        RdmaUmrPerIo = given.RdmaUmrPerIo ?? before.RdmaUmrPerIo,
        TcpConnectTimeoutMs = given.TcpConnectTimeoutMs ?? before.TcpConnectTimeoutMs,
        EnableFlush = given.EnableFlush ?? before.EnableFlush,
    };

    /// <summary>All of them, into an object that the caller has begun.</summary>
    internal static void Write(IRpcWriter writer, OptionsParameters options)
    {
        writer.Name("action_on_timeout");
        writer.String(options.ActionOnTimeout);
        writer.Name("timeout_us");
        writer.Number((ulong)(options.TimeoutUs ?? 0));
        writer.Name("timeout_admin_us");
        writer.Number((ulong)(options.TimeoutAdminUs ?? 0));
        writer.Name("keep_alive_timeout_ms");
        writer.Number((ulong)(options.KeepAliveTimeoutMs ?? 0));
        writer.Name("arbitration_burst");
        writer.Number((ulong)(options.ArbitrationBurst ?? 0));
        writer.Name("low_priority_weight");
        writer.Number((ulong)(options.LowPriorityWeight ?? 0));
        writer.Name("medium_priority_weight");
        writer.Number((ulong)(options.MediumPriorityWeight ?? 0));
        writer.Name("high_priority_weight");
        writer.Number((ulong)(options.HighPriorityWeight ?? 0));
        writer.Name("nvme_adminq_poll_period_us");
        writer.Number((ulong)(options.NvmeAdminqPollPeriodUs ?? 0));
        writer.Name("nvme_ioq_poll_period_us");
        writer.Number((ulong)(options.NvmeIoqPollPeriodUs ?? 0));
        writer.Name("io_queue_requests");
        writer.Number((ulong)(options.IoQueueRequests ?? 0));
        writer.Name("delay_cmd_submit");
        writer.Boolean(options.DelayCmdSubmit ?? false);
        writer.Name("transport_retry_count");
        writer.Number((ulong)(options.TransportRetryCount ?? 0));
        writer.Name("bdev_retry_count");
        writer.Number((long)(options.BdevRetryCount ?? 0));
        writer.Name("transport_ack_timeout");
        writer.Number((ulong)(options.TransportAckTimeout ?? 0));
        writer.Name("ctrlr_loss_timeout_sec");
        writer.Number((long)(options.CtrlrLossTimeoutSec ?? 0));
        writer.Name("reconnect_delay_sec");
        writer.Number((ulong)(options.ReconnectDelaySec ?? 0));
        writer.Name("fast_io_fail_timeout_sec");
        writer.Number((ulong)(options.FastIoFailTimeoutSec ?? 0));
        writer.Name("disable_auto_failback");
        writer.Boolean(options.DisableAutoFailback ?? false);
        writer.Name("generate_uuids");
        writer.Boolean(options.GenerateUuids ?? false);
        writer.Name("transport_tos");
        writer.Number((ulong)(options.TransportTos ?? 0));
        writer.Name("nvme_error_stat");
        writer.Boolean(options.NvmeErrorStat ?? false);
        writer.Name("rdma_srq_size");
        writer.Number((ulong)(options.RdmaSrqSize ?? 0));
        writer.Name("io_path_stat");
        writer.Boolean(options.IoPathStat ?? false);
        writer.Name("allow_accel_sequence");
        writer.Boolean(options.AllowAccelSequence ?? false);
        writer.Name("rdma_max_cq_size");
        writer.Number((ulong)(options.RdmaMaxCqSize ?? 0));
        writer.Name("rdma_cm_event_timeout_ms");
        writer.Number((ulong)(options.RdmaCmEventTimeoutMs ?? 0));
        writer.Name("dhchap_digests");
        WriteList(writer, options.DhchapDigests ?? []);
        writer.Name("dhchap_dhgroups");
        WriteList(writer, options.DhchapDhgroups ?? []);
        writer.Name("rdma_umr_per_io");
        writer.Boolean(options.RdmaUmrPerIo ?? false);
        writer.Name("tcp_connect_timeout_ms");
        writer.Number((ulong)(options.TcpConnectTimeoutMs ?? 0));
        writer.Name("enable_flush");
        writer.Boolean(options.EnableFlush ?? false);
    }

    private static void WriteList(IRpcWriter writer, List<string> values)
    {
        writer.BeginArray();
        foreach (string value in values) writer.String(value);
        writer.EndArray();
    }
}
