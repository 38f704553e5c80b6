using Spindle.Bdevs;
using Spindle.Host.Bdevs;

namespace Spindle.ContractTests.Broken;

/// <summary>Each rule of the conformance suite is broken by a bdev with a defect of its kind, and by none without.</summary>
public sealed class EveryRuleCanFailTests
{
    private static readonly Dictionary<string, Defect> s_defects = new()
    {
        ["data.read-back"] = Defect.ReadsZeroes,
        ["data.neighbours"] = Defect.SpillsIntoTheNextBlock,
        ["data.in-place"] = Defect.LosesWhatItTakesAtOnce,
        ["data.large"] = Defect.StopsAfter64Blocks,
        ["bounds.last-block"] = Defect.FailsAtTheLastBlock,
        ["vectors.split"] = Defect.TakesTheFirstVectorOnly,
        ["vectors.many"] = Defect.Takes16VectorsOnly,
        ["vectors.empty"] = Defect.StopsAtAnEmptyVector,
        ["alignment.any"] = Defect.NeedsAlignmentSecretly,
        ["types.claimed"] = Defect.ClaimsFlushWithoutHavingIt,
        ["types.write-zeroes"] = Defect.WriteZeroesDoesNothing,
        ["types.unmap"] = Defect.UnmapsOneTooMany,
        ["types.compare"] = Defect.CompareIsAlwaysEqual,
        ["types.compare-and-write"] = Defect.CompareAndWriteWritesAlways,
        ["types.copy"] = Defect.CopiesFromTheWrongPlace,
        ["types.seek"] = Defect.SeeksBackwards,
        ["zcopy.moves-data"] = Defect.ZcopyDoesNotCommit,
        ["zcopy.many"] = Defect.ZcopyLendsOneBuffer,
        ["completion.thread"] = Defect.CompletesOnThePool,
        ["completion.once"] = Defect.CompletesTwice,
        ["completion.no-exception"] = Defect.Throws,
        ["buffers.after-completion"] = Defect.TouchesBuffersLater,
        ["buffers.write-unchanged"] = Defect.EncryptsInPlace,
        ["buffers.only-its-own"] = Defect.WritesBehindTheBuffer,
        ["memory.iobuf-dry"] = Defect.FailsWithoutIobuf,
        ["channels.many"] = Defect.SharesStateOfChannels,
        ["channels.come-and-go"] = Defect.ForgetsWithTheChannel,
        ["ordering.across-channels"] = Defect.CachesPerChannel,
        ["ordering.compare-and-write"] = Defect.CompareAndWriteIsTwoSteps,
        ["reset.under-load"] = Defect.ResetFails,
        ["abort.ends-both"] = Defect.AbortLosesTheIo,
        ["remove.under-load"] = Defect.RemovalFailsIos,
        ["remove.idle"] = Defect.RemovalHangs,
        ["resize.grow"] = Defect.NewBlocksFail,
        ["persist.restart"] = Defect.ForgetsOnRestart,
        ["persist.power-cut"] = Defect.FlushDoesNothing,
        ["model.random-io"] = Defect.LosesTheThirdWrite,
    };

    /// <summary>The rule whose breach needs a bdev on a bdev; it has a test of its own.</summary>
    private const string NeedsAStack = "memory.pool-dry";

    public static IEnumerable<TheoryDataRow<string>> Rules => BdevConformance.RuleIds.Where(rule => rule != NeedsAStack && !IsZoneRule(rule)).Select(rule => new TheoryDataRow<string>(rule));

    private static async Task<ConformanceException?> RunAsync(string rule, Defect defect)
    {
        // Fails fast: what is stuck here is stuck on purpose.
        await using var host = await TestHost.StartAsync(new TestHostOptions { Patience = TimeSpan.FromSeconds(defect == Defect.None ? 20 : 1.5) });
        try
        {
            await new BdevConformance(host, () => CreateAsync(host, defect)) { SequenceSteps = 60 }.RunAsync(rule);
            return null;
        }
        catch (ConformanceException failure)
        {
            return failure;
        }
    }

    private static readonly Dictionary<string, ZoneDefect> s_zoneDefects = new()
    {
        ["zones.report"] = ZoneDefect.ReportsAllAtOnePlace,
        ["zones.write-pointer"] = ZoneDefect.WritesAnywhere,
        ["zones.full"] = ZoneDefect.FullIsWritableAgain,
        ["zones.reset"] = ZoneDefect.ResetKeepsThePointer,
        ["zones.append"] = ZoneDefect.AppendSaysTheEnd,
        ["zones.transitions"] = ZoneDefect.ClosesWhatIsEmpty,
        ["zones.limits"] = ZoneDefect.IgnoresLimits,
        ["zones.random"] = ZoneDefect.WriteForgetsTheOpen,
    };

    private static async Task<BdevSubject> CreateZonedAsync(TestHost host, ZoneDefect defect)
    {
        string name = TestHost.NewName("broken");
        await host.RegisterAsync(new BrokenZonedDisk(name, defect));
        return new BdevSubject(name);
    }

