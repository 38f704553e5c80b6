using Spectre.Console;
using Spindle.Bench.Contenders;
using Spindle.Bench.Machine;
using Spindle.Bench.Reports;
using Spindle.Bench.Runs;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Command;

/// <summary>One use of the program, from the options to the exit status: 0, 1 when something failed or regressed, 2 for a wrong use.</summary>
internal static class BenchProgram
{
    private const int HugePagesForPeer = 1024;

    public static async Task<int> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        string root = FindRoot();
        var bars = Bars.Load(options.Bars ?? Path.Combine(AppContext.BaseDirectory, "bars.json"));
        string folder = options.Output ?? Path.Combine(root, "artifacts", "bench");
        if (options.Render is { } file)
        {
            var earlier = BenchReport.Load(file);
            Console.WriteLine(options.Page is { } page ? ReportFiles.WritePage(page, earlier, bars) : ReportFiles.Write(folder, earlier, bars));
            return 0;
        }
        var baseline = options.Baseline is null ? null : BenchReport.Load(options.Baseline);
        var scenarios = ScenarioCatalogue.Select(options.Patterns);
        string work = Directory.CreateTempSubdirectory("spindle-bench-").FullName;
        try
        {
            var settings = Settings(options, root, work);
            var report = await MeasureAsync(options, settings, bars, scenarios, cancellationToken);
            string json = Path.Combine(folder, "report.json");
            var whole = options.Merge && File.Exists(json) ? BenchReport.Load(json).With(report) : report;
            Console.WriteLine(ReportFiles.Write(folder, whole, bars));
            bool failed = report.Results.Any(result => result.Failure is not null);
            if (baseline is not null) failed |= BaselineTable.Print(Console.Out, BaselineComparison.Compare(baseline, report));
            return failed || cancellationToken.IsCancellationRequested ? 1 : 0;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static BenchSettings Settings(BenchOptions options, string root, string work)
    {
        string spindle = options.Spindle ?? Environment.GetEnvironmentVariable("SPINDLE") ?? Path.Combine(root, "artifacts", "spindle");
        if (!File.Exists(spindle)) throw new BenchException($"{spindle} is missing; run ./build.sh build, or name it with --spindle.");
        var peer = options.Peer is null ? null : PeerTools.Open(options.Peer);
        if (peer is not null) Console.WriteLine(HugePages.Reserve(HugePagesForPeer));
        return new BenchSettings(options.Time, options.Warmup, spindle, root, peer, work, options.Verbose);
    }

    private static async Task<BenchReport> MeasureAsync(BenchOptions options, BenchSettings settings, Bars bars, IReadOnlyList<Scenario> scenarios, CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect });
        if (Console.IsOutputRedirected) console.Profile.Width = 400;
        var table = new TerminalTable(console, bars, settings.Peer is not null);
        var facts = MachineFacts.Collect(settings, options.Pairs);
        table.Machine(facts);
        var progress = new ProgressLine();
        var runner = new ScenarioRunner(settings, bars, options.Pairs, options.MaxPairs);
        var results = new List<ScenarioResult>();
        runner.Running += (scenario, contender, run, of) =>
            progress.Show($"{results.Count + 1}/{scenarios.Count} {scenario.Name}: {(contender == Contender.Spindle ? "Spindle" : "peer")}, run {run} of {of}");
        foreach (var scenario in scenarios)
        {
            if (cancellationToken.IsCancellationRequested) break;
            try
            {
                var result = await runner.RunAsync(scenario, cancellationToken);
                progress.Clear();
                results.Add(result);
                table.Add(result);
            }
            catch (OperationCanceledException)
            {
                progress.Clear();
                Console.Error.WriteLine("interrupted; the report has what was measured until now");
            }
        }
        return new BenchReport(facts, results);
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Spindle.slnx"))) return folder.FullName;
        throw new BenchException($"there is no Spindle.slnx above {AppContext.BaseDirectory}; this program belongs into the source tree.");
    }
}
