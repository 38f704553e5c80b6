using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Runs;

/// <summary>How a figure changed.</summary>
public enum ChangeKind
{
    /// <summary>Within the noise.</summary>
    Same,
    Improved,
    Regressed,
}

/// <summary>One figure of two runs.</summary>
public sealed record BaselineChange(string Scenario, Metric Metric, Interval Before, Interval Now, ChangeKind Kind)
{
    /// <summary>Now over before.</summary>
    public double Ratio => Before.Median == 0 ? (Now.Median == 0 ? 1 : double.PositiveInfinity) : Now.Median / Before.Median;
}

/// <summary>Compares a run with an earlier one. A figure has changed when the two runs' ranges of all values do not overlap and the medians are
/// at least 5% apart: a noisy machine makes the ranges wide by itself. Figures that are counted change when they differ at all.</summary>
public static class BaselineComparison
{
    private const double LeastChange = 0.05;

    private static readonly Metric[] s_besidePrimary = [Metric.P99, Metric.P999, Metric.Collections, Metric.Allocated];

    /// <summary>All figures that both have; the primary ones, tail latencies, and what is to be zero.</summary>
    public static IReadOnlyList<BaselineChange> Compare(BenchReport before, BenchReport now)
    {
        var changes = new List<BaselineChange>();
        foreach (var result in now.Results)
        {
            if (before.Results.FirstOrDefault(earlier => earlier.Name == result.Name) is not { } old) continue;
            foreach (var metric in s_besidePrimary.Prepend(result.Primary).Distinct())
                if (old.Of(Contender.Spindle, metric) is { } was && result.Of(Contender.Spindle, metric) is { } isNow)
                    changes.Add(new BaselineChange(result.Name, metric, was, isNow, Judge(metric, was, isNow)));
        }
        return changes;
    }

    internal static ChangeKind Judge(Metric metric, Interval before, Interval now)
    {
        bool apart = now.Min > before.Max || now.Max < before.Min;
        double least = metric.Noisy ? LeastChange * Math.Abs(before.Median) : 0;
        double change = now.Median - before.Median;
        if (!apart || Math.Abs(change) <= least) return ChangeKind.Same;
        return change > 0 == metric.HigherIsBetter ? ChangeKind.Improved : ChangeKind.Regressed;
    }
}
