using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The timers of one controller. On its thread.</summary>
internal sealed class AssociationTimers(IStorageThread thread, NvmfController controller, Action<string> disconnect)
{
    /// <summary>Less than CAP.TO, so that a host sees the fatal status before it gives up.</summary>
    private static readonly TimeSpan s_drainLimit = TimeSpan.FromSeconds(14);

    private IPoller? _drainLimit;

    /// <summary>Ends the association when the host is silent for too long.</summary>
    public KeepAlive KeepAlive { get; } = new(thread, () => disconnect($"no keep alive within {controller.KeepAlive.Timeout} ms"));

    /// <summary>Ends the association when the host does not enable the controller again.</summary>
    public KeepAlive Association { get; } = new(thread, () => disconnect("the controller was not enabled again"));

    /// <summary>Calls <paramref name="expired"/> when the I/O queues do not end.</summary>
    public void StartDrainLimit(Action expired)
    {
        StopDrainLimit();
        _drainLimit = thread.RegisterPoller("nvmf_controller_drain", static state =>
        {
            ((Action)state!)();
            return PollResult.Busy;
        }, () =>
        {
            StopDrainLimit();
            expired();
        }, s_drainLimit);
    }

    /// <summary>They have ended.</summary>
    public void StopDrainLimit()
    {
        _drainLimit?.Unregister();
        _drainLimit = null;
    }

    /// <summary>Ends all timers.</summary>
    public void StopAll()
    {
        KeepAlive.Stop();
        Association.Stop();
        StopDrainLimit();
    }
}
