using Spindle.Bench.Contenders;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Runs;

/// <summary>All that was measured of one scenario.</summary>
/// <param name="Name">The scenario.</param>
/// <param name="Title">Its sentence.</param>
/// <param name="Primary">The figure that decides.</param>
/// <param name="Spindle">A sample for each run.</param>
/// <param name="Peer">Likewise; the i-th ran next to Spindle's i-th. Empty without a peer.</param>
/// <param name="Failure">Why it could not be measured to the end; null when it could.</param>
public sealed record ScenarioResult(string Name, string Title, Metric Primary, IReadOnlyList<Sample> Spindle, IReadOnlyList<Sample> Peer, string? Failure)
{
    /// <summary>Figures that some run has, the primary one first.</summary>
    public IEnumerable<Metric> Metrics => Metric.All.Where(metric => Of(Contender.Spindle, metric) is not null || Of(Contender.Peer, metric) is not null)
        .OrderByDescending(metric => metric == Primary);

    /// <summary>One side's figure; null when it has none.</summary>
    public Interval? Of(Contender contender, Metric metric) => Interval((contender == Contender.Spindle ? Spindle : Peer).Select(sample => sample[metric]));

    /// <summary>The ratios of neighbouring runs, Spindle over peer.</summary>
    public Interval? Ratio(Metric metric) => Interval(Spindle.Zip(Peer, (own, peer) => peer[metric] is > 0 and var divisor ? own[metric] / divisor : null));

    /// <summary>Compares with the bar of a figure.</summary>
    public (Bar Bar, Interval? Found, Verdict Verdict)? Judge(Bars bars, Metric metric)
    {
        if (bars.Find(Name, metric) is not { } bar) return null;
        var found = bar.Ratio is null ? Of(Contender.Spindle, metric) : Ratio(metric);
        return (bar, found, bar.Judge(found));
    }

    private static Interval? Interval(IEnumerable<double?> values)
    {
        var known = values.OfType<double>().ToList();
        return known.Count == 0 ? null : Statistics.Interval.Of(known);
    }
}
