using Spindle.Bench;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

public sealed class BarTests
{
    private static readonly Bar s_throughput = new("a", Metric.Iops, 1.1, null), s_latency = new("a", Metric.P99, 1.1, null);

    private static Interval Values(params double[] values) => Interval.Of(values);

    [Fact]
    public void Interval_above_the_bar_meets_it() => Assert.Equal(Verdict.Met, s_throughput.Judge(Values(1.1, 1.2, 1.3, 1.2, 1.2, 1.2, 1.2)));

    [Fact]
    public void Interval_below_the_bar_misses_it() => Assert.Equal(Verdict.Missed, s_throughput.Judge(Values(1.0, 1.05, 1.09, 1.0, 1.0, 1.0, 1.0)));

    [Fact]
    public void Interval_around_the_bar_straddles_even_with_a_good_median() => Assert.Equal(Verdict.Straddles, s_throughput.Judge(Values(1.09, 1.2, 1.3, 1.4, 1.4, 1.4, 1.4)));

    [Fact]
    public void Where_lower_is_better_the_sides_change()
    {
        Assert.Equal(Verdict.Met, s_latency.Judge(Values(0.5, 0.6, 0.7, 1.1, 1, 1, 1)));
        Assert.Equal(Verdict.Missed, s_latency.Judge(Values(1.2, 1.3, 1.4, 1.5, 1.5, 1.5, 1.5)));
        Assert.Equal(Verdict.Straddles, s_latency.Judge(Values(1.0, 1.3, 1.4, 1.5, 1.5, 1.5, 1.5)));
    }

    [Fact]
    public void Too_few_pairs_decide_nothing() => Assert.Equal(Verdict.Straddles, s_throughput.Judge(Values(2, 2, 2)));

    [Fact]
    public void Counted_figures_need_no_pairs()
    {
        var none = new Bar("a", Metric.Allocated, null, 0);
        Assert.Equal(Verdict.Met, none.Judge(Values(0)));
        Assert.Equal(Verdict.Missed, none.Judge(Values(8)));
    }

    [Fact]
    public void Without_a_figure_nothing_is_compared() => Assert.Equal(Verdict.Open, s_throughput.Judge(null));

    [Fact]
    public void The_first_bar_that_matches_counts()
    {
        var bars = new Bars([new Bar("nvmf/*/4k/q1", Metric.Iops, 1.0, null), new Bar("nvmf/*", Metric.Iops, 1.1, null)]);
        Assert.Equal(1.0, bars.Find("nvmf/malloc/randread/4k/q1", Metric.Iops)!.Value);
        Assert.Equal(1.1, bars.Find("nvmf/malloc/randread/4k/q128", Metric.Iops)!.Value);
        Assert.Null(bars.Find("nvmf/malloc/randread/4k/q1", Metric.P99));
        Assert.Null(bars.Find("bdev/null", Metric.Iops));
    }

    [Theory]
    [InlineData("""{ }""", "'bars'")]
    [InlineData("""{ "bars": [ { "metric": "iops", "ratio": 1 } ] }""", "'scenario'")]
    [InlineData("""{ "bars": [ { "scenario": "a", "metric": "speed", "ratio": 1 } ] }""", "no metric 'speed'")]
    [InlineData("""{ "bars": [ { "scenario": "a", "metric": "iops" } ] }""", "either 'ratio'")]
    [InlineData("""{ "bars": [ { "scenario": "a", "metric": "iops", "ratio": 1, "limit": 2 } ] }""", "either 'ratio'")]
    [InlineData("""[""", "JSON")]
    public void What_is_wrong_in_the_file_is_named(string json, string named)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, json);
            string message = Assert.Throws<BenchException>(() => Bars.Load(path)).Message;
            Assert.Contains(named == "JSON" ? path : named, message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Every_bar_of_the_repository_has_a_scenario()
    {
        var bars = Bars.Load(Path.Combine(AppContext.BaseDirectory, "bars.json"));
        Assert.NotEmpty(bars.All);
        Assert.All(bars.All, bar => Assert.Contains(Spindle.Bench.Scenarios.ScenarioCatalogue.All, scenario => Spindle.Bench.Scenarios.Wildcard.Matches(bar.Scenario, scenario.Name)));
    }
}
