using Spindle.Bench.Reports;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

public sealed class BaselineTests
{
    private static ChangeKind Kind(double[] before, double[] now, Metric? metric = null) =>
        Assert.Single(BaselineComparison.Compare(Made.Report(Made.Result("a", before, null, metric)), Made.Report(Made.Result("a", now, null, metric)))).Kind;

    [Fact]
    public void Much_slower_regressed() => Assert.Equal(ChangeKind.Regressed, Kind([100, 101, 102], [80, 81, 82]));

    [Fact]
    public void Much_faster_improved() => Assert.Equal(ChangeKind.Improved, Kind([80, 81, 82], [100, 101, 102]));

    [Fact]
    public void Ranges_that_overlap_are_noise() => Assert.Equal(ChangeKind.Same, Kind([100, 90, 80], [85, 70, 60]));

    [Fact]
    public void Less_than_five_percent_is_noise() => Assert.Equal(ChangeKind.Same, Kind([100, 100.1], [96, 96.1]));

    [Fact]
    public void Where_lower_is_better_more_regressed() => Assert.Equal(ChangeKind.Regressed, Kind([0.4, 0.41], [0.6, 0.61], Metric.Seconds));

    [Fact]
    public void Any_allocation_regressed_where_there_was_none() => Assert.Equal(ChangeKind.Regressed, Kind([0, 0], [8, 8], Metric.Allocated));

    [Fact]
    public void Scenarios_of_one_side_only_are_not_compared() => Assert.Empty(BaselineComparison.Compare(Made.Report(Made.Result("a", [1])), Made.Report(Made.Result("b", [1]))));

    [Fact]
    public void What_regressed_is_printed_and_told()
    {
        var changes = BaselineComparison.Compare(Made.Report(Made.Result("bdev/a", [100, 101])), Made.Report(Made.Result("bdev/a", [50, 51])));
        var output = new StringWriter();
        Assert.True(BaselineTable.Print(output, changes));
        Assert.Contains("REGRESSED", output.ToString());
        Assert.Contains("bdev/a", output.ToString());
        Assert.False(BaselineTable.Print(TextWriter.Null, BaselineComparison.Compare(Made.Report(Made.Result("a", [1])), Made.Report(Made.Result("a", [1])))));
    }
}
