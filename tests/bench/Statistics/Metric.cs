namespace Spindle.Bench.Statistics;

/// <summary>What a figure is.</summary>
/// <param name="Key">Its name in JSON and in the bars.</param>
/// <param name="Unit">As printed behind it.</param>
/// <param name="HigherIsBetter">Else lower is.</param>
/// <param name="Noisy">Varies with the machine; counted figures do not.</param>
public sealed record Metric(string Key, string Unit, bool HigherIsBetter, bool Noisy = true)
{
    public static readonly Metric Iops = new("iops", "IOPS", true);
    public static readonly Metric Average = new("average_us", "µs average", false);
    public static readonly Metric P50 = new("p50_us", "µs p50", false);
    public static readonly Metric P99 = new("p99_us", "µs p99", false);
    public static readonly Metric P999 = new("p99_9_us", "µs p99.9", false);
    /// <summary>Time in which the target's reactors found work, per I/O.</summary>
    public static readonly Metric BusyPerIo = new("target_busy_us_per_io", "µs busy per I/O", false);
    /// <summary>Processor time of the target's process, polling in vain included, per I/O.</summary>
    public static readonly Metric CpuPerIo = new("target_cpu_us_per_io", "µs CPU per I/O", false);
    public static readonly Metric Cpu = new("cpu_percent", "% of a core", false);
    public static readonly Metric Collections = new("collections", "collections", false, Noisy: false);
    public static readonly Metric Allocated = new("allocated_bytes", "bytes allocated", false, Noisy: false);
    public static readonly Metric Seconds = new("seconds", "s", false);
    public static readonly Metric Rss = new("rss_mb", "MB resident", false);
    public static readonly Metric HugePages = new("huge_pages_mb", "MB of huge pages", false);
    public static readonly Metric Memory = new("memory_mb", "MB in all", false);
    public static readonly Metric FirstIo = new("first_io_us", "µs first I/O", false);
    public static readonly Metric WarmIo = new("warm_io_us", "µs warm I/O", false);
    public static readonly Metric FirstToWarm = new("first_to_warm", "first / warm", false);
    /// <summary>IOPS of the active connections with the idle ones present, over IOPS without them.</summary>
    public static readonly Metric WithIdle = new("with_idle_to_without", "with / without idle", true);

    public static readonly IReadOnlyList<Metric> All =
    [
        Iops, Average, P50, P99, P999, BusyPerIo, CpuPerIo, Cpu, Collections, Allocated, Seconds, Rss, HugePages, Memory, FirstIo, WarmIo, FirstToWarm, WithIdle,
    ];

    /// <summary>The metric of a name; null when there is none.</summary>
    public static Metric? Find(string key) => All.FirstOrDefault(metric => metric.Key == key);
}
