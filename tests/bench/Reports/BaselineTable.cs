using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>Prints how a run compares with an earlier one.</summary>
public static class BaselineTable
{
    /// <returns>True when something regressed.</returns>
    public static bool Print(TextWriter output, IReadOnlyList<BaselineChange> changes)
    {
        output.WriteLine();
        output.WriteLine($"{"compared with the baseline",-36} {"figure",-20} {"before",11} {"now",11} {"ratio",6}");
        foreach (var change in changes)
            output.WriteLine($"{change.Scenario,-36} {change.Metric.Unit,-20} {Numbers.Short(change.Before.Median),11} {Numbers.Short(change.Now.Median),11} " +
                $"{Numbers.Ratio(change.Ratio),6} {Text(change.Kind)}");
        int regressed = changes.Count(change => change.Kind == ChangeKind.Regressed);
        output.WriteLine(regressed == 0 ? "nothing regressed beyond the noise" : $"{regressed} regressed");
        return regressed > 0;
    }

    private static string Text(ChangeKind kind) => kind switch
    {
        ChangeKind.Regressed => "REGRESSED",
        ChangeKind.Improved => "improved",
        _ => "",
    };
}
