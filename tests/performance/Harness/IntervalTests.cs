using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

public sealed class IntervalTests
{
    [Fact]
    public void Median_of_an_odd_number_is_the_middle_one() => Assert.Equal(3, Interval.Of([5, 1, 3]).Median);

    [Fact]
    public void Median_of_an_even_number_is_between_the_middle_ones() => Assert.Equal(2.5, Interval.Of([4, 1, 2, 3]).Median);

    [Fact]
    public void One_value_is_its_own_interval_and_covers_nothing()
    {
        var interval = Interval.Of([7]);
        Assert.Equal((7, 7, 7), (interval.Median, interval.Low, interval.High));
        Assert.Equal(0, interval.Coverage);
        Assert.False(interval.IsSound);
    }

    [Fact]
    public void No_value_is_refused() => Assert.Throws<ArgumentException>(() => Interval.Of([]));

    // Table of the sign test's intervals: n, rank of the lower end at 95%, coverage (any statistics book, e.g. Conover, Practical Nonparametric Statistics, table A3).
    [Theory]
    [InlineData(5, 1, 0.9375, false)]
    [InlineData(6, 1, 0.96875, true)]
    [InlineData(7, 1, 0.984375, true)]
    [InlineData(9, 2, 0.9609375, true)]
    [InlineData(15, 4, 0.96484375, true)]
    [InlineData(20, 6, 0.95861, true)]
    public void Ends_are_the_order_statistics_that_cover_95_percent(int count, int rank, double coverage, bool sound)
    {
        var interval = Interval.Of(Enumerable.Range(1, count).Select(i => (double)i).Reverse());
        Assert.Equal(rank, interval.Low);
        Assert.Equal(count + 1 - rank, interval.High);
        Assert.Equal(coverage, interval.Coverage, 4);
        Assert.Equal(sound, interval.IsSound);
        Assert.Equal((1, count, count), (interval.Min, interval.Max, interval.Count));
    }

    /// <summary>Draws from a skewed distribution whose median is known: the interval must hold it about as often as it says.</summary>
    [Fact]
    public void Intervals_hold_the_true_median_as_often_as_they_say()
    {
        var random = new Random(20261123);
        int held = 0;
        const int rounds = 4000;
        for (int i = 0; i < rounds; i++)
        {
            var interval = Interval.Of(Enumerable.Range(0, 9).Select(_ => -Math.Log(1 - random.NextDouble())));
            if (interval.Low <= Math.Log(2) && Math.Log(2) <= interval.High) held++;
        }
        Assert.InRange(held / (double)rounds, 0.945, 0.977); // 0.961 ± 5 standard deviations of 0.0031
    }
}
