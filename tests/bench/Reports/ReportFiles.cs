using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>Writes a report's files: the page, its data, and a chart for each group of scenarios.</summary>
public static class ReportFiles
{
    /// <summary>Writes report.md into a folder, and all else beside it.</summary>
    /// <returns>A sentence that says where they are.</returns>
    public static string Write(string folder, BenchReport report, Bars bars) => Write(Path.Combine(folder, "report.md"), folder, "", report, bars);

    /// <summary>Writes a page for the documentation; data and charts go into a folder of the page's name beside it.</summary>
    /// <returns>A sentence that says where they are.</returns>
    public static string WritePage(string page, BenchReport report, Bars bars)
    {
        string name = Path.GetFileNameWithoutExtension(page);
        return Write(page, Path.Combine(Path.GetDirectoryName(Path.GetFullPath(page))!, name), name + "/", report, bars);
    }

    private static string Write(string page, string folder, string link, BenchReport report, Bars bars)
    {
        Directory.CreateDirectory(folder);
        foreach (var (group, svg) in Charts(report, bars)) File.WriteAllText(Path.Combine(folder, FileName(group)), svg);
        File.WriteAllText(Path.Combine(folder, "report.json"), report.ToJson() + "\n");
        File.WriteAllText(page, Page(report, bars, link));
        return $"written: {page}, with data and charts in {folder}";
    }

    /// <summary>The page's text.</summary>
    /// <param name="report">What was measured.</param>
    /// <param name="bars">What is to be reached.</param>
    /// <param name="link">What comes before the charts' file names.</param>
    public static string Page(BenchReport report, Bars bars, string link) =>
        MarkdownReport.Write(report, bars, Charts(report, bars).ToDictionary(chart => chart.Group, chart => link + FileName(chart.Group)));

    private static IEnumerable<(string Group, string Svg)> Charts(BenchReport report, Bars bars)
    {
        foreach (var group in MarkdownReport.Group(report.Results))
            if (RatioChart.Draw($"{group.Key}: {Subject([.. group])}", [.. group], null, bars) is { } svg) yield return (group.Key, svg);
    }

    private static string FileName(string group) =>
        string.Concat(group.Replace(", ", "-", StringComparison.Ordinal).Select(c => c is '/' or ' ' ? '-' : c)) + ".svg";

    private static string Subject(IReadOnlyList<ScenarioResult> group)
    {
        string unit = group.Select(result => result.Primary.Unit).Distinct().Count() == 1 ? group[0].Primary.Unit : "each scenario's figure";
        return group.Any(result => result.Peer.Count > 0) ? $"{unit}, Spindle / peer" : unit;
    }
}
