using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Spindle.Host.Reactors;

namespace Spindle.Host.Faults;

/// <summary>A piece of work that held a reactor for too long, or still does.</summary>
/// <param name="Core">The reactor.</param>
/// <param name="Module">Name and version of the module; empty when it was the host, or nobody could tell.</param>
/// <param name="What">What ran.</param>
/// <param name="Held">For how long, so far.</param>
internal sealed record ReactorHold(int Core, string Module, string What, TimeSpan Held);

/// <summary>Looks at the reactors from a thread of its own: which does not go round, and what it is at; and at the heap.</summary>
internal sealed class Watchdog : IDisposable
{
    private readonly ReactorSystem _system;
    private readonly FaultOptions _options;
    private readonly ILogger _log;
    private readonly State[] _states;
    private readonly Thread _thread;
    // Not the slim one: it spins before it waits, here some hundred times a second on a core that is another's.
    private readonly ManualResetEvent _end = new(false);
    private readonly HeapWatch _heap;
    private TimeSpan _gcPause;

    private sealed class State(Reactor reactor)
    {
        public readonly Reactor Reactor = reactor;
        public long HeldSince;
        public bool Reported;
        public bool Hung;
        public ReactorHold? Current;
        public long Holds;
        public ReactorHold? Longest;
    }

    public Watchdog(ReactorSystem system, FaultOptions options, ILogger log)
    {
        _system = system;
        _options = options;
        _log = log;
        _states = [.. system.Reactors.Select(r => new State(r))];
        _heap = new HeapWatch(system, options, log);
        _thread = new Thread(Run) { IsBackground = true, Name = "spindle-watchdog" };
        _thread.UnsafeStart();
    }

    /// <summary>Told of a module that holds a reactor beyond <see cref="FaultOptions.HangLimit"/>; on the watchdog's thread.</summary>
    public event Action<ReactorHold>? Hung;

    /// <summary>The heap's state.</summary>
    public HeapWatch Heap => _heap;

    /// <summary>For each reactor: what holds it now, how often that happened, and the longest time.</summary>
    public IReadOnlyList<(int Core, ReactorHold? Now, bool IsHung, long Holds, ReactorHold? Longest)> Reactors
    {
        get
        {
            lock (_states) return [.. _states.Select(s => (s.Reactor.Core, s.Current, s.Hung, s.Holds, s.Longest))];
        }
    }

    private void Run()
    {
        var period = TimeSpan.FromMilliseconds(Math.Clamp(_options.HoldLimit.TotalMilliseconds / 4, 5, 250));
        long lastHeap = 0;
        while (!_end.WaitOne(period))
        {
            try
            {
                // While the garbage collector has everybody stopped, nobody is to blame.
                var pause = GC.GetTotalPauseDuration();
                bool collected = pause - _gcPause > _options.HoldLimit / 2;
                _gcPause = pause;
                if (!collected)
                    foreach (var state in _states) Look(state);
                if (Stopwatch.GetElapsedTime(lastHeap).TotalSeconds >= 1)
                {
                    lastHeap = Stopwatch.GetTimestamp();
                    _heap.Look();
                }
            }
            catch (Exception e)
            {
                _log.LogError("The watchdog failed: {Text}", e.ToString());
            }
        }
    }

    private void Look(State state)
    {
        long since = state.Reactor.HeldSince;
        if (since != state.HeldSince)
        {
            if (state.Reported && state.Current is { } over)
                _log.LogWarning("Reactor {Core} goes on: it was held for about {Ms} ms by {What}.", over.Core, (long)over.Held.TotalMilliseconds, Describe(over));
            lock (_states) (state.HeldSince, state.Reported, state.Hung, state.Current) = (since, false, false, null);
            return;
        }
        if (since == 0) return; // asleep
        var held = Stopwatch.GetElapsedTime(since);
        if (held < _options.HoldLimit) return;
        var (module, what) = state.Reactor.WhatRuns();
        var hold = new ReactorHold(state.Reactor.Core, module, what, held);
        lock (_states)
        {
            state.Current = hold;
            if (state.Longest is null || state.Longest.Held < held) state.Longest = hold;
            if (!state.Reported) state.Holds++;
        }
        if (!state.Reported)
        {
            state.Reported = true;
            _log.LogWarning("Reactor {Core} is held for more than {Ms} ms by {What}.", hold.Core, (long)held.TotalMilliseconds, Describe(hold));
        }
        if (state.Hung || held < _options.HangLimit) return;
        lock (_states) state.Hung = true;
        _log.LogCritical("Reactor {Core} hangs: {What} has not returned for {Seconds:0.0} s. All that runs on this reactor stands still.", hold.Core, Describe(hold), held.TotalSeconds);
        Hung?.Invoke(hold);
        if (_options.DumpFolder is { } folder) ProcessDump.Write(folder, _log);
        if (_options.OnHang != HangAction.Report) ProcessEnd.Take(_options.OnHang, _log);
    }

    private static string Describe(ReactorHold hold) => hold.Module.Length > 0 ? $"{hold.What} of module {hold.Module}" : hold.What;

    public void Dispose()
    {
        _end.Set();
        if (_thread != Thread.CurrentThread) _thread.Join(TimeSpan.FromSeconds(1));
    }
}
