using System.Diagnostics;

namespace Spindle.Host.Reactors;

/// <summary>How long a reactor with nothing to do looks on before it sleeps. Being woken costs tens of microseconds, so where sleeps turn out to be short (a host that
/// thinks a while between its commands) it looks on for longer, up to <see cref="Growth"/> times the base; where they turn out to be long, it comes back to the base.</summary>
/// <remarks>What ends by its time limit (a timed poller) was no I/O that waited, and counts as a long sleep. The idea is that of KVM's halt polling.</remarks>
internal struct IdleSpin
{
    /// <summary>The longest time, as a multiple of the base: 200 µs with the base of 50 µs.</summary>
    public const int Growth = 4;

    private static readonly long s_shortSleep = Stopwatch.Frequency / 1000;

    private readonly long _base;

    /// <param name="baseTicks">The shortest time, in Stopwatch ticks; all ones: never sleep.</param>
    public IdleSpin(long baseTicks)
    {
        _base = baseTicks;
        Ticks = baseTicks;
    }

    /// <summary>Ticks to look on for.</summary>
    public long Ticks { get; private set; }

    /// <summary>A sleep has ended.</summary>
    /// <param name="slept">Ticks.</param>
    /// <param name="byEvent">It was woken, and did not sleep to the end of its time.</param>
    public void OnWoke(long slept, bool byEvent)
    {
        // Never sleeping, or at once, is not to be learned away.
        if (_base <= 0 || _base == long.MaxValue) return;
        if (byEvent && slept < s_shortSleep) Ticks = Math.Min(Ticks * 2, _base * Growth);
        else Ticks = Math.Max(Ticks / 2, _base);
    }
}
