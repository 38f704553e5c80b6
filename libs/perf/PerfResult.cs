using System.Diagnostics;

namespace Spindle.Perf;

/// <summary>What one run measured.</summary>
/// <param name="Subject">The bdev or target.</param>
/// <param name="Pattern">The pattern's name.</param>
/// <param name="IoSize">Bytes of an I/O.</param>
/// <param name="QueueDepth">I/Os outstanding on each thread or queue.</param>
/// <param name="Parallel">Threads or queues.</param>
/// <param name="Seconds">Measured time.</param>
/// <param name="Latencies">From submission to completion.</param>
/// <param name="CpuPercent">Of the whole process; 100 is one core.</param>
/// <param name="Collections">Garbage collections while measuring.</param>
/// <param name="AllocatedBytes">Managed bytes allocated on the reactors while measuring.</param>
public sealed record PerfResult(string Subject, string Pattern, uint IoSize, int QueueDepth, int Parallel, double Seconds, LatencyHistogram Latencies,
    double CpuPercent, int Collections, long AllocatedBytes)
{
    /// <summary>I/Os per second.</summary>
    public double Iops => Seconds > 0 ? Latencies.Count / Seconds : 0;

    /// <summary>MiB per second.</summary>
    public double MebibytesPerSecond => Iops * IoSize / (1 << 20);
}

/// <summary>What the process used between two moments.</summary>
public sealed class PerfUsage
{
    /// <summary>100 is one core.</summary>
    public double CpuPercent { get; private init; }

    /// <summary>Garbage collections.</summary>
    public int Collections { get; private init; }

    /// <summary>Measures from one timestamp of <see cref="Stopwatch"/> to another, on the thread pool: no reactor has to do with it.
    /// Ends early with <paramref name="running"/>.</summary>
    public static Task<PerfUsage> MeasureAsync(long from, long until, Task running) => Task.Run(async () =>
    {
        await Task.WhenAny(running, Task.Delay(Until(from)));
        var cpu = System.Environment.CpuUsage.TotalTime;
        long wall = Stopwatch.GetTimestamp();
        int collections = GC.CollectionCount(0);
        await Task.WhenAny(running, Task.Delay(Until(until)));
        double seconds = Stopwatch.GetElapsedTime(wall).TotalSeconds;
        return new PerfUsage
        {
            CpuPercent = seconds > 0 ? (System.Environment.CpuUsage.TotalTime - cpu).TotalSeconds / seconds * 100 : 0,
            Collections = GC.CollectionCount(0) - collections,
        };
    });

    private static TimeSpan Until(long timestamp)
    {
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), timestamp);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
