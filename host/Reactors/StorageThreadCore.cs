using System.Diagnostics;
using System.Runtime.CompilerServices;
using Spindle.Io;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>A storage thread: mailbox, pollers, channels, and the work its bdev channels left for its next turn.</summary>
internal sealed class StorageThreadCore : IStorageThread
{
    private const int MessageBatch = 64;

    private readonly ReactorSystem _system;
    private readonly Mailbox _mailbox = new(4096);
    private readonly PollerList _active = new();
    private readonly PollerList _timed = new();
    private readonly Action<Exception> _messageFault;
    private readonly HashSet<TaskCompletionSource> _invocations = [];
    private long _nextTimed = long.MaxValue;
    private ulong _nextPollerId;
    private ThreadWork? _workHead;
    private ThreadWork? _workTail;
    private TaskCompletionSource? _exit;
    private volatile bool _exited;

    internal unsafe StorageThreadCore(ReactorSystem system, Reactor reactor, ulong id, string name)
    {
        _system = system;
        Reactor = reactor;
        Crumb = reactor.Breadcrumb.At;
        Id = id;
        Name = name;
        SynchronizationContext = new StorageThreadSynchronizationContext(this);
        _messageFault = exception => _system.ReportFault(this, "message", exception);
    }

    internal Reactor Reactor { get; }

    /// <summary>Where the reactor says what runs; [1] is other than 0 while allocations are measured.</summary>
    internal readonly unsafe int* Crumb;

    /// <summary>A piece of work begins; 0: none.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe void Begin(int crumb)
    {
        Crumb[0] = crumb;
        if (Crumb[1] != 0) Reactor.Meter.Switch(crumb);
    }

    internal Dictionary<IoDevice, IoChannel> Channels { get; } = [];
    internal long StartedAt { get; } = Stopwatch.GetTimestamp();
    internal long BusyTicks;
    internal long IdleTicks;
    internal long MessageCount;
    internal long MessageOverflowCount => Volatile.Read(ref _mailbox.OverflowCount);
    internal StorageMessage? RunningMessage => Volatile.Read(ref _mailbox.Running);
    internal object? RunningMessageState => Volatile.Read(ref _mailbox.RunningState);
    internal bool MustPoll { get; private set; }
    internal IReadOnlyList<Poller> ActivePollers => _active.All;
    internal IReadOnlyList<Poller> TimedPollers => _timed.All;

    internal long Timestamp() => _system.Timestamp();

    public ulong Id { get; }
    public string Name { get; }
    public int Core => Reactor.Core;
    public bool IsCurrent => ReferenceEquals(StorageThread.Current, this);
    public bool IsExited => _exited;
    public IIoRing Ring => Reactor.Ring;
    public long Now => Reactor.Now;
    public SynchronizationContext SynchronizationContext { get; }

    [DataPath]
    public bool Send(StorageMessage message, object? state)
    {
        if (_exited) return false;
        _mailbox.Enqueue(message, state);
        Reactor.WakeIfAsleep();
        return true;
    }

