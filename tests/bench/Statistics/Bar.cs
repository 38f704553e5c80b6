using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Spindle.Bench.Statistics;

/// <summary>What was found about a bar.</summary>
public enum Verdict
{
    /// <summary>The whole interval is on the good side.</summary>
    Met,
    /// <summary>The whole interval is on the bad side.</summary>
    Missed,
    /// <summary>The bar lies within the interval: more pairs are needed.</summary>
    Straddles,
    /// <summary>Nothing to compare: no peer, or no figure.</summary>
    Open,
}

/// <summary>One line of bars.json: what a figure must be.</summary>
/// <param name="Scenario">Which scenarios; <c>*</c> stands for anything.</param>
/// <param name="Metric">Which of their figures.</param>
/// <param name="Ratio">Spindle over peer: at least this where higher is better, at most this where lower is.</param>
/// <param name="Limit">Spindle's own figure, likewise.</param>
public sealed record Bar(string Scenario, Metric Metric, double? Ratio, double? Limit)
{
    /// <summary>The value that the interval is compared with.</summary>
    public double Value => Ratio ?? Limit!.Value;

    /// <summary>Compares an interval with the bar.</summary>
    public Verdict Judge(Interval? interval)
    {
        if (interval is null) return Verdict.Open;
        double good = Metric.HigherIsBetter ? interval.Low : -interval.High, bad = Metric.HigherIsBetter ? interval.High : -interval.Low;
        double bar = Metric.HigherIsBetter ? Value : -Value;
        bool sound = interval.IsSound || !Metric.Noisy;
        if (good >= bar) return sound ? Verdict.Met : Verdict.Straddles;
        return bad < bar && sound ? Verdict.Missed : Verdict.Straddles;
    }

    /// <summary>As people write it: "≥ 1.1 ×", "≤ 0.5 s".</summary>
    public override string ToString() =>
        $"{(Metric.HigherIsBetter ? "≥" : "≤")} {Numbers.Short(Value)}{(Ratio is null ? " " + Metric.Unit : " ×")}";
}

/// <summary>The bars, as the repository has them.</summary>
public sealed class Bars(IReadOnlyList<Bar> all)
{
    /// <summary>All, in the file's order.</summary>
    public IReadOnlyList<Bar> All => all;

    /// <summary>The bar of a scenario's figure: the first that matches.</summary>
    public Bar? Find(string scenario, Metric metric) =>
        all.FirstOrDefault(bar => bar.Metric == metric && Scenarios.Wildcard.Matches(bar.Scenario, scenario));

    /// <summary>Reads bars.json.</summary>
    /// <exception cref="BenchException">It is wrong; the message names the line.</exception>
    public static Bars Load(string path)
    {
        try
        {
            var bars = new List<Bar>();
            foreach (var item in JObject.Parse(File.ReadAllText(path))["bars"] as JArray ?? throw new BenchException($"{path}: 'bars', a list, is missing."))
            {
                string at = $"{path}, line {((IJsonLineInfo)item).LineNumber}";
                string scenario = (string?)item["scenario"] ?? throw new BenchException($"{at}: 'scenario' is missing.");
                string key = (string?)item["metric"] ?? throw new BenchException($"{at}: 'metric' is missing.");
                var metric = Metric.Find(key) ?? throw new BenchException($"{at}: there is no metric '{key}'; there are: {string.Join(", ", Metric.All.Select(m => m.Key))}.");
                double? ratio = (double?)item["ratio"], limit = (double?)item["limit"];
                if (ratio is null == limit is null) throw new BenchException($"{at}: give either 'ratio' (to the peer) or 'limit' (of Spindle's own figure).");
                bars.Add(new Bar(scenario, metric, ratio, limit));
            }
            return new Bars(bars);
        }
        catch (Exception e) when (e is JsonException or IOException or ArgumentException or FormatException)
        {
            throw new BenchException($"{path}: {e.Message}");
        }
    }
}
