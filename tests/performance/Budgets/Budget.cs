using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Spindle.PerformanceTests.Budgets;

/// <summary>What an I/O may cost, of one line of budgets.json. None of it depends on how busy the machine is.</summary>
/// <param name="Scenario">Which.</param>
/// <param name="AllocatedBytesPerIo">Managed bytes on the reactor's thread.</param>
/// <param name="SystemCallsPerIo">System calls on the reactor's thread; over NVMe/TCP those of target and initiator together.</param>
/// <param name="InstructionsPerIo">Instructions in user mode on the reactor's thread.</param>
public sealed record Budget(string Scenario, double AllocatedBytesPerIo, double SystemCallsPerIo, double InstructionsPerIo)
{
    /// <summary>The budgets of the repository.</summary>
    public static IReadOnlyList<Budget> Load() => Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Budgets", "budgets.json")));

    public static IReadOnlyList<Budget> Parse(string json) => [.. JObject.Parse(json)["budgets"]!.Select(item => new Budget(
        (string?)item["scenario"] ?? throw new JsonException("'scenario' is missing"), Number(item, "allocated_bytes_per_io"), Number(item, "system_calls_per_io"),
        Number(item, "instructions_per_io")))];

    /// <summary>What exceeds the budget, a sentence each: scenario, figure, budget.</summary>
    public IReadOnlyList<string> Exceeded(Cost cost)
    {
        var sentences = new List<string>();
        void Check(string figure, double? found, double allowed)
        {
            if (found > allowed) sentences.Add(FormattableString.Invariant($"{Scenario}: {found:0.####} {figure} per I/O, the budget is {allowed:0.####} (tests/performance/Budgets/budgets.json)"));
        }
        Check("allocated bytes", cost.AllocatedBytes / (double)cost.Ios, AllocatedBytesPerIo);
        Check("system calls", cost.SystemCalls / (double)cost.Ios, SystemCallsPerIo);
        Check("instructions", cost.Instructions is { } instructions ? instructions / (double)cost.Ios : null, InstructionsPerIo);
        return sentences;
    }

    private static double Number(JToken item, string name) => (double?)item[name] ?? throw new JsonException($"'{name}' is missing in the budget of {item["scenario"]}");
}

/// <summary>What a run cost.</summary>
/// <param name="Ios">I/Os done.</param>
/// <param name="AllocatedBytes">Managed bytes while they were measured.</param>
/// <param name="SystemCalls">Of all of the run.</param>
/// <param name="Instructions">Of all of the run; null where the machine counts none.</param>
public sealed record Cost(long Ios, long AllocatedBytes, long SystemCalls, long? Instructions);
