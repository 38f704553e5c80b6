using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>A transport's options as members, in SPDK's order.</summary>
internal static class TransportOptionsJson
{
    /// <summary>Writes them.</summary>
    public static void Write(IRpcWriter writer, NvmfTransport transport)
    {
        NvmfTransportOptions options = transport.Options;
        writer.Member("trtype", transport.Name);
        writer.Member("max_queue_depth", options.MaxQueueDepth);
        writer.Member("max_io_qpairs_per_ctrlr", options.MaxIoQueuePairsPerController);
        writer.Member("in_capsule_data_size", options.InCapsuleDataSize);
        writer.Member("max_io_size", options.MaxIoSize);
        writer.Member("io_unit_size", options.IoUnitSize);
        writer.Member("max_aq_depth", options.MaxAdminQueueDepth);
        writer.Member("num_shared_buffers", options.SharedBuffers);
        writer.Member("buf_cache_size", options.BufferCacheSize);
        writer.Member("dif_insert_or_strip", options.DifInsertOrStrip);
        writer.Member("zcopy", options.Zcopy);
        if (transport.Type == TransportType.Tcp)
        {
            writer.Member("c2h_success", options.C2hSuccess);
            writer.Member("sock_priority", options.SocketPriority);
        }
        transport.WriteOptions(writer);
        writer.Member("abort_timeout_sec", options.AbortTimeoutSeconds);
        writer.Member("ack_timeout", options.AckTimeout);
        writer.Member("data_wr_pool_size", options.DataWorkRequestPoolSize);
        writer.Member("disable_command_passthru", options.DisableCommandPassthrough);
        writer.Member("kas", options.KeepAliveGranularity);
        writer.Member("min_kato", options.MinKeepAliveTimeout);
    }
}
