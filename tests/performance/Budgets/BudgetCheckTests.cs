using Newtonsoft.Json;

namespace Spindle.PerformanceTests.Budgets;

/// <summary>The check itself: an exceeded budget is found and named.</summary>
public sealed class BudgetCheckTests
{
    private static readonly Budget s_budget = new("bdev/x/randread/q1", 0, 0.5, 1000);

    [Fact]
    public void Cost_within_the_budget_passes() => Assert.Empty(s_budget.Exceeded(new Cost(1000, 0, 500, 1_000_000)));

    [Fact]
    public void One_allocated_byte_is_too_many()
    {
        string sentence = Assert.Single(s_budget.Exceeded(new Cost(1000, 24, 0, null)));
        Assert.StartsWith("bdev/x/randread/q1: 0.024 allocated bytes per I/O, the budget is 0 ", sentence);
    }

    [Fact]
    public void Too_many_system_calls_are_named_with_figure_and_budget()
    {
        string sentence = Assert.Single(s_budget.Exceeded(new Cost(1000, 0, 501, null)));
        Assert.StartsWith("bdev/x/randread/q1: 0.501 system calls per I/O, the budget is 0.5 ", sentence);
    }

    [Fact]
    public void Too_many_instructions_are_named() =>
        Assert.Contains("1000.001 instructions", Assert.Single(s_budget.Exceeded(new Cost(1000, 0, 0, 1_000_001))));

    [Fact]
    public void Instructions_that_were_not_counted_exceed_nothing() => Assert.Empty(s_budget.Exceeded(new Cost(1, 0, 0, null)));

    [Fact]
    public void Everything_exceeded_is_told() => Assert.Equal(3, s_budget.Exceeded(new Cost(1, 1, 1, 1001)).Count);

    [Fact]
    public void A_budget_without_a_figure_is_refused() =>
        Assert.Contains("system_calls_per_io", Assert.Throws<JsonException>(() => Budget.Parse("""{ "budgets": [ { "scenario": "a", "allocated_bytes_per_io": 0 } ] }""")).Message);

    [Fact]
    public void The_budgets_of_the_repository_name_each_scenario_once()
    {
        var names = Budget.Load().Select(budget => budget.Scenario).ToList();
        Assert.NotEmpty(names);
        Assert.Equal(names.Distinct(), names);
        foreach (string needed in new[] { "null", "malloc", "passthru", "aio" }) Assert.Contains(names, name => name.StartsWith($"bdev/{needed}/"));
        Assert.Contains(names, name => name.StartsWith("nvmf/malloc/randread"));
        Assert.Contains(names, name => name.StartsWith("nvmf/malloc/randwrite"));
    }
}
