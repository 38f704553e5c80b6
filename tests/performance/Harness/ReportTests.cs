using System.Xml.Linq;
using Spindle.Bench;
using Spindle.Bench.Reports;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

public sealed class ReportTests
{
    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";
    private static readonly Bars s_bars = new([new Bar("bdev/*", Metric.Iops, 1.0, null), new Bar("process/*", Metric.Seconds, null, 0.5)]);
    private static readonly double[] s_own = [110, 120, 130, 120, 120, 120, 120], s_peer = [100, 100, 100, 100, 100, 100, 100];

    [Fact]
    public void A_ratio_is_of_neighbouring_runs()
    {
        var ratio = Made.Result("bdev/a", [10, 30, 20], [10, 10, 20]).Ratio(Metric.Iops)!;
        Assert.Equal((1, 1, 3), (ratio.Median, ratio.Min, ratio.Max));
    }

    [Fact]
    public void A_run_without_its_neighbour_makes_no_ratio() => Assert.Equal(1, Made.Result("bdev/a", [10, 30], [10]).Ratio(Metric.Iops)!.Count);

    [Fact]
    public void Chart_is_well_formed_and_says_what_it_shows()
    {
        var chart = XDocument.Parse(RatioChart.Draw("A & B <ratio>", [Made.Result("bdev/a<b>/q1", s_own, s_peer), Made.Result("bdev/c", [90], [100])], null, s_bars)!).Root!;
        Assert.Equal(s_svg + "svg", chart.Name);
        Assert.Equal("img", (string?)chart.Attribute("role"));
        Assert.Equal("A & B <ratio>", chart.Element(s_svg + "title")!.Value);
        Assert.Contains("bdev/a<b>/q1: 1.20 times the peer, interval 1.10 to 1.30", chart.Element(s_svg + "desc")!.Value);
        Assert.Equal((string?)chart.Attribute("aria-labelledby"), $"{(string?)chart.Element(s_svg + "title")!.Attribute("id")} {(string?)chart.Element(s_svg + "desc")!.Attribute("id")}");
        Assert.Contains("0.90 ×", chart.Value);
    }

    [Fact]
    public void Bars_of_a_chart_are_as_long_as_their_values()
    {
        var chart = XDocument.Parse(RatioChart.Draw("t", [Made.Result("bdev/a", [100], [100]), Made.Result("bdev/b", [50], [100])], null, s_bars)!).Root!;
        var widths = chart.Elements(s_svg + "rect").Skip(1).Select(rect => (double)rect.Attribute("width")!).ToList();
        Assert.Equal(2, widths[0] / widths[1], 2);
    }

    [Fact]
    public void A_chart_of_nothing_is_none() => Assert.Null(RatioChart.Draw("t", [Made.Result("bdev/a", [])], null, s_bars));

    [Fact]
    public void A_chart_without_a_peer_shows_the_figures() =>
        Assert.Contains("0.4 s", XDocument.Parse(RatioChart.Draw("t", [Made.Result("process/x", [0.4], null, Metric.Seconds)], null, s_bars)!).Root!.Value);

    [Fact]
    public void Page_has_figures_verdicts_and_charts()
    {
        string page = MarkdownReport.Write(Made.Report(Made.Result("bdev/null/randread/4k/q1", s_own, s_peer), Made.Result("process/x", [0.4, 0.6], [1, 1], Metric.Seconds)),
            s_bars, new Dictionary<string, string> { ["bdev/null"] = "bdev-null.svg" });
        Assert.Contains("| `bdev/null/randread/4k/q1` | IOPS | 120 | 110 – 130 | 100 | 100 – 100 | 1.20 | 1.10 – 1.30 | ≥ 1 ×: **met** |", page);
        Assert.Contains("≤ 0.5 s: **straddles**", page);
        Assert.Contains("](bdev-null.svg)", page);
        Assert.Contains("**1 met**, **1 straddles** of 2 bars", page);
        Assert.Contains("- **cpu**: some | cpu <x>", page);
    }

    [Fact]
    public void A_failure_is_on_the_page() =>
        Assert.Contains("`bdev/a/b` could not be measured: it broke", MarkdownReport.Write(Made.Report(Made.Result("bdev/a/b", []) with { Failure = "it broke\nat length" }), s_bars, new Dictionary<string, string>()));

    [Fact]
    public void Every_row_of_a_table_has_the_columns_of_its_head()
    {
        string page = MarkdownReport.Write(Made.Report(Made.Result("bdev/a/b", s_own, s_peer), Made.Result("nvmf/a/b/c/d/c4", s_own, s_peer)), s_bars, new Dictionary<string, string>());
        Assert.All(page.Split('\n').Where(line => line.StartsWith('|')), line => Assert.Equal(10, line.Count(c => c == '|')));
    }

    [Fact]
    public void Json_gives_back_what_it_was_made_of()
    {
        var report = Made.Report(Made.Result("bdev/a", s_own, s_peer), Made.Result("process/x", [0.25], null, Metric.Seconds) with { Failure = "half" });
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, report.ToJson());
            var read = BenchReport.Load(path);
            Assert.Equal(report.ToJson(), read.ToJson());
            Assert.Equal("half", read.Results[1].Failure);
            Assert.Equal(1.2, read.Results[0].Ratio(Metric.Iops)!.Median);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("""{ "format": 1, "machine": {}, "scenarios": [ { "name": "a", "primary": "speed" } ] }""")]
    [InlineData("""{ "format": 1, "machine": [], "scenarios": 3 }""")]
    public void Another_file_is_refused_by_name(string text)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            Assert.Contains(path, Assert.Throws<BenchException>(() => BenchReport.Load(path)).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Pieces_make_a_whole_and_the_later_one_counts()
    {
        var whole = Made.Report(Made.Result("bdev/a", [1]), Made.Result("bdev/b", [1])).With(Made.Report(Made.Result("bdev/b", [2]), Made.Result("bdev/c", [3])));
        Assert.Equal(["bdev/a", "bdev/b", "bdev/c"], whole.Results.Select(result => result.Name));
        Assert.Equal(2, whole.Results[1].Spindle[0][Metric.Iops]);
    }

    [Fact]
    public void All_files_are_written()
    {
        string folder = Directory.CreateTempSubdirectory("spindle-report-").FullName;
        try
        {
            ReportFiles.Write(folder, Made.Report(Made.Result("bdev/null/x", s_own, s_peer), Made.Result("nvmf/a/b/c/d/c4", s_own, s_peer)), s_bars);
            Assert.Equal(["bdev-null.svg", "nvmf-several-connections.svg", "report.json", "report.md"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
