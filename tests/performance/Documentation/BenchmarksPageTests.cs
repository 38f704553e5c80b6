using System.Xml.Linq;
using Spindle.Bench.Reports;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Documentation;

/// <summary>docs/benchmarks.md is a report of the harness, not written by hand: made again from its data it is the same.</summary>
public sealed class BenchmarksPageTests
{
    private static readonly string s_docs = Path.Combine(Repository.Root, "docs");

    [Fact]
    public void The_page_is_what_its_data_say()
    {
        var report = BenchReport.Load(Path.Combine(s_docs, "benchmarks", "report.json"));
        var bars = Bars.Load(Path.Combine(AppContext.BaseDirectory, "bars.json"));
        Assert.NotEmpty(report.Results);
        string made = ReportFiles.Page(report, bars, "benchmarks/");
        Assert.True(made == File.ReadAllText(Path.Combine(s_docs, "benchmarks.md")).ReplaceLineEndings("\n"),
            "docs/benchmarks.md differs from its data or the bars; run: ./build.sh bench --render docs/benchmarks/report.json --page docs/benchmarks.md");
    }

    [Fact]
    public void Its_charts_are_well_formed()
    {
        var charts = Directory.GetFiles(Path.Combine(s_docs, "benchmarks"), "*.svg");
        Assert.NotEmpty(charts);
        Assert.All(charts, chart => Assert.Equal("svg", XDocument.Load(chart).Root!.Name.LocalName));
    }
}
