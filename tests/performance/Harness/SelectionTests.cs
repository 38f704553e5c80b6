using Spindle.Bench;
using Spindle.Bench.Scenarios;

namespace Spindle.PerformanceTests.Harness;

public sealed class SelectionTests
{
    private static List<string> Names(params string[] patterns) => [.. ScenarioCatalogue.Select(patterns).Select(scenario => scenario.Name)];

    [Fact]
    public void Nothing_chosen_means_all() => Assert.Equal(ScenarioCatalogue.All.Count, Names().Count);

    [Fact]
    public void A_whole_name_chooses_one() => Assert.Equal(["bdev/null/randread/4k/q1"], Names("bdev/null/randread/4k/q1"));

    [Fact]
    public void A_prefix_of_parts_chooses_what_is_below() => Assert.Equal(6, Names("bdev/malloc").Count);

    [Fact]
    public void Half_a_part_chooses_nothing() => Assert.Throws<BenchException>(() => Names("bdev/mall"));

    [Fact]
    public void A_star_stands_for_anything_with_slashes()
    {
        Assert.All(Names("nvmf/*/128k"), name => Assert.Contains("/128k/", name));
        Assert.Contains("nvmf/malloc/randread/128k/q32", Names("nvmf/*/128k"));
        Assert.All(Names("*/q1"), name => Assert.EndsWith("/q1", name));
    }

    [Fact]
    public void Several_patterns_are_united_in_the_catalogues_order_without_repeats() =>
        Assert.Equal(["bdev/null/randread/4k/q1", "nvmf/null/randread/4k/q1"], Names("nvmf/null/randread/4k/q1", "bdev/null/randread/4k/q1", "bdev/null/randread/4k/q1"));

    [Fact]
    public void A_pattern_for_nothing_is_refused_by_name() => Assert.Contains("'floppy/*'", Assert.Throws<BenchException>(() => Names("bdev/*", "floppy/*")).Message);

    [Fact]
    public void Names_are_unique() => Assert.Equal(Names().Distinct(), Names());
}
