using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Spindle.Bdev.Nvme.Namespaces;

namespace Spindle.Bdev.Nvme.Controllers;

/// <content>Loss, reset and reconnect. Whatever went wrong, the whole association is made anew: admin queue, then the I/O queues of all threads; only when all
/// of them are connected does it count as recovered.</content>
internal sealed partial class NvmeController
{
    private const int MaxLostAgain = 3;

    private Task? _recovery;

    /// <summary>The end of it, once that has begun.</summary>
    internal Task? Deletion { get; set; }

    /// <summary>An I/O queue was lost, or could not be made. On any thread.</summary>
    internal void OnQueueLost(ControllerSession session, string reason) =>
        _ = _context.Threads.AppThread.InvokeAsync(() =>
        {
            if (session == Session) OnSessionLost(session, reason);
            return Task.CompletedTask;
        });

    private void OnSessionLost(ControllerSession session, string reason)
    {
        if (session != Session || State != ControllerState.Enabled) return;
        _log.LogWarning("{Controller} is lost: {Reason}", this, reason);
        State = ControllerState.Resetting;
        // With other addresses the next one is tried first.
        Rotate();
        _ = RecoverAsync();
    }

    private void Rotate()
    {
        if (Addresses.Count < 2) return;
        var address = Addresses[0];
        Addresses.RemoveAt(0);
        Addresses.Add(address);
    }

    /// <summary>Disconnects and connects again.</summary>
    /// <exception cref="SpindleException">EIO: it did not come back. EBUSY: it is being deleted, or is disabled.</exception>
    internal async Task ResetAsync()
    {
        if (State == ControllerState.Deleting) throw new SpindleException(Errno.ENXIO, $"{this} is being deleted.");
        if (State == ControllerState.Disabled) throw new SpindleException(Errno.EALREADY, $"{this} is disabled: enable it first (bdev_nvme_enable_controller).");
        _attempted ??= new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempted = _attempted.Task;
        _delay?.Cancel();
        _ = RecoverAsync();
        if (!await attempted) throw new SpindleException(Errno.EIO, $"{this} does not come back: {_lastFailure}");
    }

    private TaskCompletionSource<bool>? _attempted; // for those who wait for the end of an attempt
    private string _lastFailure = "";

    /// <summary>Recovers, or joins the recovery under way.</summary>
    private Task RecoverAsync()
    {
        if (_recovery is { IsCompleted: false }) return _recovery;
        State = ControllerState.Resetting;
        _lostAt ??= Stopwatch.GetTimestamp();
        return _recovery = RunRecoveryAsync();
    }

    private async Task RunRecoveryAsync()
    {
        // Never inside the call that found the loss.
        await Task.Yield();
        int lostAgain = 0;
        while (State == ControllerState.Resetting)
        {
            bool came = await AttemptAsync();
            TellAttempted(came);
            // Lost again before anybody used it: tried at once, but not for ever.
            if (came && State == ControllerState.Resetting && ++lostAgain <= MaxLostAgain) continue;
            if (State == ControllerState.Resetting) await AfterFailureAsync();
        }
        TellAttempted(State == ControllerState.Enabled);
    }

    private void TellAttempted(bool came)
    {
        var attempted = _attempted;
        _attempted = null;
        attempted?.TrySetResult(came);
    }

