using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>The figures of one run.</summary>
public sealed class Sample
{
    private readonly Dictionary<string, double> _values = [];

    public IReadOnlyDictionary<string, double> Values => _values;

    public double? this[Metric metric]
    {
        get => _values.TryGetValue(metric.Key, out double value) ? value : null;
        set
        {
            if (value is { } known && double.IsFinite(known)) _values[metric.Key] = known;
        }
    }
}
