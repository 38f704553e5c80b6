using System.Diagnostics;

namespace Spindle.Bdev.Delay;

/// <summary>The kinds of latency, in the order in which a channel keeps their queues.</summary>
public enum DelayKind
{
    /// <summary>99 of 100 reads.</summary>
    AverageRead,
    /// <summary>1 of 100 reads.</summary>
    P99Read,
    /// <summary>99 of 100 writes.</summary>
    AverageWrite,
    /// <summary>1 of 100 writes.</summary>
    P99Write,
}

/// <summary>How late each kind of I/O completes. Changed on the app thread while other threads read it.</summary>
public sealed class DelayLatencies
{
    /// <summary>µs of the longest latency: a day.</summary>
    public const ulong Longest = 86_400_000_000;

    private readonly ulong[] _microseconds = new ulong[4];
    private volatile bool _suspended;
    private readonly long[] _ticks = new long[4];

    /// <summary>µs.</summary>
    public ulong this[DelayKind kind]
    {
        get => _microseconds[(int)kind];
        set
        {
            _microseconds[(int)kind] = value;
            Volatile.Write(ref _ticks[(int)kind], (long)(value * (UInt128)Stopwatch.Frequency / 1_000_000));
        }
    }

    /// <summary>True while nothing is to be delayed.</summary>
    public bool AreSuspended
    {
        get => _suspended;
        set => _suspended = value;
    }

    /// <summary>In <see cref="Stopwatch"/> ticks; 0 while they are suspended. On any thread.</summary>
    [DataPath]
    public long Ticks(DelayKind kind) => _suspended ? 0 : Volatile.Read(ref _ticks[(int)kind]);
}