    /// <returns>True when it was connected, whatever became of it since.</returns>
    private async Task<bool> AttemptAsync()
    {
        await _turn.WaitAsync();
        try
        {
            await DisconnectAsync();
            if (State != ControllerState.Resetting) return false;
            var session = await OpenSessionAsync(_deleting.Token);
            Session = session;
            Cntlid = session.Terms.Cntlid;
            await BeginAsync(session);
            await NamespaceScan.RunAsync(this, session, true, _log);
            await ConnectChannelsAsync(session);
            if (State != ControllerState.Resetting) return false;
            if (!session.IsUsable) throw new SpindleException(Errno.ENOTCONN, "It was lost again as it was connected.");
            Volatile.Write(ref _failsIo, 0);
            State = ControllerState.Enabled;
            _log.LogInformation("{Controller} is connected again", this);
            await WakeChannelsAsync();
            // Of queues that were lost meanwhile, and of channels that were made, nobody was told.
            await ConnectChannelsAsync(session);
            _lostAt = null;
            return true;
        }
        catch (Exception e) when (e is SpindleException or OperationCanceledException)
        {
            _lastFailure = e.Message;
            if (State == ControllerState.Enabled) State = ControllerState.Resetting;
            await DisconnectAsync();
            return false;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task ConnectChannelsAsync(ControllerSession session)
    {
        var connecting = new List<Task>();
        await _context.Threads.ForEachChannelAsync(this, (channel, _) =>
        {
            // One thread after the other, so that the list needs no lock.
            var queue = (ControllerChannel)channel;
            if (queue.Queue is null && !queue.IsConnecting) connecting.Add(queue.ConnectAsync(session));
            return 0;
        }, null);
        await Task.WhenAll(connecting);
    }

    private async Task DisconnectAsync()
    {
        var session = Session;
        Session = null;
        await _context.Threads.ForEachChannelAsync(this, static (channel, _) =>
        {
            ((ControllerChannel)channel).Disconnect();
            return 0;
        }, null);
        if (session is not null) await session.DisposeAsync();
    }

    private async Task AfterFailureAsync()
    {
        double lost = Stopwatch.GetElapsedTime(_lostAt ?? Stopwatch.GetTimestamp()).TotalSeconds;
        if (Path.CtrlrLossTimeoutSec > 0 && lost >= Path.CtrlrLossTimeoutSec)
        {
            _log.LogError("{Controller} was lost for {Seconds:0} s and is given up: {Reason}", this, lost, _lastFailure);
            State = ControllerState.Failed;
            await WakeChannelsAsync();
            _ = Group.DeleteAsync(this);
            return;
        }
        if (Path.ReconnectDelaySec == 0)
        {
            _log.LogError("{Controller} does not come back: {Reason}", this, _lastFailure);
            State = ControllerState.Failed;
            await WakeChannelsAsync();
            return;
        }
        if (Path.FastIoFailTimeoutSec > 0 && lost >= Path.FastIoFailTimeoutSec) Volatile.Write(ref _failsIo, 1);
        State = ControllerState.ReconnectIsDelayed;
        await WakeChannelsAsync();
        Rotate();
        using (_delay = CancellationTokenSource.CreateLinkedTokenSource(_deleting.Token))
        {
            await Task.WhenAny(Task.Delay(TimeSpan.FromSeconds(Path.ReconnectDelaySec), _delay.Token));
        }
        _delay = null;
        if (State == ControllerState.ReconnectIsDelayed) State = ControllerState.Resetting;
    }

    /// <summary>Disconnects until it is enabled again.</summary>
    internal async Task DisableAsync()
    {
        if (State is ControllerState.Disabled or ControllerState.Deleting) return;
        State = ControllerState.Disabled;
        _delay?.Cancel();
        await _turn.WaitAsync();
        try
        {
            await DisconnectAsync();
            await WakeChannelsAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Connects again after <see cref="DisableAsync"/>.</summary>
    /// <exception cref="SpindleException">EIO: it did not come back.</exception>
    internal async Task EnableAsync()
    {
        if (State != ControllerState.Disabled) return;
        if (_recovery is { } recovery) await recovery;
        if (State != ControllerState.Disabled) return;
        State = ControllerState.Resetting;
        await ResetAsync();
    }

    /// <summary>Ends it; nobody uses it any more.</summary>
    internal async Task DeleteAsync()
    {
        State = ControllerState.Deleting;
        await _deleting.CancelAsync();
        if (_recovery is { } recovery) await recovery;
        await _turn.WaitAsync();
        if (Session is { } session) await session.ShutDownAsync();
        await DisconnectAsync();
        await WakeChannelsAsync();
        await _context.Threads.UnregisterDeviceAsync(this);
        await Retirements.WhenAllAsync();
        _deleting.Dispose();
    }
}
