using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>Load over NVMe/TCP.</summary>
/// <param name="Backend">What lies behind the namespace.</param>
/// <param name="Pattern">randread, randwrite …</param>
/// <param name="IoSize">Bytes.</param>
/// <param name="QueueDepth">Commands outstanding on each queue.</param>
/// <param name="Queues">I/O queues, each a connection.</param>
/// <param name="Reactors">Of the target, 1 or 2. With two the client shares a core with one of them on a small machine.</param>
public sealed record NvmfLoad(string Backend, string Pattern, int IoSize, int QueueDepth, int Queues = 1, int Reactors = 1);

/// <summary>A target on one core (or two), a client on another: the peer's spdk_nvme_perf for both targets where there is a peer, else Spindle's own.</summary>
public sealed class NvmfScenario(NvmfLoad load) : Scenario(NameOf(load), TitleOf(load), Metric.Iops)
{
    public NvmfLoad Load => load;

    public override async Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        string? file = Backing.FileOf(load.Backend, settings);
        var calls = Backing.Calls(load.Backend, BdevScenario.BdevName, file);
        var target = await Target.StartAsync(contender, load.Reactors == 1 ? Cores.Target : Cores.TargetPair, calls, settings, cancellationToken);
        var measurement = new NvmfMeasurement(target, load, file, settings);
        // Not counted: on a machine of two cores what a target does in its first seconds (the runtime compiles what turns out to be hot) runs where the client runs.
        await measurement.RunAsync(cancellationToken);
        return measurement;
    }

    private static string NameOf(NvmfLoad load) =>
        $"nvmf/{load.Backend}/{load.Pattern}/{BdevScenario.SizeText(load.IoSize)}/q{load.QueueDepth}" +
        (load.Queues > 1 ? $"/c{load.Queues}" : "") + (load.Reactors > 1 ? $"/r{load.Reactors}" : "");

    private static string TitleOf(NvmfLoad load) =>
        $"{load.Pattern} of {BdevScenario.SizeText(load.IoSize)} over NVMe/TCP, {load.Backend} behind it, {load.QueueDepth} outstanding on " +
        (load.Queues > 1 ? $"each of {load.Queues} connections" : "one connection") + (load.Reactors > 1 ? $", {load.Reactors} reactors" : "");
}
