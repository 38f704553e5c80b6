namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>What to do with a command that does not end in time.</summary>
internal enum TimeoutAction
{
    None,
    Reset,
    Abort,
}

/// <summary>What holds for all controllers of the module (bdev_nvme_set_options).</summary>
internal sealed record NvmeOptions
{
    internal TimeoutAction ActionOnTimeout { get; init; }
    /// <summary>Of I/O commands; 0: not looked at.</summary>
    internal ulong TimeoutUs { get; init; }
    /// <summary>Of admin commands; 0: ten seconds.</summary>
    internal ulong TimeoutAdminUs { get; init; }
    internal uint KeepAliveTimeoutMs { get; init; } = 10_000;
    /// <summary>Commands outstanding on an I/O queue; 0: 127, or what the controller takes if it is less.</summary>
    internal uint IoQueueRequests { get; init; }
    internal int BdevRetryCount { get; init; } = 3;
    internal int CtrlrLossTimeoutSec { get; init; }
    internal uint ReconnectDelaySec { get; init; }
    internal uint FastIoFailTimeoutSec { get; init; }
    internal bool DisableAutoFailback { get; init; }
    internal bool EnableFlush { get; init; } = true;
    internal uint TcpConnectTimeoutMs { get; init; }

    internal TimeSpan AdminTimeout => TimeoutAdminUs != 0 ? TimeSpan.FromMicroseconds(TimeoutAdminUs) : TimeSpan.FromSeconds(10);
}

/// <summary>How one path was asked for (bdev_nvme_attach_controller).</summary>
internal sealed record PathOptions
{
    internal required Transports.TransportAddress Address { get; init; }
    internal required string HostNqn { get; init; }
    internal bool HeaderDigest { get; init; }
    internal bool DataDigest { get; init; }
    internal bool Multipath { get; init; } = true;
    internal bool CheckReferenceTag { get; init; }
    internal bool CheckGuard { get; init; }
    internal ulong FabricsConnectTimeoutUs { get; init; }
    internal uint IoQueues { get; init; } = 1024;
    internal int CtrlrLossTimeoutSec { get; init; }
    internal uint ReconnectDelaySec { get; init; }
    internal uint FastIoFailTimeoutSec { get; init; }

    /// <summary>What does not fit together of the times to wait for a controller; null: all fits.</summary>
    internal static string? CheckTimes(int loss, uint delay, uint fastFail)
    {
        if (loss < -1) return $"ctrlr_loss_timeout_sec {loss} is below -1 (for ever).";
        if (loss == 0)
            return delay != 0 || fastFail != 0 ? "reconnect_delay_sec and fast_io_fail_timeout_sec must be 0 when ctrlr_loss_timeout_sec is 0 (no reconnect)." : null;
        if (delay == 0) return "reconnect_delay_sec must not be 0 when ctrlr_loss_timeout_sec is not.";
        if (loss > 0 && delay > loss) return $"reconnect_delay_sec {delay} is more than ctrlr_loss_timeout_sec {loss}.";
        if (fastFail == 0) return null;
        if (fastFail < delay) return $"reconnect_delay_sec {delay} is more than fast_io_fail_timeout_sec {fastFail}.";
        return loss > 0 && fastFail > loss ? $"fast_io_fail_timeout_sec {fastFail} is more than ctrlr_loss_timeout_sec {loss}." : null;
    }
}
