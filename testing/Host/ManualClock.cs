using System.Diagnostics;
using Spindle.Host.Reactors;

namespace Spindle.Testing;

/// <summary>A clock that stands until a test moves it.</summary>
public sealed class ManualClock : IReactorClock
{
    private Func<Task>? _turn;
    private long _ticks = Stopwatch.Frequency; // not 0: that stands for "never" in places

    /// <inheritdoc/>
    public long Ticks => Volatile.Read(ref _ticks);

    /// <summary>The time since the start.</summary>
    public TimeSpan Elapsed => TimeSpan.FromSeconds((double)(Ticks - Stopwatch.Frequency) / Stopwatch.Frequency);

    /// <summary>Moves time forward and returns when every storage thread has seen it: timed pollers that became due have run once, timeouts have completed.</summary>
    /// <param name="time">Not negative.</param>
    public async Task AdvanceAsync(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        Interlocked.Add(ref _ticks, (long)(time.TotalSeconds * Stopwatch.Frequency));
        if (_turn is null) return;
        // A turn runs messages before pollers and the ring after both: at the third message all of the first turn is behind.
        for (int i = 0; i < 3; i++) await _turn().ConfigureAwait(false);
    }

    internal void Attach(Func<Task> turn) => _turn = turn;
}
