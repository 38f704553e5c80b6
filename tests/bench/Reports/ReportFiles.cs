using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>Writes a report's files: report.json, report.md, and a chart for each group of scenarios.</summary>
public static class ReportFiles
{
    /// <summary>Writes them into a folder, which is made.</summary>
    /// <returns>A sentence that says where they are.</returns>
    public static string Write(string folder, BenchReport report, Bars bars)
    {
        Directory.CreateDirectory(folder);
        var charts = new Dictionary<string, string>();
        foreach (var group in MarkdownReport.Group(report.Results))
        {
            if (RatioChart.Draw($"{group.Key}: {Subject([.. group])}", [.. group], null, bars) is not { } svg) continue;
            string name = string.Concat(group.Key.Replace(", ", "-", StringComparison.Ordinal).Select(c => c is '/' or ' ' ? '-' : c)) + ".svg";
            File.WriteAllText(Path.Combine(folder, name), svg);
            charts[group.Key] = name;
        }
        File.WriteAllText(Path.Combine(folder, "report.json"), report.ToJson() + "\n");
        string page = Path.Combine(folder, "report.md");
        File.WriteAllText(page, MarkdownReport.Write(report, bars, charts));
        return $"written: {page}, report.json and {charts.Count} charts beside it";
    }

    private static string Subject(IReadOnlyList<ScenarioResult> group)
    {
        string unit = group.Select(result => result.Primary.Unit).Distinct().Count() == 1 ? group[0].Primary.Unit : "each scenario's figure";
        return group.Any(result => result.Peer.Count > 0) ? $"{unit}, Spindle / peer" : unit;
    }
}
