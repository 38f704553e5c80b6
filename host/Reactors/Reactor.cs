using System.Diagnostics;
using System.Runtime.CompilerServices;
using Spindle.Host.Environments;
using Spindle.Host.Faults;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>One pinned operating-system thread: each loop gives every storage thread a turn, then submits and reaps the I/O ring. With nothing
/// to do for a while, and unless told to spin, it sleeps until a completion, a message or a timer.</summary>
internal sealed class Reactor
{
    /// <summary>A reactor looks for itself now and then, whatever became of a wake: ten times a second cost nothing to speak of.</summary>
    private static readonly TimeSpan s_longestSleep = TimeSpan.FromMilliseconds(100);

    private readonly ReactorSystem _system;
    private readonly Thread _osThread;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _changes = new();
    private volatile StorageThreadCore[] _threads = [];
    private volatile bool _stop;
    private int _asleep;
    private IdleSpin _spin;
    private volatile bool _sleeping;
    private IReactorRing _ring = null!;

    internal Reactor(ReactorSystem system, int core)
    {
        _system = system;
        _spin = new IdleSpin(system.SpinTicks);
        Core = core;
        _osThread = new Thread(Run, 1024 * 1024) { IsBackground = true, Name = $"reactor_{core}" };
    }

    internal int Core { get; }
    internal IReactorRing Ring => _ring;
    internal long Now;

    /// <summary>What runs now.</summary>
    internal readonly BreadcrumbLine Breadcrumb = new();

    /// <summary>Who allocates, while it is measured.</summary>
    internal readonly AllocationMeter Meter = new();

    /// <summary>Since when the reactor has not come round, in ticks; 0 while it sleeps. Any thread.</summary>
    internal long HeldSince => _sleeping ? 0 : Volatile.Read(ref Now);

    /// <summary>What runs now, as far as the reactor has said. Any thread.</summary>
    internal (string Module, string What) WhatRuns()
    {
        if (Breadcrumbs.Find(Breadcrumb.Now) is { } crumb) return (crumb.Module, crumb.What);
        foreach (var thread in _threads)
            if (thread.RunningMessage is { } message)
                return (CodeOwner.Of(message) ?? CodeOwner.Of(thread.RunningMessageState) ?? "", $"a message to thread '{thread.Name}'");
        return ("", "work that has no name");
    }
    internal long BusyTicks;
    internal long IdleTicks;
    internal long SleepTicks;
    internal long SleepCount;
    internal string? PinFailure { get; private set; }
    internal StorageThreadCore[] Threads => _threads;
    internal Task Started => _started.Task;
    internal Task Stopped => _stopped.Task;

    internal void Start() => _osThread.UnsafeStart();

    internal void Stop()
    {
        _stop = true;
        _ring?.Wake();
    }

    internal void Add(StorageThreadCore thread)
    {
        lock (_changes) _threads = [.. _threads, thread];
        WakeIfAsleep();
    }

    internal void Remove(StorageThreadCore thread)
    {
        lock (_changes) _threads = [.. _threads.Where(t => !ReferenceEquals(t, thread))];
    }

    /// <summary>After making work visible to the reactor: wakes it if it sleeps. Pairs with the fence in <see cref="SleepIfIdle"/>:
    /// either this side sees it asleep, or that side sees the work.</summary>
    [DataPath]
    internal void WakeIfAsleep()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _asleep) != 0 && Interlocked.Exchange(ref _asleep, 0) != 0) _ring.Wake();
    }

    private void Run()
    {
        try
        {
            PinFailure = _system.Environment.PinCurrentThread(Core);
            _ring = _system.Environment.CreateRing();
        }
        catch (Exception exception)
        {
            _started.TrySetException(exception);
            _stopped.TrySetResult();
            return;
        }
        Now = _system.Timestamp();
        _started.TrySetResult();
        try
        {
            Loop();
        }
        finally
        {
            foreach (var thread in _threads) thread.Abandon("The host is stopping.");
            StorageThread.Current = null;
            SynchronizationContext.SetSynchronizationContext(null);
            _sleeping = true; // for ever, as far as the watchdog is concerned
            _ring.Dispose();
            _stopped.TrySetResult();
        }
    }

    // Entered once and never left, so it has to be compiled to its best before that: precompiled code would stay as it is.
    [DataPath, MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Loop()
    {
        long now = _system.Timestamp();
        long idleSince = now;
        while (!_stop)
        {
            Now = now;
            bool busy = false, turned = false;
            var threads = _threads;
            foreach (var thread in threads)
            {
                // The clock and a change of the current thread cost more than this look.
                if (!thread.WantsTurn(now)) continue;
                turned = true;
                if (!ReferenceEquals(StorageThread.Current, thread)) thread.Enter();
                bool threadBusy = thread.Poll(now);
                long end = _system.Timestamp();
                Charge(thread, threadBusy, end - now);
                busy |= threadBusy;
                now = end;
            }
            // What the ring completes is submitted anew, as a rule; its time starts here.
            Now = now;
            if (_ring.Poll() > 0)
            {
                busy = true;
                long end = _system.Timestamp();
                // Completions ran on their storage threads; their time is charged to the last of them.
                if (StorageThread.Current is StorageThreadCore last) Charge(last, true, end - now);
                else BusyTicks += end - now;
                now = end;
            }
            else if (!turned)
            {
                long end = _system.Timestamp();
                IdleTicks += end - now;
                foreach (var thread in threads) thread.IdleTicks += end - now;
                now = end;
            }
            if (busy) idleSince = now;
            if (now - idleSince > _spin.Ticks) now = SleepIfIdle(now, ref idleSince);
        }
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Charge(StorageThreadCore thread, bool busy, long ticks)
    {
        if (busy)
        {
            thread.BusyTicks += ticks;
            BusyTicks += ticks;
        }
        else
        {
            thread.IdleTicks += ticks;
            IdleTicks += ticks;
        }
    }

    private long SleepIfIdle(long now, ref long idleSince)
    {
        idleSince = now;
        long until = long.MaxValue;
        var threads = _threads;
        foreach (var thread in threads)
        {
            if (thread.MustPoll) return now;
            until = Math.Min(until, thread.NextTimed);
        }
        if (until <= now) return now;
        Volatile.Write(ref _asleep, 1);
        Interlocked.MemoryBarrier(); // pairs with WakeIfAsleep
        bool work = _stop || !ReferenceEquals(threads, _threads);
        foreach (var thread in threads) work |= thread.HasWork;
        if (!work)
        {
            var timeout = until == long.MaxValue ? s_longestSleep : Stopwatch.GetElapsedTime(now, until);
            if (timeout > s_longestSleep) timeout = s_longestSleep;
            _sleeping = true;
            _ring.Sleep(timeout);
            Volatile.Write(ref Now, Stopwatch.GetTimestamp());
            _sleeping = false;
            SleepCount++;
            var slept = Stopwatch.GetElapsedTime(now, Now);
            _spin.OnWoke(Now - now, slept < timeout);
        }
        Volatile.Write(ref _asleep, 0);
        long woke = _system.Timestamp();
        IdleTicks += woke - now;
        SleepTicks += woke - now;
        foreach (var thread in threads) thread.IdleTicks += woke - now;
        idleSince = woke;
        return woke;
    }
}
