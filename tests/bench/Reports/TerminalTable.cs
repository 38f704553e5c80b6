using Spectre.Console;
using Spindle.Bench.Contenders;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>The results on the terminal: one row for each scenario as it ends, further figures below it.</summary>
public sealed class TerminalTable(IAnsiConsole console, Bars bars, bool withPeer)
{
    /// <summary>Prints the machine.</summary>
    public void Machine(IEnumerable<KeyValuePair<string, string>> facts)
    {
        foreach (var (name, value) in facts) console.MarkupLineInterpolated($"[grey]{name,-9}[/] {value}");
        console.WriteLine();
        console.MarkupLineInterpolated($"{Row("scenario", "figure", "Spindle", "min – max", "peer", "min – max", "ratio", "interval", "bar")}");
    }

    /// <summary>Prints a scenario.</summary>
    public void Add(ScenarioResult result)
    {
        bool first = true;
        foreach (var metric in result.Metrics.Where(metric => Reporting.IsShown(result, metric)))
        {
            Interval? own = result.Of(Contender.Spindle, metric), peer = result.Of(Contender.Peer, metric), ratio = result.Ratio(metric);
            var judged = result.Judge(bars, metric);
            string colour = judged?.Verdict switch { Verdict.Met => "green", Verdict.Missed => "red", Verdict.Straddles => "yellow", _ => "default" };
            string row = Row(first ? result.Name : "", metric.Unit, Text(own), Range(own), Text(peer), Range(peer),
                ratio is null ? "" : Numbers.Ratio(ratio.Median), ratio is null ? "" : $"{Numbers.Ratio(ratio.Low)} – {Numbers.Ratio(ratio.High)}",
                judged is { } j ? $"{j.Bar} {Reporting.Text(j.Verdict)}" : "");
            console.MarkupLine($"[{colour}]{Markup.Escape(row)}[/]");
            first = false;
        }
        if (Reporting.Collector(result) is { } collector) console.MarkupLine($"[grey]{Markup.Escape($"{"",-34} {collector}")}[/]");
        if (result.Failure is { } failure) console.MarkupLine($"[red]{Markup.Escape($"{result.Name}: {failure}")}[/]");
    }

    private string Row(string name, string figure, string own, string ownRange, string peer, string peerRange, string ratio, string interval, string bar) => (withPeer
        ? $"{name,-34} {figure,-20} {own,11} {ownRange,-23} {peer,11} {peerRange,-23} {ratio,5} {interval,-11} {bar}"
        : $"{name,-34} {figure,-20} {own,11} {ownRange,-23} {bar}").TrimEnd();

    private static string Text(Interval? interval) => interval is null ? "" : Numbers.Short(interval.Median);

    private static string Range(Interval? interval) => interval is null || interval.Count < 2 ? "" : $"{Numbers.Short(interval.Min)} – {Numbers.Short(interval.Max)}";
}
