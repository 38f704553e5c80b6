using Spindle.Bdev.Nvme.Bdevs;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Threading;

namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>One storage thread's I/O queue of a controller, shared by the bdevs on the controller's namespaces. On its thread.</summary>
internal sealed partial class ControllerChannel(NvmeController controller, IStorageThread thread) : IoChannel
{
    private readonly IStorageThread _thread = thread;
    private readonly List<NvmeBdevChannel> _users = [];
    private ControllerSession? _session;
    private ushort _qid;
    private int _attempt;
    private bool _ended;
    private IPoller? _timeoutPoller;
    private static readonly PollerFunction s_checkTimeouts = static state => ((ControllerChannel)state!).CheckTimeouts();

    internal NvmeController Controller { get; } = controller;

    /// <summary>The queue while it is connected.</summary>
    internal NvmeQueue? Queue { get; private set; }

    internal ushort Qid => _qid;

    /// <summary>A queue is on its way.</summary>
    internal bool IsConnecting { get; private set; }

    /// <summary>The controller has no queue for this thread.</summary>
    internal bool IsUnserved { get; private set; }

    /// <summary>Some user waits for a free place in the queue.</summary>
    internal bool HasWaiters { get; set; }

    internal void Add(NvmeBdevChannel user) => _users.Add(user);

    internal void Remove(NvmeBdevChannel user) => _users.Remove(user);

    /// <summary>Connects a new channel. A queue that cannot be made is a controller that is lost.</summary>
    internal void ConnectIfMissing()
    {
        if (_ended || Queue is not null || IsConnecting || Controller.State != ControllerState.Enabled || Controller.Session is not { } session) return;
        _ = ConnectOrReportAsync(session);
    }

    private async Task ConnectOrReportAsync(ControllerSession session)
    {
        try
        {
            await ConnectAsync(session);
        }
        catch (SpindleException e)
        {
            Controller.OnQueueLost(session, e.Message);
        }
    }

    /// <summary>Makes the queue in an association. What goes wrong is the caller's to judge.</summary>
    /// <exception cref="SpindleException">It could not be made.</exception>
    internal async Task ConnectAsync(ControllerSession session)
    {
        int attempt = ++_attempt;
        IsConnecting = true;
        IsUnserved = false;
        // What is awaited comes back to this thread, which must not exit before.
        var hold = Hold();
        try
        {
            if (session.TakeQid() is not { } qid)
            {
                IsUnserved = true;
                Controller.OnNoQueueLeft(_thread.Name);
                WakeUsers();
                return;
            }
            NvmeQueue queue;
            try
            {
                queue = await session.Transport.OpenIoQueueAsync(qid, session.Terms, CancellationToken.None);
            }
            catch
            {
                session.ReturnQid(qid);
                throw;
            }
            if (attempt != _attempt || _ended || !queue.IsUsable)
            {
                string? failure = queue.Failure;
                await RetireAsync(queue, session, qid);
                if (attempt == _attempt && !_ended) throw new SpindleException(Errno.ENOTCONN, failure ?? "The connection was closed.");
                return;
            }
            (_session, _qid, Queue) = (session, qid, queue);
            queue.Failed = OnFailed;
            StartTimeouts();
        }
        finally
        {
            hold.Unregister();
            if (attempt == _attempt) IsConnecting = false;
        }
        WakeUsers();
    }

    private IPoller Hold() => _thread.RegisterPoller("nvme_hold", static _ => PollResult.Idle, null, TimeSpan.FromSeconds(1));

    /// <summary>Ends the queue; its commands end as lost, and go by another one.</summary>
    internal void Disconnect()
    {
        _attempt++;
        IsConnecting = false;
        DropQueue();
    }

    private void DropQueue()
    {
        if (Queue is not { } queue) return;
        Queue = null;
        _timeoutPoller?.Unregister();
        _timeoutPoller = null;
        Controller.Retirements.Add(RetireAsync(queue, _session!, _qid));
    }

    private async Task RetireAsync(NvmeQueue queue, ControllerSession session, ushort qid)
    {
        queue.Failed = null;
        // Its operations end on this thread, which must not exit before.
        var hold = Hold();
        await queue.CloseAsync();
        hold.Unregister();
        session.Transport.Free(queue);
        session.ReturnQid(qid);
    }

    private void OnFailed(NvmeQueue queue)
    {
        var session = _session!;
        DropQueue();
        Controller.OnQueueLost(session, $"I/O queue {_qid}: {queue.Failure}");
    }

    /// <summary>The paths have changed: who waits tries again, or gives up.</summary>
    internal void WakeUsers()
    {
        HasWaiters = false;
        for (int i = 0; i < _users.Count; i++) _users[i].Refresh();
    }

    /// <summary>A command has ended, and somebody waits for its place.</summary>
    [DataPath]
    internal void WakeWaiters()
    {
        HasWaiters = false;
        for (int i = 0; i < _users.Count; i++) _users[i].SubmitWaiting(this);
    }

    private void StartTimeouts()
    {
        ulong microseconds = Controller.Options.TimeoutUs;
        if (microseconds == 0) return;
        _timeoutPoller = _thread.RegisterPoller("nvme_timeouts", s_checkTimeouts, this, TimeSpan.FromMicroseconds(Math.Clamp(microseconds / 4, 1_000, 1_000_000)));
    }

    private PollResult CheckTimeouts()
    {
        if (Queue is not { } queue) return PollResult.Idle;
        long limit = (long)(Controller.Options.TimeoutUs * ((double)System.Diagnostics.Stopwatch.Frequency / 1_000_000)), now = _thread.Now;
        foreach (var command in queue.Commands)
        {
            if (!command.IsOutstanding || now - command.SubmittedAt < limit) continue;
            // Looked at again after another timeout.
            command.SubmittedAt = now;
            Controller.OnCommandTimeout(_session!, _qid, queue.IdentifierOf(command));
        }
        return PollResult.Idle;
    }

    /// <inheritdoc/>
    protected override void Destroy()
    {
        _ended = true;
        Disconnect();
    }
}
