using System.Globalization;
using System.Text.RegularExpressions;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Peer;

/// <summary>Reads what the peer's spdk_nvme_perf prints with -L: a line "Total : IOPS MiB/s Average min max", then for each core
/// "Summary latency data" with lines "99.00000% : 12.345us".</summary>
public static partial class NvmePerfOutput
{
    /// <exception cref="BenchException">There is no such line.</exception>
    public static Sample Parse(string output, string commandLine)
    {
        var lines = output.Split('\n', '\r');
        var total = lines.Select(line => TotalLine().Match(line)).LastOrDefault(match => match.Success)
            ?? throw new BenchException($"no line 'Total' in the output of {commandLine}:\n{output.Trim()}");
        double iops = Number(total.Groups["iops"]);
        if (iops <= 0) throw new BenchException($"no I/O was done: {total.Value.Trim()} ({commandLine})");
        var sample = new Sample { [Metric.Iops] = iops, [Metric.Average] = Number(total.Groups["avg"]) };
        foreach (var (share, metric) in new[] { (50.0, Metric.P50), (99.0, Metric.P99), (99.9, Metric.P999) })
        {
            // With several cores there is a summary for each; the worst one stands for all.
            var values = lines.Select(line => QuantileLine().Match(line)).Where(match => match.Success && Number(match.Groups["share"]) == share)
                .Select(match => Number(match.Groups["us"])).ToList();
            if (values.Count > 0) sample[metric] = values.Max();
        }
        return sample;
    }

    private static double Number(Group group) => double.Parse(group.ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\s*Total\s*:\s+(?<iops>[\d.]+)\s+(?<mib>[\d.]+)\s+(?<avg>[\d.]+)\s+(?<min>[\d.]+)\s+(?<max>[\d.]+)\s*$")]
    private static partial Regex TotalLine();

    [GeneratedRegex(@"^\s*(?<share>\d+\.\d+)%\s*:\s*(?<us>[\d.]+)us\s*$")]
    private static partial Regex QuantileLine();
}
