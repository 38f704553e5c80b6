using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>How a bdev's latencies are counted.</summary>
/// <param name="Type">The type of I/O; null: all.</param>
/// <param name="Granularity">Each power of two of ticks has 2^granularity buckets; 1 to <see cref="MaxGranularity"/>.</param>
/// <param name="MinNanoseconds">What is shorter counts as the shortest.</param>
/// <param name="MaxNanoseconds">What is not shorter counts as the longest.</param>
public sealed record BdevHistogramOptions(BdevIoType? Type = null, int Granularity = 7, ulong MinNanoseconds = 1000, ulong MaxNanoseconds = 120_000_000_000)
{
    /// <summary>With more a histogram of every latency would not fit a reply.</summary>
    public const int MaxGranularity = 12;

    /// <summary>The first range of buckets: the one that the shortest latency is in.</summary>
    internal int FirstRange => RangeOf(Ticks(MinNanoseconds), Granularity);

    /// <summary>The last range of buckets.</summary>
    internal int LastRange => RangeOf(Ticks(MaxNanoseconds) - 1, Granularity);

    /// <exception cref="SpindleException">EINVAL: the member is named.</exception>
    internal void Check()
    {
        if (Granularity is < 1 or > MaxGranularity)
            throw new SpindleException(Errno.EINVAL, $"granularity is {Granularity}; it must be 1 to {MaxGranularity}.");
        if (Ticks(MinNanoseconds) >= Ticks(MaxNanoseconds))
            throw new SpindleException(Errno.EINVAL, $"min_nsec is {MinNanoseconds} and max_nsec {MaxNanoseconds}; max_nsec must be larger, by a tick at least.");
    }

    private static ulong Ticks(ulong nanoseconds)
    {
        var ticks = (UInt128)nanoseconds * (ulong)Stopwatch.Frequency / 1_000_000_000;
        return ticks > ulong.MaxValue ? ulong.MaxValue : (ulong)ticks;
    }

    // Range 0 has a bucket for each value below 2^granularity; each range after that goes up to the next power of two.
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int RangeOf(ulong ticks, int granularity) => Math.Max(0, 64 - granularity - BitOperations.LeadingZeroCount(ticks));
}

/// <summary>Latencies in ticks, counted in buckets as SPDK lays them out: ranges by powers of two, each with the same number of equal buckets. Of one queue,
/// or a sum.</summary>
public sealed class LatencyHistogram
{
    private readonly ulong[] _buckets;
    private readonly int _granularity;
    private readonly ulong _mask;
    private readonly int _first;
    private readonly int _last;
    private readonly BdevIoType _type; // Invalid: all
    private ulong _lastTicks;
    private ulong _lastCount;

    internal LatencyHistogram(BdevHistogramOptions options)
    {
        Options = options;
        _granularity = options.Granularity;
        _mask = (1UL << _granularity) - 1;
        _type = options.Type ?? BdevIoType.Invalid;
        (_first, _last) = (options.FirstRange, options.LastRange);
        _buckets = new ulong[(_last - _first + 1) << _granularity];
    }

    /// <summary>How it counts.</summary>
    public BdevHistogramOptions Options { get; }

    /// <summary>The number of the first range.</summary>
    public int FirstRange => _first;

    /// <summary>The number of the last range.</summary>
    public int LastRange => _last;

    /// <summary>The buckets of the ranges in order, each 2^granularity.</summary>
    public ReadOnlySpan<ulong> Buckets => _buckets;

    // Not inlined: whoever counts nothing is not to carry it.
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    internal void Tally(BdevIoType type, ulong ticks)
    {
        if (_type != BdevIoType.Invalid && _type != type) return;
        // What is submitted in one turn of the reactor and ends in one has taken the same time: most do at depth.
        if (ticks == _lastTicks)
        {
            _lastCount++;
            return;
        }
        AddLast();
        (_lastTicks, _lastCount) = (ticks, 1);
    }

    /// <summary>Puts into its bucket what was counted last. Before the buckets are read, on the thread that counts.</summary>
    [DataPath]
    internal void AddLast()
    {
        int range = BdevHistogramOptions.RangeOf(_lastTicks, _granularity);
        int index = ((range - _first) << _granularity) + (int)((_lastTicks >> Math.Max(0, range - 1)) & _mask);
        // Below the first range the index is negative, above the last it is past the end.
        _buckets[Math.Clamp(index, 0, _buckets.Length - 1)] += _lastCount;
        _lastCount = 0;
    }

    /// <summary>Adds another one with the same options. On the thread on which that one counts, or when it does no more.</summary>
    internal void Add(LatencyHistogram other)
    {
        other.AddLast();
        for (int i = 0; i < _buckets.Length; i++) _buckets[i] += other._buckets[i];
    }
}
