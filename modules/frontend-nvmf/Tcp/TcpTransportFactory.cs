using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>Makes NVMe/TCP transports.</summary>
public sealed class TcpTransportFactory : INvmfTransportFactory
{
    /// <summary>Data buffers that one command may have; SPDK's limit, too.</summary>
    private const uint MaxBuffersPerCommand = 33;

    /// <inheritdoc/>
    public string Name => "TCP";

    /// <inheritdoc/>
    public NvmfTransportOptions CreateDefaultOptions() => new();

    /// <inheritdoc/>
    public void Validate(NvmfTransportOptions options)
    {
        Require(options.MaxQueueDepth is >= 2 and <= 65536, "max_queue_depth", options.MaxQueueDepth, "2 to 65536");
        Require(options.MaxAdminQueueDepth is >= 32 and <= 4096, "max_aq_depth", options.MaxAdminQueueDepth, "32 to 4096");
        Require(options.MaxIoQueuePairsPerController is >= 1 and <= 65534, "max_io_qpairs_per_ctrlr", options.MaxIoQueuePairsPerController, "1 to 65534");
        Require(options.MaxIoSize is >= 8192 and <= 64 * 1024 * 1024 && System.Numerics.BitOperations.IsPow2(options.MaxIoSize),
            "max_io_size", options.MaxIoSize, "8192 to 67108864, a power of two");
        Require(options.IoUnitSize is >= 4096 && options.IoUnitSize % 4096 == 0, "io_unit_size", options.IoUnitSize, "a multiple of 4096");
        Require(options.InCapsuleDataSize % 16 == 0, "in_capsule_data_size", options.InCapsuleDataSize, "a multiple of 16");
        Require(options.ControlMessages is >= 1 and <= 4096, "control_msg_num", options.ControlMessages, "1 to 4096");
        Require(options.SocketPriority == 0, "sock_priority", options.SocketPriority, "0: the host cannot set it");
        Require(options.AckTimeout == 0, "ack_timeout", options.AckTimeout, "0: the host cannot set it");
        if (options.DifInsertOrStrip) throw Refuse("dif_insert_or_strip is not supported by the TCP transport; leave it false.");
        if (options.Zcopy) throw Refuse("zcopy is not supported by the TCP transport; leave it false.");
        // As SPDK does: neither a buffer nor a capsule is larger than the largest transfer.
        options.IoUnitSize = Math.Min(options.IoUnitSize, options.MaxIoSize);
        options.InCapsuleDataSize = Math.Min(options.InCapsuleDataSize, options.MaxIoSize);
        Require((options.MaxIoSize + options.IoUnitSize - 1) / options.IoUnitSize <= MaxBuffersPerCommand, "io_unit_size", options.IoUnitSize,
            $"at least {(options.MaxIoSize + MaxBuffersPerCommand - 1) / MaxBuffersPerCommand} for a max_io_size of {options.MaxIoSize}");
    }

    /// <inheritdoc/>
    public NvmfTransport Create(NvmfTransportOptions options) => new TcpTransport(options);

    private static void Require(bool holds, string name, uint value, string allowed)
    {
        if (!holds) throw Refuse($"{name} {value} is out of range; allowed: {allowed}.");
    }

    private static SpindleException Refuse(string text) => new(Errno.EINVAL, text);
}
