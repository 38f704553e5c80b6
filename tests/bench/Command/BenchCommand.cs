using System.CommandLine;
using Spindle.Bench.Scenarios;

namespace Spindle.Bench.Command;

/// <summary>The command line.</summary>
internal static class BenchCommand
{
    public static RootCommand Create()
    {
        var patterns = new Argument<string[]>("SCENARIO")
        {
            Description = "Names, * for anything: 'bdev/null/*', 'nvmf/*/128k/*', '*/q1'; 'bdev/malloc' is all below it. All when absent.", Arity = ArgumentArity.ZeroOrMore,
        };
        var list = new Option<bool>("--list") { Description = "List the scenarios." };
        var peer = new Option<string?>("--peer") { Description = "An SPDK build tree: its column and the ratio are added, and its client drives both targets.", HelpName = "DIR" };
        var pairs = new Option<int?>("--pairs", "--runs") { Description = "Runs of each side (7 with --peer, else 3).", HelpName = "N" };
        var maxPairs = new Option<int?>("--max-pairs") { Description = "Add pairs up to N while the bar lies within the interval (the same as --pairs).", HelpName = "N" };
        var time = new Option<int>("--time") { Description = "Seconds of a run, whole ones (2).", HelpName = "SECONDS", DefaultValueFactory = _ => 2 };
        var warmup = new Option<int>("--warmup") { Description = "Seconds run before those that are measured (1).", HelpName = "SECONDS", DefaultValueFactory = _ => 1 };
        var baseline = new Option<string?>("--baseline") { Description = "Compare with an earlier run's JSON; exit status 1 when something is slower beyond the noise.", HelpName = "FILE" };
        var output = new Option<string?>("--output") { Description = "Folder of the reports (artifacts/bench).", HelpName = "DIR" };
        var merge = new Option<bool>("--merge") { Description = "Keep the scenarios of the report that is there and replace those that run: a long comparison made in pieces." };
        var render = new Option<string?>("--render") { Description = "Run nothing: write the report again from a JSON file.", HelpName = "FILE" };
        var page = new Option<string?>("--page") { Description = "With --render: write this page instead (docs/benchmarks.md), data and charts into a folder of its name.", HelpName = "FILE" };
        var bars = new Option<string?>("--bars") { Description = "What the figures must reach (bars.json beside the program).", HelpName = "FILE" };
        var spindle = new Option<string?>("--spindle") { Description = "The spindle command to measure (artifacts/spindle).", HelpName = "FILE" };
        var verbose = new Option<bool>("--verbose") { Description = "Print the commands and what they print." };
        AtLeast(pairs, 1);
        AtLeast(maxPairs, 1);
        time.Validators.Add(result => Check(result.GetValue(time), 1, "--time", result.AddError));
        warmup.Validators.Add(result => Check(result.GetValue(warmup), 0, "--warmup", result.AddError));
        var root = new RootCommand(Help) { patterns, list, peer, pairs, maxPairs, time, warmup, baseline, output, merge, render, page, bars, spindle, verbose };
        root.Validators.Add(result =>
        {
            if (result.GetValue(page) is not null && result.GetValue(render) is null) result.AddError("--page goes with --render.");
        });
        root.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(list))
            {
                foreach (var scenario in ScenarioCatalogue.Select(parsed.GetValue(patterns)!)) Console.WriteLine($"{scenario.Name,-36} {scenario.Title}");
                return 0;
            }
            int runs = parsed.GetValue(pairs) ?? (parsed.GetValue(peer) is null ? 3 : 7);
            return await BenchProgram.RunAsync(new BenchOptions
            {
                Patterns = parsed.GetValue(patterns)!, Peer = parsed.GetValue(peer), Pairs = runs, MaxPairs = Math.Max(runs, parsed.GetValue(maxPairs) ?? runs),
                Time = parsed.GetValue(time), Warmup = parsed.GetValue(warmup), Baseline = parsed.GetValue(baseline), Output = parsed.GetValue(output),
                Merge = parsed.GetValue(merge), Render = parsed.GetValue(render), Page = parsed.GetValue(page), Bars = parsed.GetValue(bars), Spindle = parsed.GetValue(spindle),
                Verbose = parsed.GetValue(verbose),
            }, cancellationToken);
        });
        return root;
    }

    private static void AtLeast(Option<int?> option, int least) =>
        option.Validators.Add(result => Check(result.GetValue(option) ?? least, least, option.Name, result.AddError));

    private static void Check(int value, int least, string name, Action<string> error)
    {
        if (value < least) error($"{name} takes a whole number from {least} on.");
    }

    private const string Help = """
        Measures Spindle, and a peer beside it.

        Examples:
          ./build.sh bench --list
          ./build.sh bench 'bdev/null/*' --time 5
          ./build.sh bench --peer DIR 'nvmf/malloc/*/4k/*' --pairs 9
          ./build.sh bench process/first-rpc --baseline artifacts/bench/before.json

        The table, and artifacts/bench/report.json, report.md and the charts, have medians with minimum and maximum. A ratio is the median of the
        ratios of neighbouring runs, with an interval of order statistics that holds the true median with at least 95% (from 6 pairs on). A bar is
        met or missed when the whole interval is on one side of it, else it straddles: more pairs are needed.
        """;
}
