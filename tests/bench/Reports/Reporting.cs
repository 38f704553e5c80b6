using Spindle.Bench.Contenders;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>What all reports say alike.</summary>
public static class Reporting
{
    /// <summary>Whether a figure gets a line: averages and those that say nothing are in the JSON only.</summary>
    public static bool IsShown(ScenarioResult result, Metric metric)
    {
        if (metric == result.Primary) return true;
        if (metric == Metric.Average || metric == Metric.Cpu || metric == Metric.Collections || metric == Metric.Allocated) return false;
        // A figure that only one of two sides has compares nothing.
        return result.Peer.Count == 0 || (result.Of(Contender.Peer, metric) is null) == (result.Of(Contender.Spindle, metric) is null);
    }

    /// <summary>What the garbage collector had to do in Spindle's processes, all runs together; null when nothing is known.</summary>
    public static string? Collector(ScenarioResult result)
    {
        if (result.Of(Contender.Spindle, Metric.Collections) is null) return null;
        double Sum(Metric metric) => result.Spindle.Sum(sample => sample[metric] ?? 0);
        return $"{Numbers.Short(Sum(Metric.Collections))} collections, {Numbers.Short(Sum(Metric.Allocated))} bytes allocated in {result.Spindle.Count} runs";
    }

    /// <summary>A verdict as a word.</summary>
    public static string Text(Verdict verdict) => verdict switch
    {
        Verdict.Met => "met",
        Verdict.Missed => "missed",
        Verdict.Straddles => "straddles",
        _ => "not compared",
    };
}
