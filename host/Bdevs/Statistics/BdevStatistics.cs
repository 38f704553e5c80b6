using System.Runtime.CompilerServices;
using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>Which counters to set to zero; the names on the wire are these.</summary>
public enum BdevStatisticsReset
{
    /// <summary>None.</summary>
    None,
    /// <summary>All.</summary>
    All,
    /// <summary>The longest and shortest times.</summary>
    Maxmin,
    /// <summary>Those of errors.</summary>
    Error,
}

/// <summary>I/Os that ended with an error, by status: the one with status -1 (failed) first, then -2 and so on.</summary>
[InlineArray(Length)]
public struct BdevErrorCounts
{
    /// <summary>How many statuses there are.</summary>
    public const int Length = 7;

    private ulong _first;
}

/// <summary>Counters of one bdev on one storage thread, or a sum of them. Written by the owning thread only.</summary>
public struct BdevStatistics
{
    /// <summary>False only where the environment says SPINDLE_BDEV_STATISTICS=0: a switch for measuring what the counters cost (docs/performance.md).
    /// The compiler treats it as a constant.</summary>
    internal static readonly bool AreKept = Environment.GetEnvironmentVariable("SPINDLE_BDEV_STATISTICS") != "0";

    /// <summary>Completed reads, and their bytes and time in Stopwatch ticks.</summary>
    public ulong Reads, BytesRead, ReadTicks;
    /// <summary>The longest and shortest read, in ticks; the shortest is 0 while there was none.</summary>
    public ulong MaxReadTicks, MinReadTicks;
    /// <summary>Completed writes, zone appends among them, and their bytes and time.</summary>
    public ulong Writes, BytesWritten, WriteTicks;
    /// <summary>The longest and shortest write, in ticks.</summary>
    public ulong MaxWriteTicks, MinWriteTicks;
    /// <summary>Completed unmaps, and their bytes and time.</summary>
    public ulong Unmaps, BytesUnmapped, UnmapTicks;
    /// <summary>The longest and shortest unmap, in ticks.</summary>
    public ulong MaxUnmapTicks, MinUnmapTicks;
    /// <summary>Completed copies, and their bytes and time.</summary>
    public ulong Copies, BytesCopied, CopyTicks;
    /// <summary>The longest and shortest copy, in ticks.</summary>
    public ulong MaxCopyTicks, MinCopyTicks;
    /// <summary>I/Os that ended with an error status, of any type.</summary>
    public BdevErrorCounts Errors;
    /// <summary>Completions refused because they came twice, late or on the wrong thread.</summary>
    public ulong BadCompletions;
    /// <summary>Times the module was short of memory and an I/O was queued.</summary>
    public ulong NoMemory;

    /// <summary>Counts an I/O that succeeded.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="ticks">How long the module had it; 0: less than a turn of the reactor, whose clock is read once a turn.</param>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Count(BdevIoType type, ulong bytes, ulong ticks)
    {
        if (type == BdevIoType.Read)
        {
            Reads++;
            BytesRead += bytes;
            if (ticks != 0) Time(ref ReadTicks, ref MinReadTicks, ref MaxReadTicks, ticks);
        }
        else if (type == BdevIoType.Write)
        {
            Writes++;
            BytesWritten += bytes;
            if (ticks != 0) Time(ref WriteTicks, ref MinWriteTicks, ref MaxWriteTicks, ticks);
        }
        else
        {
            CountRare(type, bytes, ticks);
        }
    }

    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void CountRare(BdevIoType type, ulong bytes, ulong ticks)
    {
        switch (type)
        {
            case BdevIoType.ZoneAppend:
                Writes++;
                BytesWritten += bytes;
                if (ticks != 0) Time(ref WriteTicks, ref MinWriteTicks, ref MaxWriteTicks, ticks);
                break;
            case BdevIoType.Unmap:
                Unmaps++;
                BytesUnmapped += bytes;
                Time(ref UnmapTicks, ref MinUnmapTicks, ref MaxUnmapTicks, ticks);
                break;
            case BdevIoType.Copy:
                Copies++;
                BytesCopied += bytes;
                Time(ref CopyTicks, ref MinCopyTicks, ref MaxCopyTicks, ticks);
                break;
        }
    }

    private static void Time(ref ulong sum, ref ulong min, ref ulong max, ulong ticks)
    {
        sum += ticks;
        if (ticks > max) max = ticks;
        if (ticks < min || min == 0) min = ticks;
    }

    /// <summary>Adds another thread's counters.</summary>
    public void Add(in BdevStatistics other)
    {
        Reads += other.Reads; BytesRead += other.BytesRead; ReadTicks += other.ReadTicks;
        Writes += other.Writes; BytesWritten += other.BytesWritten; WriteTicks += other.WriteTicks;
        Unmaps += other.Unmaps; BytesUnmapped += other.BytesUnmapped; UnmapTicks += other.UnmapTicks;
        Copies += other.Copies; BytesCopied += other.BytesCopied; CopyTicks += other.CopyTicks;
        Extremes(ref MinReadTicks, ref MaxReadTicks, other.MinReadTicks, other.MaxReadTicks);
        Extremes(ref MinWriteTicks, ref MaxWriteTicks, other.MinWriteTicks, other.MaxWriteTicks);
        Extremes(ref MinUnmapTicks, ref MaxUnmapTicks, other.MinUnmapTicks, other.MaxUnmapTicks);
        Extremes(ref MinCopyTicks, ref MaxCopyTicks, other.MinCopyTicks, other.MaxCopyTicks);
        for (int i = 0; i < BdevErrorCounts.Length; i++) Errors[i] += other.Errors[i];
        BadCompletions += other.BadCompletions;
        NoMemory += other.NoMemory;
    }

    [DataPath]
    internal void CountError(BdevIoStatus status)
    {
        int index = -(int)status - 1;
        if ((uint)index < BdevErrorCounts.Length) Errors[index]++;
    }

    /// <summary>Sets counters to zero.</summary>
    public void Reset(BdevStatisticsReset which)
    {
        if (which == BdevStatisticsReset.All)
        {
            this = default;
        }
        else if (which == BdevStatisticsReset.Maxmin)
        {
            MinReadTicks = MaxReadTicks = MinWriteTicks = MaxWriteTicks = 0;
            MinUnmapTicks = MaxUnmapTicks = MinCopyTicks = MaxCopyTicks = 0;
        }
        else if (which == BdevStatisticsReset.Error)
        {
            Errors = default;
        }
    }

    private static void Extremes(ref ulong min, ref ulong max, ulong otherMin, ulong otherMax)
    {
        if (otherMax > max) max = otherMax;
        if (otherMin != 0 && (otherMin < min || min == 0)) min = otherMin;
    }
}
