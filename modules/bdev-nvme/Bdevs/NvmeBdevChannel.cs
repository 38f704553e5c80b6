using System.Diagnostics;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Threading;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>One storage thread's way to a bdev: its paths, and the I/Os that wait for one. On its thread.</summary>
internal sealed class NvmeBdevChannel : IoChannel
{
    private static readonly TimeSpan s_retryPeriod = TimeSpan.FromMilliseconds(10);
    private static readonly PollerFunction s_retry = static state => ((NvmeBdevChannel)state!).Retry();

    private readonly NvmeBdev _bdev;
    private readonly IStorageThreads _threads;
    private readonly IPoller _retryPoller;
    private IoPath[] _paths = [];
    private IoPath? _current;
    private uint _rounds;                // I/Os by the current path in its turn
    private NvmeIo? _waitingHead, _waitingTail;
    private bool _submittingWaiting, _retryPaused = true, _destroyed;

    internal NvmeBdevChannel(NvmeBdev bdev, IStorageThread thread, IStorageThreads threads)
    {
        _bdev = bdev;
        _threads = threads;
        OwnThread = thread;
        _retryPoller = thread.RegisterPoller("nvme_retry", s_retry, this, s_retryPeriod);
        _retryPoller.Pause();
    }

    internal IStorageThread OwnThread { get; }
    internal IStorageThread AppThread => _threads.AppThread;

    /// <summary>For replies of RPCs.</summary>
    internal string BdevName => _bdev.Name;
    internal ReadOnlySpan<IoPath> Paths => _paths;
    internal IoPath? Current => _current;

    /// <summary>The bdev's paths are others now.</summary>
    internal void OnPathsChanged()
    {
        if (_destroyed) return;
        var before = _paths;
        var namespaces = _bdev.Paths;
        var paths = new List<IoPath>(namespaces.Length);
        foreach (var ns in namespaces)
        {
            var known = Array.Find(before, p => p.Namespace == ns);
            if (known is null)
            {
                // The device is gone when the controller was deleted meanwhile; then the path goes, too.
                if (ns.Controller.State == ControllerState.Deleting) continue;
                ControllerChannel channel;
                try
                {
                    channel = (ControllerChannel)_threads.GetChannel(ns.Controller);
                }
                catch (SpindleException)
                {
                    continue;
                }
                channel.Add(this);
                known = new IoPath(ns, channel);
            }
            paths.Add(known);
        }
        _paths = [.. paths];
        foreach (var old in before)
            if (!paths.Contains(old)) Drop(old);
        Refresh();
    }

    private void Drop(IoPath path)
    {
        path.Channel.Remove(this);
        _threads.PutChannel(path.Channel);
    }

    /// <summary>Something has become of a path: chooses anew, and submits or gives up what waits.</summary>
    internal void Refresh()
    {
        if (_current is { IsUsable: false } || !(_bdev.Options.DisableAutoFailback && _bdev.Choice.Policy == MultipathPolicy.ActivePassive)) _current = null;
        SubmitWaiting();
    }

    /// <summary>The path for the next I/O; null when there is none now.</summary>
    [DataPath]
    internal IoPath? Select()
    {
        var choice = _bdev.Choice;
        if (choice.Policy == MultipathPolicy.ActivePassive)
        {
            if (_current is { IsUsable: true }) return _current;
            return _current = FirstUsable(0);
        }
        if (choice.Selector == MultipathSelector.QueueDepth) return _current = ShortestQueue();
        if (_current is { IsUsable: true } current && _rounds < choice.MinIo)
        {
            _rounds++;
            return current;
        }
        int next = _current is null ? 0 : Array.IndexOf(_paths, _current) + 1;
        _rounds = 1;
        return _current = FirstUsable(next);
    }

    /// <summary>From a place on and round: the first optimized one, else the first one that works.</summary>
    [DataPath]
    private IoPath? FirstUsable(int from)
    {
        IoPath? second = null;
        for (int i = 0; i < _paths.Length; i++)
        {
            var path = _paths[(from + i) % _paths.Length];
            if (!path.IsUsable) continue;
            if (path.IsOptimized) return path;
            second ??= path;
        }
        return second;
    }

