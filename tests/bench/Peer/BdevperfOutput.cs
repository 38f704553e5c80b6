using System.Globalization;
using System.Text.RegularExpressions;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Peer;

/// <summary>Reads what the peer's bdevperf prints: a table with a line "Total : IOPS MiB/s Fail/s TO/s Average min max" at its end.</summary>
public static partial class BdevperfOutput
{
    /// <exception cref="BenchException">There is no such line, or I/Os failed.</exception>
    public static Sample Parse(string output, string commandLine)
    {
        // Lines are overwritten with carriage returns while it runs; the last Total counts.
        var total = output.Split('\n', '\r').Select(line => TotalLine().Match(line)).LastOrDefault(match => match.Success)
            ?? throw new BenchException($"no line 'Total' in the output of {commandLine}:\n{output.Trim()}");
        double Value(string group) => double.Parse(total.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
        if (Value("fail") > 0) throw new BenchException($"I/Os failed: {total.Value.Trim()} ({commandLine})");
        if (Value("iops") <= 0) throw new BenchException($"no I/O was done: {total.Value.Trim()} ({commandLine})");
        return new Sample { [Metric.Iops] = Value("iops"), [Metric.Average] = Value("avg") };
    }

    [GeneratedRegex(@"^\s*Total\s*:\s+(?<iops>[\d.]+)\s+(?<mib>[\d.]+)\s+(?<fail>[\d.]+)\s+(?<timeout>[\d.]+)\s+(?<avg>[\d.]+)\s+(?<min>[\d.]+)\s+(?<max>[\d.]+)\s*$")]
    private static partial Regex TotalLine();
}