    /// <summary>Runs a function on the thread. Control plane.</summary>
    /// <returns>Ends when it has run, with its exception if it threw; at once when the thread takes no messages any more.</returns>
    internal Task VisitAsync(Action function)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool sent = Send(_ =>
        {
            try
            {
                function();
                done.TrySetResult();
            }
            catch (Exception exception)
            {
                done.TrySetException(exception);
            }
        }, null);
        return sent ? done.Task : Task.CompletedTask;
    }

    public IPoller RegisterPoller(string name, PollerFunction function, object? state, TimeSpan period, PollerWake wake)
    {
        if (!IsCurrent) throw new InvalidOperationException($"Poller '{name}' must be registered on its own storage thread '{Name}'.");
        ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        var poller = new Poller(this, name, function, state, period, wake) { Id = ++_nextPollerId };
        if (poller.PeriodTicks > 0)
        {
            poller.NextRun = Timestamp() + poller.PeriodTicks;
            _timed.Add(poller);
        }
        else
        {
            _active.Add(poller);
        }
        OnPollersChanged();
        return poller;
    }

    internal void OnPollersChanged()
    {
        _active.Invalidate();
        _timed.Invalidate();
        _nextTimed = 0;
        bool must = false;
        foreach (var poller in _active.Running) must |= poller.Wake == PollerWake.MustPoll;
        MustPoll = must;
    }

    public Task InvokeAsync(Func<Task> function)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool sent = Send(static state =>
        {
            var (thread, function, done) = ((StorageThreadCore, Func<Task>, TaskCompletionSource))state!;
            StorageThreadSynchronizationContext.SetFresh(thread);
            thread._invocations.Add(done);
            _ = thread.RunInvocationAsync(function, done);
        }, (this, function, done));
        return sent ? done.Task : Task.FromException(new SpindleException(Errno.ENXIO, $"The storage thread '{Name}' has exited."));
    }

    private async Task RunInvocationAsync(Func<Task> function, TaskCompletionSource done)
    {
        try
        {
            await function();
            done.TrySetResult();
        }
        catch (OperationCanceledException exception)
        {
            done.TrySetException(exception);
        }
        catch (Exception exception)
        {
            done.TrySetException(exception);
        }
        finally
        {
            _invocations.Remove(done);
        }
    }

    public Task ExitAsync()
    {
        var exit = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool sent = Send(static state =>
        {
            var (thread, exit) = ((StorageThreadCore, TaskCompletionSource))state!;
            if (thread._exit is { } earlier) _ = earlier.Task.ContinueWith(_ => exit.TrySetResult(), TaskScheduler.Default);
            else thread._exit = exit;
        }, (this, exit));
        return sent ? exit.Task : Task.CompletedTask;
    }

    internal void ReportFault(string where, Exception exception) => _system.ReportFault(this, where, exception);

    /// <summary>Makes this the calling storage thread.</summary>
    [DataPath]
    internal void Enter()
    {
        StorageThread.Current = this;
        SynchronizationContext.SetSynchronizationContext(SynchronizationContext);
    }

    /// <summary>Has <paramref name="work"/> run at this thread's next turn. On this thread.</summary>
    [DataPath]
    internal void AddWork(ThreadWork work)
    {
        if (work.IsWorkQueued) return;
        work.IsWorkQueued = true;
        work.NextWork = null;
        if (_workTail is null) _workHead = work;
        else _workTail.NextWork = work;
        _workTail = work;
    }

    /// <summary>Whether a turn now would find something to do; asked before sleeping.</summary>
    internal bool HasWork => _workHead is not null || !_mailbox.IsEmpty || _exit is not null;

    /// <summary>When the next timed poller is due, in Stopwatch ticks.</summary>
    internal long NextTimed => _nextTimed;

    /// <summary>Whether a turn would do anything. Asked by the reactor at each of its loops.</summary>
    [DataPath]
    internal bool WantsTurn(long now) =>
        _workHead is not null || _active.Running.Length != 0 || !_mailbox.IsEmpty || now >= _nextTimed || _exit is not null;

    /// <summary>One turn.</summary>
    /// <returns>True when there was something to do.</returns>
    [DataPath]
    internal unsafe bool Poll(long now)
    {
        bool busy = false;
        if (!_mailbox.IsEmpty)
        {
            _mailbox.Meter = Crumb[1] != 0 ? Reactor.Meter : null;
            int count = _mailbox.Run(MessageBatch, _messageFault);
            MessageCount += count;
            busy = count > 0;
            ExecutionContextReset.Reset();
            SynchronizationContext.SetSynchronizationContext(SynchronizationContext);
        }
        if (_workHead is not null)
        {
            RunWork();
            busy = true;
        }
        foreach (var poller in _active.Running) busy |= RunPoller(poller);
        if (now >= _nextTimed) busy |= RunTimed(now);
        if (_workHead is not null) busy = true;
        if (_exit is not null) TryExit();
        return busy;
    }

    private void RunWork()
    {
        // Only what is there now: work that asks for more gets it next turn, after the pollers.
        var last = _workTail;
        while (_workHead is { } work)
        {
            _workHead = work.NextWork;
            if (_workHead is null) _workTail = null;
            work.NextWork = null;
            work.IsWorkQueued = false;
            try
            {
                work.RunWork();
            }
            catch (Exception exception)
            {
                _system.ReportFault(this, "completion", exception);
            }
            if (ReferenceEquals(work, last)) break;
        }
    }

    private bool RunPoller(Poller poller)
    {
        if (poller.IsUnregistered || poller.IsPaused) return false;
        poller.RunCount++;
        bool busy = true;
        Begin(poller.Crumb);
        try
        {
            busy = poller.Function(poller.State) == PollResult.Busy;
            if (busy) poller.BusyCount++;
        }
        catch (Exception exception)
        {
            poller.Unregister();
            _system.ReportFault(this, $"poller '{poller.Name}' (unregistered)", exception, poller.Module);
        }
        Begin(0);
        return busy;
    }

    private bool RunTimed(long now)
    {
        bool busy = false;
        long next = long.MaxValue;
        _nextTimed = long.MaxValue;
        foreach (var poller in _timed.Running)
        {
            if (poller.NextRun <= now)
            {
                busy |= RunPoller(poller);
                poller.NextRun = now + poller.PeriodTicks;
            }
            if (!poller.IsPaused && !poller.IsUnregistered) next = Math.Min(next, poller.NextRun);
        }
        // A poller that changed the list set this to 0, so that the next turn looks again.
        if (_nextTimed == long.MaxValue) _nextTimed = next;
        return busy;
    }

    private void TryExit()
    {
        if (_active.Running.Length + _timed.Running.Length > 0 || _active.All.Count + _timed.All.Count > 0) return;
        if (Channels.Count > 0 || _workHead is not null || !_mailbox.IsEmpty) return;
        Abandon(null);
    }

    /// <summary>Ends the thread now. Awaits pending on it fail.</summary>
    internal void Abandon(string? reason)
    {
        _exited = true;
        Reactor.Remove(this);
        foreach (var invocation in _invocations.ToArray())
            invocation.TrySetException(new SpindleException(Errno.ECANCELED, reason ?? $"The storage thread '{Name}' has exited."));
        _invocations.Clear();
        _system.OnThreadExited(this);
        _exit?.TrySetResult();
        _exit = null;
    }
}

