using System.Diagnostics;
using Spindle.Host.Faults;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>A registered poller and its counters.</summary>
internal sealed class Poller : IPoller
{
    private readonly StorageThreadCore _thread;

    internal Poller(StorageThreadCore thread, string name, PollerFunction function, object? state, TimeSpan period, PollerWake wake)
    {
        _thread = thread;
        Name = name;
        Function = function;
        State = state;
        Period = period;
        PeriodTicks = (long)(period.TotalSeconds * Stopwatch.Frequency);
        Wake = wake;
        Module = CodeOwner.Of(function) ?? CodeOwner.Of(state);
        Crumb = Breadcrumbs.Acquire(Module ?? "", $"poller '{name}'");
    }

    /// <summary>Name and version of the module whose function it is; null for the host.</summary>
    internal readonly string? Module;
    internal readonly int Crumb;

    public string Name { get; }
    public TimeSpan Period { get; }

    internal readonly PollerFunction Function;
    internal readonly object? State;
    internal readonly long PeriodTicks;
    internal readonly PollerWake Wake;
    internal long NextRun;
    internal bool IsPaused;
    internal bool IsUnregistered;
    internal ulong Id;
    internal long RunCount;
    internal long BusyCount;

    public void Pause()
    {
        if (IsPaused) return;
        IsPaused = true;
        _thread.OnPollersChanged();
    }

    public void Resume()
    {
        if (!IsPaused) return;
        IsPaused = false;
        if (PeriodTicks > 0) NextRun = _thread.Timestamp() + PeriodTicks;
        _thread.OnPollersChanged();
    }

    public void Unregister()
    {
        if (IsUnregistered) return;
        IsUnregistered = true;
        _thread.OnPollersChanged();
    }
}

/// <summary>A thread's pollers: registering, pausing and unregistering are allowed inside a poller's function.</summary>
internal sealed class PollerList
{
    private Poller[] _items = [];
    private bool _dirty;
    private readonly List<Poller> _all = [];

    /// <summary>All that are registered, for statistics; on the owning thread.</summary>
    public IReadOnlyList<Poller> All => _all;

    /// <summary>Those to run now; stable while being walked, since a change makes a new array.</summary>
    public Poller[] Running
    {
        get
        {
            if (_dirty) Rebuild();
            return _items;
        }
    }

    public void Add(Poller poller)
    {
        _all.Add(poller);
        _dirty = true;
    }

    public void Invalidate() => _dirty = true;

    private void Rebuild()
    {
        _dirty = false;
        _all.RemoveAll(static p =>
        {
            if (p.IsUnregistered) Breadcrumbs.Release(p.Crumb);
            return p.IsUnregistered;
        });
        _items = _all.Where(static p => !p.IsPaused).ToArray();
    }
}
