using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Spindle.Perf;

/// <summary>Prints results: a table that grows line by line, or one JSON document at the end.</summary>
/// <param name="output">Where to.</param>
/// <param name="json">JSON, not a table.</param>
/// <param name="subject">What is measured: "bdev", "target".</param>
public sealed class PerfReport(TextWriter output, bool json, string subject)
{
    private const string Row = "{0,-16} {1,-16} {2,8} {3,5} {4,3} {5,12} {6,10} {7,9} {8,9} {9,9} {10,9} {11,6} {12,4} {13,9}";

    private readonly List<PerfResult> _results = [];
    private readonly List<(string Subject, string Pattern, int QueueDepth, string Reason)> _failures = [];

    /// <summary>Prints the heading.</summary>
    public void Begin()
    {
        if (json) return;
        Line(subject, "pattern", "io size", "qd", "par", "IOPS", "MiB/s", "avg us", "p50 us", "p99 us", "p99.9 us", "CPU %", "GCs", "allocated");
    }

    /// <summary>Prints one line.</summary>
    public void Add(PerfResult result)
    {
        _results.Add(result);
        if (json) return;
        var l = result.Latencies;
        Line(result.Subject, result.Pattern, result.IoSize, result.QueueDepth, result.Parallel, Text(result.Iops, "N0"), Text(result.MebibytesPerSecond, "N1"),
            Micro(l.Average), Micro(l.Quantile(0.5)), Micro(l.Quantile(0.99)), Micro(l.Quantile(0.999)),
            Text(result.CpuPercent, "F0"), result.Collections, result.AllocatedBytes);
        output.Flush();
    }

    /// <summary>Prints why a run failed.</summary>
    public void Failed(string name, PerfPattern pattern, int queueDepth, string reason)
    {
        _failures.Add((name, pattern.Name, queueDepth, reason));
        if (!json) output.WriteLine($"{name}, {pattern.Name}, queue depth {queueDepth}: {reason}");
    }

    /// <summary>Prints what comes at the end.</summary>
    public void End()
    {
        if (!json) return;
        using var stream = new MemoryStream();
        using (var w = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            w.WriteStartObject();
            w.WriteStartArray("results");
            foreach (var result in _results) Write(w, result);
            w.WriteEndArray();
            w.WriteStartArray("failures");
            foreach (var (name, pattern, queueDepth, reason) in _failures)
            {
                w.WriteStartObject();
                w.WriteString(subject, name);
                w.WriteString("pattern", pattern);
                w.WriteNumber("queue_depth", queueDepth);
                w.WriteString("reason", reason);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(stream.ToArray()));
    }

    private void Write(Utf8JsonWriter w, PerfResult result)
    {
        var l = result.Latencies;
        w.WriteStartObject();
        w.WriteString(subject, result.Subject);
        w.WriteString("pattern", result.Pattern);
        w.WriteNumber("io_size", result.IoSize);
        w.WriteNumber("queue_depth", result.QueueDepth);
        w.WriteNumber("parallel", result.Parallel);
        w.WriteNumber("seconds", Math.Round(result.Seconds, 3));
        w.WriteNumber("ios", l.Count);
        w.WriteNumber("iops", Math.Round(result.Iops, 1));
        w.WriteNumber("mib_per_second", Math.Round(result.MebibytesPerSecond, 2));
        w.WriteNumber("average_us", Math.Round(l.Average / 1000, 3));
        w.WriteNumber("p50_us", l.Quantile(0.5) / 1000.0);
        w.WriteNumber("p99_us", l.Quantile(0.99) / 1000.0);
        w.WriteNumber("p99_9_us", l.Quantile(0.999) / 1000.0);
        w.WriteNumber("max_us", l.Max / 1000.0);
        w.WriteNumber("cpu_percent", Math.Round(result.CpuPercent, 1));
        w.WriteNumber("collections", result.Collections);
        w.WriteNumber("allocated_bytes", result.AllocatedBytes);
        w.WriteEndObject();
    }

    private void Line(params object[] values) => output.WriteLine(string.Format(CultureInfo.InvariantCulture, Row, values));

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Micro(double nanoseconds) => (nanoseconds / 1000).ToString("F1", CultureInfo.InvariantCulture);
}