/// <summary>Posts to the storage thread's mailbox.</summary>
/// <remarks>The framework runs a continuation inline where the current context is the very object that the await captured. So each message of
/// the control plane runs under an object of its own: what one message awaits, another message or a completion never continues inline.</remarks>
internal sealed class StorageThreadSynchronizationContext(StorageThreadCore thread) : SynchronizationContext
{
    internal static void SetFresh(StorageThreadCore thread) => SetSynchronizationContext(new StorageThreadSynchronizationContext(thread));

    public override void Post(SendOrPostCallback callback, object? state)
    {
        bool sent = thread.Send(static s =>
        {
            var (thread, callback, state) = ((StorageThreadCore, SendOrPostCallback, object?))s!;
            SetFresh(thread);
            callback(state);
        }, (thread, callback, state));
        // The thread has exited: its invocations have failed already, the continuation only unwinds.
        if (!sent) ThreadPool.UnsafeQueueUserWorkItem(static s => s.callback(s.state), (callback, state), preferLocal: false);
    }

    public override void Send(SendOrPostCallback callback, object? state) =>
        throw new NotSupportedException("A storage thread is never waited for; use Post or IStorageThread.InvokeAsync.");

    public override SynchronizationContext CreateCopy() => this;
}

/// <summary>Gives the next message a fresh execution context, whatever the last one left in it (an AsyncLocal would pin its plugin).</summary>
internal static class ExecutionContextReset
{
    private static readonly ExecutionContext s_default = CaptureDefault();

    private static ExecutionContext CaptureDefault()
    {
        ExecutionContext? captured = null;
        var thread = new Thread(() => captured = ExecutionContext.Capture());
        thread.UnsafeStart();
        thread.Join();
        return captured!;
    }

    public static void Reset() => ExecutionContext.Restore(s_default);
}
