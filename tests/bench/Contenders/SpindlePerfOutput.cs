using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Contenders;

/// <summary>Reads the JSON of <c>spindle perf</c>, of one combination.</summary>
public static class SpindlePerfOutput
{
    /// <exception cref="BenchException">It is no such JSON, or the run failed.</exception>
    public static Sample Parse(string output, string commandLine)
    {
        try
        {
            var document = JObject.Parse(output);
            if (document["failures"] is JArray { Count: > 0 } failures) throw new BenchException($"{failures[0]["reason"]} ({commandLine})");
            var result = document["results"]?.FirstOrDefault() ?? throw new BenchException($"no results from {commandLine}");
            double? Value(string name) => (double?)result[name];
            return new Sample
            {
                [Metric.Iops] = Value("iops"), [Metric.Average] = Value("average_us"), [Metric.P50] = Value("p50_us"), [Metric.P99] = Value("p99_us"),
                [Metric.P999] = Value("p99_9_us"), [Metric.Cpu] = Value("cpu_percent"), [Metric.Collections] = Value("collections"),
                [Metric.Allocated] = Value("allocated_bytes"),
            };
        }
        catch (JsonException e)
        {
            throw new BenchException($"the output of {commandLine} is no JSON ({e.Message}):\n{output.Trim()}");
        }
    }
}
