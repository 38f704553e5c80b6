namespace Spindle.PerformanceTests.Budgets;

/// <summary>What an I/O costs, against budgets.json: figures that a noisy machine does not change.</summary>
[Trait("Category", "Slow")]
public sealed class CostOfAnIoTests(MeasuredHost host) : IClassFixture<MeasuredHost>
{
    public static TheoryData<string> Scenarios => [.. Budget.Load().Select(budget => budget.Scenario)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task Cost_is_within_the_budget(string scenario)
    {
        var budget = Budget.Load().Single(budget => budget.Scenario == scenario);
        var cost = await host.MeasureAsync(scenario);
        Assert.True(cost.Ios > 1000, $"only {cost.Ios} I/Os were done");
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(
            $"{scenario}: {cost.Ios} I/Os, {cost.AllocatedBytes} bytes, {cost.SystemCalls / (double)cost.Ios:0.#####} system calls per I/O, {cost.Instructions?.ToString() ?? host.NoInstructions}"));
        Assert.Empty(budget.Exceeded(cost));
    }

    /// <summary>The budgets hold instructions only where the machine counts them; where it does not, this says so.</summary>
    [Fact]
    public async Task Instructions_are_counted()
    {
        var cost = await host.MeasureAsync("bdev/null/randread/q1");
        if (cost.Instructions is null) Assert.Skip(host.NoInstructions);
        Assert.True(cost.Instructions / cost.Ios > 10, $"{cost.Instructions} instructions for {cost.Ios} I/Os cannot be");
    }

    /// <summary>The count is of this path: an I/O on a file at depth 1 cannot do without a system call of its own.</summary>
    [Fact]
    public async Task System_calls_are_counted()
    {
        var cost = await host.MeasureAsync("bdev/aio/randread/q1");
        Assert.True(cost.SystemCalls >= cost.Ios * 0.9, $"{cost.SystemCalls} system calls for {cost.Ios} reads of a file cannot be");
    }
}