    public static IEnumerable<TheoryDataRow<string>> ZoneRules => BdevConformance.RuleIds.Where(IsZoneRule).Select(rule => new TheoryDataRow<string>(rule));

    private static bool IsZoneRule(string rule) => rule.StartsWith("zones.", StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(ZoneRules))]
    public async Task A_defect_of_a_zoned_bdev_breaks_it(string rule)
    {
        Assert.True(s_zoneDefects.TryGetValue(rule, out var defect), $"there is no broken zoned bdev for {rule}; add a defect that breaks it");
        await using var host = await TestHost.StartAsync(new TestHostOptions { Patience = TimeSpan.FromSeconds(10) });
        var failure = await Assert.ThrowsAsync<ConformanceException>(() => new BdevConformance(host, () => CreateZonedAsync(host, defect)) { SequenceSteps = 100 }.RunAsync(rule));
        Assert.Equal(rule, failure.Rule);
        Assert.Contains("SPINDLE_TEST_SEED=", failure.Message);
    }

    [Fact]
    public async Task A_zoned_bdev_without_a_defect_passes_all_that_does_not_write_in_any_order()
    {
        await using var host = await TestHost.StartAsync();
        var results = await new BdevConformance(host, () => CreateZonedAsync(host, ZoneDefect.None)) { Sequences = 1, SequenceSteps = 100 }.RunAllAsync();
        Assert.Empty(results.Where(result => result.Failure is not null).Select(result => result.Failure!.Message));
        Assert.Equal(["bounds.last-block", "data.in-place", "data.neighbours", "model.random-io", "ordering.compare-and-write", "persist.power-cut", "persist.restart", "resize.grow",
            "types.compare-and-write", "types.copy", "types.seek", "types.unmap", "types.write-zeroes", "zcopy.many", "zcopy.moves-data"],
            results.Where(result => result.Skipped is not null).Select(result => result.Rule.Id).Order());
    }

    private static async Task<BdevSubject> CreateAsync(TestHost host, Defect defect)
    {
        string name = TestHost.NewName("broken");
        var disk = new BrokenDisk(name, defect);
        if (defect == Defect.FailsWithoutIobuf) disk.Use(host.Iobuf);
        await host.RegisterAsync(disk);
        async Task AgainAsync()
        {
            await host.UnregisterAsync(name);
            disk = new BrokenDisk(name, defect, disk);
            await host.RegisterAsync(disk);
        }
        return new BdevSubject(name)
        {
            GrowAsync = blocks => host.OnAppAsync(() => host.Registry.Resize(disk, disk.BlockCount + blocks)),
            RestartAsync = AgainAsync,
            CutPowerAsync = () =>
            {
                disk.LoseCache();
                return AgainAsync();
            },
            DeleteAsync = async () =>
            {
                await disk.BeginRemovalAsync();
                await host.UnregisterAsync(name);
            },
        };
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public async Task A_defect_breaks_it(string rule)
    {
        Assert.True(s_defects.TryGetValue(rule, out var defect), $"there is no broken bdev for {rule}; add a defect that breaks it");
        var failure = await RunAsync(rule, defect);
        Assert.True(failure is not null, $"{defect} passed {rule}");
        Assert.Equal(rule, failure.Rule);
        Assert.Contains("SPINDLE_TEST_SEED=", failure.Message);
    }

    [Fact]
    public async Task Without_a_defect_all_hold()
    {
        await using var host = await TestHost.StartAsync();
        var results = await new BdevConformance(host, () => CreateAsync(host, Defect.None)) { Sequences = 1, SequenceSteps = 100 }.RunAllAsync();
        Assert.Empty(results.Where(result => result.Failure is not null).Select(result => result.Failure!.Message));
        Assert.Empty(results.Where(result => result.Skipped is not null && !IsZoneRule(result.Rule.Id)).Select(result => $"{result.Rule}: {result.Skipped}"));
    }

    [Fact]
    public async Task A_failing_sequence_is_shortened_and_printed_with_its_seed()
    {
        var failure = await RunAsync("model.random-io", Defect.WriteZeroesDoesNothing);
        Assert.NotNull(failure);
        Assert.Matches("the shortest sequence found that fails has [12] steps", failure.Message);
        Assert.Contains("WriteZeroes", failure.Message);
        Assert.Contains("Seed 1;", failure.Message);
    }

    [Fact]
    public async Task A_bdev_that_fails_when_those_below_have_no_room_breaks_the_rule_on_it()
    {
        await using var host = await TestHost.StartAsync(new TestHostOptions { Patience = TimeSpan.FromSeconds(2) });
        var failure = await Assert.ThrowsAsync<ConformanceException>(() => new BdevConformance(host, async () =>
        {
            string below = TestHost.NewName("below"), name = TestHost.NewName("greedy");
            await host.RegisterAsync(new MemoryDisk(below));
            await host.RegisterAsync(new GreedyDisk(host, name, below));
            return new BdevSubject(name) { Below = [below] };
        }).RunAsync(NeedsAStack));
        Assert.Equal(NeedsAStack, failure.Rule);
    }
}
