using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Runs;

/// <summary>A whole run: the machine, the options, the scenarios. Written to JSON and read from it, as a baseline or to make the report again.</summary>
/// <param name="Machine">Facts in their order: name and value.</param>
/// <param name="Results">The scenarios.</param>
public sealed record BenchReport(IReadOnlyList<KeyValuePair<string, string>> Machine, IReadOnlyList<ScenarioResult> Results)
{
    private const int Format = 1;

    /// <summary>JSON: every sample of every run.</summary>
    public string ToJson() => new JObject
    {
        ["format"] = Format,
        ["machine"] = new JObject(Machine.Select(fact => new JProperty(fact.Key, fact.Value))),
        ["scenarios"] = new JArray(Results.Select(result => new JObject
        {
            ["name"] = result.Name, ["title"] = result.Title, ["primary"] = result.Primary.Key, ["failure"] = result.Failure,
            ["spindle"] = Samples(result.Spindle), ["peer"] = Samples(result.Peer),
        })),
    }.ToString(Formatting.Indented);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="BenchException">It is no such file.</exception>
    public static BenchReport Load(string path)
    {
        try
        {
            var document = JObject.Parse(File.ReadAllText(path));
            if ((int?)document["format"] != Format) throw new BenchException($"{path}: not a report of this program, or of another version: 'format' is to be {Format}.");
            return new BenchReport(
                [.. ((JObject)document["machine"]!).Properties().Select(fact => KeyValuePair.Create(fact.Name, (string?)fact.Value ?? ""))],
                [.. document["scenarios"]!.Select(item => new ScenarioResult((string)item["name"]!, (string?)item["title"] ?? "",
                    Metric.Find((string)item["primary"]!) ?? throw new BenchException($"{path}: there is no metric '{item["primary"]}'."),
                    ReadSamples(item["spindle"]), ReadSamples(item["peer"]), (string?)item["failure"]))]);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or ArgumentException or FormatException or InvalidCastException or NullReferenceException)
        {
            throw new BenchException($"{path}: cannot be read as a report: {e.Message}");
        }
    }

    /// <summary>This report with those of another in their places, others behind: a comparison may be made in pieces.</summary>
    public BenchReport With(BenchReport later) => new(later.Machine,
        [.. Results.Select(old => later.Results.FirstOrDefault(r => r.Name == old.Name) ?? old), .. later.Results.Where(r => Results.All(old => old.Name != r.Name))]);

    private static JArray Samples(IReadOnlyList<Sample> samples) => [.. samples.Select(sample => new JObject(sample.Values.Select(v => new JProperty(v.Key, Math.Round(v.Value, 4)))))];

    private static List<Sample> ReadSamples(JToken? items)
    {
        var samples = new List<Sample>();
        foreach (var item in items ?? new JArray())
        {
            var sample = new Sample();
            foreach (var value in ((JObject)item).Properties())
                if (Metric.Find(value.Name) is { } metric) sample[metric] = (double)value.Value;
            samples.Add(sample);
        }
        return samples;
    }
}
