using System.Numerics;

namespace Spindle.Perf;

/// <summary>Counts of latencies in log-linear buckets: 64 for each power of two, so that a value is known to 1.6%. In nanoseconds.</summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 6;
    private const int SubCount = 1 << SubBits;
    private readonly long[] _counts = new long[(64 - SubBits + 1) << SubBits];

    /// <summary>Values counted.</summary>
    public long Count { get; private set; }
    /// <summary>Their sum, nanoseconds.</summary>
    public ulong Total { get; private set; }
    /// <summary>The largest, nanoseconds.</summary>
    public ulong Max { get; private set; }

    /// <summary>Counts a value.</summary>
    [DataPath]
    public void Add(ulong nanoseconds)
    {
        _counts[IndexOf(nanoseconds)]++;
        Count++;
        Total += nanoseconds;
        if (nanoseconds > Max) Max = nanoseconds;
    }

    /// <summary>Counts what another one counted.</summary>
    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
        Total += other.Total;
        Max = Math.Max(Max, other.Max);
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
        Total = Max = 0;
    }

    /// <summary>The mean, nanoseconds.</summary>
    public double Average => Count == 0 ? 0 : (double)Total / Count;

    /// <summary>The value that <paramref name="fraction"/> of all do not exceed, to the bucket's upper end.</summary>
    public ulong Quantile(double fraction)
    {
        if (Count == 0) return 0;
        long rank = Math.Max(1, (long)Math.Ceiling(fraction * Count)), seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank) return Math.Min(UpperEnd(i), Max);
        }
        return Max;
    }

    [DataPath]
    internal static int IndexOf(ulong value)
    {
        if (value < SubCount) return (int)value;
        int shift = BitOperations.Log2(value) - SubBits;
        return ((shift + 1) << SubBits) + (int)(value >> shift) - SubCount;
    }

    internal static ulong UpperEnd(int index)
    {
        if (index < SubCount) return (ulong)index;
        int shift = (index >> SubBits) - 1;
        return ((ulong)((index & (SubCount - 1)) + SubCount + 1) << shift) - 1;
    }
}
