using System.Text;
using Spindle.Bench.Contenders;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>The report as a page: what was found, how it was measured, a table and a chart for each group of scenarios.</summary>
public static class MarkdownReport
{
    /// <summary>Writes the page.</summary>
    /// <param name="report">What was measured.</param>
    /// <param name="bars">What is to be reached.</param>
    /// <param name="charts">File names of charts by group; groups without one have none.</param>
    public static string Write(BenchReport report, Bars bars, IReadOnlyDictionary<string, string> charts)
    {
        var page = new StringBuilder("# Benchmarks\n\n");
        bool withPeer = report.Results.Any(result => result.Peer.Count > 0);
        page.Append("Made by `./build.sh bench`; `./build.sh bench --help` says how to repeat it. [performance.md](performance.md) explains what the figures come from.\n\n");
        foreach (var (name, value) in report.Machine) page.Append($"- **{name}**: {value}\n");
        page.Append('\n').Append(Legend(withPeer)).Append('\n');
        page.Append(Summary(report, bars));
        foreach (var group in Group(report.Results))
        {
            page.Append($"\n## {group.Key}\n\n");
            if (charts.TryGetValue(group.Key, out string? chart)) page.Append($"![{group.Key}: {(withPeer ? "ratio to the peer" : "medians")} of each scenario]({chart})\n\n");
            page.Append(withPeer ? "| scenario | figure | Spindle | min – max | peer | min – max | ratio | interval | to reach |\n|---|---|--:|--:|--:|--:|--:|--:|---|\n"
                : "| scenario | figure | Spindle | min – max | to reach |\n|---|---|--:|--:|---|\n");
            foreach (var result in group) Rows(page, result, bars, withPeer);
            foreach (var result in group)
                if (result.Failure is { } failure) page.Append($"\n`{result.Name}` could not be measured: {failure.Split('\n')[0]}\n");
            if (Collections(group) is { } line) page.Append('\n').Append(line).Append('\n');
        }
        return page.ToString();
    }

    /// <summary>The groups of a report: the first two parts of the names, "bdev/null"; connections and processes apart.</summary>
    public static IEnumerable<IGrouping<string, ScenarioResult>> Group(IEnumerable<ScenarioResult> results) => results.GroupBy(result =>
    {
        var parts = result.Name.Split('/');
        if (parts[0] != "nvmf") return parts[0] == "bdev" ? $"{parts[0]}/{parts[1]}" : parts[0];
        return parts.Length > 5 ? "nvmf, several connections" : $"nvmf/{parts[1]}";
    });

    private static string Legend(bool withPeer) =>
        "Medians of all runs, with the smallest and the largest. " + (withPeer
            ? "Runs alternate: Spindle, peer, Spindle, peer. A ratio is the median of the ratios of neighbouring runs, Spindle over peer; its interval is made of order " +
              "statistics (binomial) and holds the true median with at least 95% where there are six pairs or more. *Met* and *missed*: the whole interval is on one side of " +
              "the bar; *straddles*: it is not, and more pairs are needed. Over NVMe/TCP the same client, the peer's, drives both targets; target on core 0, client on core 1. " +
              "*Busy* is the time in which the target's reactors found work, *CPU* what its process used.\n"
            : "The interval against which limits are held is made of order statistics (binomial).\n");

    private static string Summary(BenchReport report, Bars bars)
    {
        var judged = report.Results.SelectMany(result => result.Metrics.Select(metric => result.Judge(bars, metric))).OfType<(Bar Bar, Interval? Found, Verdict Verdict)>()
            .Where(found => found.Found is not null).ToList();
        return judged.Count == 0 ? "" : string.Join(", ", judged.GroupBy(found => found.Verdict).OrderBy(group => group.Key)
            .Select(group => $"**{group.Count()} {Reporting.Text(group.Key)}**")) + $" of {judged.Count} bars.\n";
    }

    private static void Rows(StringBuilder page, ScenarioResult result, Bars bars, bool withPeer)
    {
        bool first = true;
        foreach (var metric in result.Metrics.Where(metric => Reporting.IsShown(result, metric)))
        {
            Interval? own = result.Of(Contender.Spindle, metric), peer = result.Of(Contender.Peer, metric), ratio = result.Ratio(metric);
            page.Append($"| {(first ? $"`{result.Name}`" : "")} | {metric.Unit} | {Median(own)} | {Range(own)} |");
            if (withPeer)
                page.Append($" {Median(peer)} | {Range(peer)} | {(ratio is null ? "" : Numbers.Ratio(ratio.Median))} | {(ratio is null ? "" : $"{Numbers.Ratio(ratio.Low)} – {Numbers.Ratio(ratio.High)}")} |");
            page.Append(result.Judge(bars, metric) is { } judged ? $" {judged.Bar}: **{Reporting.Text(judged.Verdict)}** |\n" : " |\n");
            first = false;
        }
    }

    private static string? Collections(IEnumerable<ScenarioResult> group)
    {
        var known = group.Where(result => result.Of(Contender.Spindle, Metric.Collections) is not null).ToList();
        if (known.Count == 0) return null;
        double Sum(Metric metric) => known.Sum(result => result.Spindle.Sum(sample => sample[metric] ?? 0));
        return $"Spindle, all {known.Sum(result => result.Spindle.Count)} runs together: {Numbers.Short(Sum(Metric.Collections))} garbage collections, {Numbers.Short(Sum(Metric.Allocated))} bytes allocated on the reactors.";
    }

    private static string Median(Interval? interval) => interval is null ? "" : Numbers.Short(interval.Median);

    private static string Range(Interval? interval) => interval is null || interval.Count < 2 ? "" : $"{Numbers.Short(interval.Min)} – {Numbers.Short(interval.Max)}";
}
