using Spindle.Bench.Runs;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

/// <summary>Makes results for tests.</summary>
internal static class Made
{
    public static ScenarioResult Result(string name, double[] own, double[]? peer = null, Metric? metric = null) =>
        new(name, "a <title> & more", metric ?? Metric.Iops, [.. own.Select(v => Sample(v, metric))], [.. (peer ?? []).Select(v => Sample(v, metric))], null);

    public static BenchReport Report(params ScenarioResult[] results) => new([new("cpu", "some | cpu <x>"), new("runs", "7 pairs")], results);

    private static Sample Sample(double value, Metric? metric) => new() { [metric ?? Metric.Iops] = value };
}
