using Newtonsoft.Json.Linq;
using Spindle.Bench.Peer;
using Spindle.Bench.Processes;
using Spindle.Bench.Scenarios;

namespace Spindle.Bench.Contenders;

/// <summary>Which cores the two ends of a measurement get.</summary>
public static class Cores
{
    /// <summary>The load alone: the last core, as the first has the machine's interrupts.</summary>
    public static string Single => Environment.ProcessorCount >= 2 ? "0x2" : "0x1";

    public const string Target = "0x1";

    /// <summary>Two reactors of a target.</summary>
    public const string TargetPair = "0x3";

    public static string Client => Environment.ProcessorCount >= 2 ? "0x2" : "0x1";
}

/// <summary>One run is one <c>spindle perf bdev</c>.</summary>
internal sealed class SpindleBdevMeasurement(BdevLoad load, JArray calls, string? file, BenchSettings settings) : IMeasurement
{
    public async Task<Sample> RunAsync(CancellationToken cancellationToken)
    {
        List<string> arguments =
        [
            "perf", "bdev", "--bdev", BdevScenario.BdevName, "--cpumask", Cores.Single, "--rw", load.Pattern, "--qd", $"{load.QueueDepth}",
            "--io-size", $"{load.IoSize}", "--time", $"{settings.Time}", "--warmup", $"{settings.Warmup}", "--json",
        ];
        foreach (var call in calls) arguments.AddRange(["--create", $"{call["method"]}:{call["params"]!.ToString(Newtonsoft.Json.Formatting.None)}"]);
        var run = await settings.RunAsync(settings.Spindle, arguments, cancellationToken);
        return SpindlePerfOutput.Parse(run.Output, run.CommandLine);
    }

    public ValueTask DisposeAsync()
    {
        if (file is not null) File.Delete(file);
        return ValueTask.CompletedTask;
    }
}

/// <summary>One run is one of the peer's bdevperf. Its latency histogram stays off: it would cost the peer I/Os.</summary>
internal sealed class PeerBdevMeasurement(BdevLoad load, JArray calls, string? file, BenchSettings settings) : IMeasurement
{
    public async Task<Sample> RunAsync(CancellationToken cancellationToken)
    {
        string config = settings.NewPath("bdevperf.json");
        await File.WriteAllTextAsync(config, Backing.Configuration(("bdev", calls)), cancellationToken);
        string[] arguments =
        [
            "-c", config, "-m", Cores.Single, "-r", settings.NewPath("sock"), "-T", BdevScenario.BdevName, "-q", $"{load.QueueDepth}", "-o", $"{load.IoSize}", "-w", load.Pattern,
            "-t", $"{settings.Time}", .. PeerTools.Memory(512),
        ];
        var run = await settings.RunAsync(settings.Peer!.Bdevperf, arguments, cancellationToken);
        return BdevperfOutput.Parse(run.Output, run.CommandLine);
    }

    public ValueTask DisposeAsync()
    {
        if (file is not null) File.Delete(file);
        return ValueTask.CompletedTask;
    }
}
