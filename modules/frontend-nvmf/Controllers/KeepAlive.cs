using System.Diagnostics;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The keep alive timer of one controller (NVMe Base Specification 2.0, section 3.9). On the controller's thread.</summary>
internal sealed class KeepAlive(IStorageThread thread, Action expired)
{
    /// <summary>Milliseconds after which a discovery controller without a timeout of its own is idle for too long.</summary>
    public const uint DiscoveryTimeout = 120_000;

    private const uint GranularityUnit = 100;

    private IPoller? _poller;
    private long _last;

    /// <summary>Milliseconds; 0: no timer.</summary>
    public uint Timeout { get; private set; }

    /// <summary>What a host's wish becomes: at least the transport's smallest, and a multiple of the granularity.</summary>
    public static uint Round(uint milliseconds, ushort granularity, uint minimum)
    {
        if (milliseconds == 0) return 0;
        if (milliseconds <= minimum) return minimum;
        uint unit = Math.Max((uint)granularity, 1) * GranularityUnit;
        ulong rounded = ((ulong)milliseconds + unit - 1) / unit * unit;
        return (uint)Math.Min(rounded, uint.MaxValue);
    }

    /// <summary>Starts the timer anew; 0 ends it.</summary>
    public void Start(uint milliseconds)
    {
        Stop();
        Timeout = milliseconds;
        if (milliseconds == 0) return;
        Touch();
        // Checked twice in a timeout, so that a dead host is noticed after 1 to 1.5 of it.
        _poller = thread.RegisterPoller("nvmf_keep_alive", s_check, this, TimeSpan.FromMilliseconds(Math.Max(milliseconds / 2.0, 1)));
    }

    /// <summary>The host is alive.</summary>
    public void Touch() => _last = Stopwatch.GetTimestamp();

    /// <summary>Ends the timer.</summary>
    public void Stop()
    {
        _poller?.Unregister();
        _poller = null;
    }

    private static readonly PollerFunction s_check = static state => ((KeepAlive)state!).Check();

    private PollResult Check()
    {
        if (Stopwatch.GetElapsedTime(_last).TotalMilliseconds <= Timeout) return PollResult.Idle;
        Stop();
        expired();
        return PollResult.Busy;
    }
}
