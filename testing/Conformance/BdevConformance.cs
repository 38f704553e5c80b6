using System.Globalization;

namespace Spindle.Testing;

/// <summary>What came of a rule.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Skipped">Why it says nothing about this bdev; null when it was run.</param>
/// <param name="Failure">What broke it; null when it holds.</param>
public sealed record ConformanceResult(ConformanceRule Rule, string? Skipped, ConformanceException? Failure);

/// <summary>The conformance suite: runs rules over a bdev, each over a fresh one. One rule at a time on a host.</summary>
/// <param name="host">The host, on which no other test is running.</param>
/// <param name="create">Makes a bdev; called once or more for each rule.</param>
public sealed class BdevConformance(TestHost host, Func<Task<BdevSubject>> create)
{
    /// <summary>The environment variable that repeats a run: the seed that a failure printed.</summary>
    public const string SeedVariable = "SPINDLE_TEST_SEED";

    /// <summary>The ids of all rules, for a test framework's parameterized tests.</summary>
    public static IEnumerable<string> RuleIds => ConformanceRule.All.Select(rule => rule.Id);

    /// <summary>The seed of what is random; <see cref="SeedVariable"/> goes before.</summary>
    public int Seed { get; init; } = Environment.GetEnvironmentVariable(SeedVariable) is { } text && int.TryParse(text, CultureInfo.InvariantCulture, out int seed) ? seed : 1;

    /// <summary>Steps of each random sequence.</summary>
    public int SequenceSteps { get; init; } = 300;

    /// <summary>Random sequences for each of the rules that run some.</summary>
    public int Sequences { get; init; } = 3;

    /// <summary>Runs one rule.</summary>
    /// <param name="ruleId">One of <see cref="RuleIds"/>.</param>
    /// <returns>Null when it holds, or why it says nothing about this bdev.</returns>
    /// <exception cref="ConformanceException">It is broken; the message names the rule, what was seen, the seed and, for random sequences, the shortest that fails.</exception>
    public async Task<string?> RunAsync(string ruleId)
    {
        var rule = ConformanceRule.All.FirstOrDefault(rule => rule.Id == ruleId)
            ?? throw new ArgumentException($"There is no rule '{ruleId}'; there are {string.Join(", ", RuleIds)}.", nameof(ruleId));
        var run = new ConformanceRun(host, create, this, new Random(Seed));
        try
        {
            Discard();
            await run.ExecuteAsync(rule).ConfigureAwait(false);
            return null;
        }
        catch (NotApplicableException reason)
        {
            return reason.Message;
        }
        catch (ConformanceException failure)
        {
            throw new ConformanceException(rule.Id, $"{failure.Finding}{Environment.NewLine}The rule: {rule.Title}{Environment.NewLine}To repeat: {SeedVariable}={Seed}");
        }
    }

    /// <summary>Runs every rule, and goes on after failures.</summary>
    public async Task<IReadOnlyList<ConformanceResult>> RunAllAsync()
    {
        var results = new List<ConformanceResult>();
        foreach (var rule in ConformanceRule.All)
        {
            try
            {
                results.Add(new ConformanceResult(rule, await RunAsync(rule.Id).ConfigureAwait(false), null));
            }
            catch (ConformanceException failure)
            {
                results.Add(new ConformanceResult(rule, null, failure));
            }
        }
        return results;
    }

    // What an earlier test left is not this rule's.
    private void Discard()
    {
        host.TakeViolations();
        host.TakeFaults();
        host.TakeThreadFaults();
        Quarantine.Drain();
    }
}