    [DataPath]
    private IoPath? ShortestQueue()
    {
        IoPath? best = null;
        foreach (var path in _paths)
        {
            if (!path.IsUsable) continue;
            if (best is null || path.IsOptimized && !best.IsOptimized ||
                path.IsOptimized == best.IsOptimized && path.Channel.Queue!.Outstanding < best.Channel.Queue!.Outstanding) best = path;
        }
        return best;
    }

    /// <summary>Some path may come back by itself: it is worth to wait.</summary>
    [DataPath]
    internal bool MayReturn()
    {
        foreach (var path in _paths)
            if (path.MayReturn) return true;
        return false;
    }

    /// <summary>There is an I/O that must go first.</summary>
    internal bool HasWaiting => _waitingHead is not null;

    [DataPath]
    internal void Wait(NvmeIo io)
    {
        io.NextWaiting = null;
        io.PreviousWaiting = _waitingTail;
        if (_waitingTail is null) _waitingHead = io;
        else _waitingTail.NextWaiting = io;
        _waitingTail = io;
        if (io.NotBefore == 0 || !_retryPaused) return;
        _retryPaused = false;
        _retryPoller.Resume();
    }

    [DataPath]
    internal void Unlink(NvmeIo io)
    {
        if (io.PreviousWaiting is null) _waitingHead = io.NextWaiting;
        else io.PreviousWaiting.NextWaiting = io.NextWaiting;
        if (io.NextWaiting is null) _waitingTail = io.PreviousWaiting;
        else io.NextWaiting.PreviousWaiting = io.PreviousWaiting;
        io.NextWaiting = io.PreviousWaiting = null;
    }

    /// <summary>Submits what waits as far as there is room, in order; ends it when there is nothing to wait for.</summary>
    /// <param name="completing">The queue whose completions are being taken, which sends what it has when they are through.</param>
    [DataPath]
    internal void SubmitWaiting(ControllerChannel? completing = null)
    {
        if (_waitingHead is null || _submittingWaiting) return;
        _submittingWaiting = true;
        long now = OwnThread.Now;
        var io = _waitingHead;
        while (io is not null)
        {
            var next = io.NextWaiting;
            if (io.NotBefore == 0 || now >= io.NotBefore)
            {
                Unlink(io);
                io.NotBefore = 0;
                if (!io.TrySubmit())
                {
                    WaitFirst(io, next);
                    break;
                }
            }
            io = next;
        }
        _submittingWaiting = false;
        foreach (var path in _paths)
            if (path.Channel != completing) path.Channel.Queue?.Flush();
    }

    // Back to where it was.
    [DataPath]
    private void WaitFirst(NvmeIo io, NvmeIo? before)
    {
        if (before is null)
        {
            Wait(io);
            return;
        }
        io.NextWaiting = before;
        io.PreviousWaiting = before.PreviousWaiting;
        if (before.PreviousWaiting is null) _waitingHead = io;
        else before.PreviousWaiting.NextWaiting = io;
        before.PreviousWaiting = io;
    }

    private PollResult Retry()
    {
        SubmitWaiting();
        bool any = false;
        for (var io = _waitingHead; io is not null && !any; io = io.NextWaiting) any = io.NotBefore != 0;
        if (!any)
        {
            _retryPaused = true;
            _retryPoller.Pause();
        }
        return PollResult.Idle;
    }

    /// <summary>A time from now, for <see cref="NvmeIo.NotBefore"/>.</summary>
    [DataPath]
    internal long After(int milliseconds) => OwnThread.Now + milliseconds * Stopwatch.Frequency / 1000;

    /// <summary>Sends what was submitted.</summary>
    [DataPath]
    internal void Flush()
    {
        foreach (var path in _paths) path.Channel.Queue?.Flush();
    }

    /// <inheritdoc/>
    protected override void Destroy()
    {
        _destroyed = true;
        _bdev.Forget(this);
        _retryPoller.Unregister();
        foreach (var path in _paths) Drop(path);
        _paths = [];
    }
}
