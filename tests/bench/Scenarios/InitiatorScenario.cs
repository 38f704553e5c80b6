using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>A bdev on an NVMe/TCP namespace under load from inside the process: the initiators are compared, over one and the same target.</summary>
/// <param name="Pattern">randread, randwrite …</param>
/// <param name="IoSize">Bytes.</param>
/// <param name="QueueDepth">I/Os outstanding.</param>
public sealed record InitiatorLoad(string Pattern, int IoSize, int QueueDepth);

/// <inheritdoc cref="InitiatorLoad"/>
public sealed class InitiatorScenario(InitiatorLoad load)
    : Scenario($"nvme/{load.Pattern}/{BdevScenario.SizeText(load.IoSize)}/q{load.QueueDepth}",
        $"{load.Pattern} of {BdevScenario.SizeText(load.IoSize)} on bdev_nvme over TCP, {load.QueueDepth} outstanding; the target is the peer's, else Spindle's, with malloc", Metric.Iops)
{
    private const string Controller = "Nvme0";

    /// <summary>What the load runs on.</summary>
    public const string BdevName = Controller + "n1";

    public InitiatorLoad Load => load;

    public override async Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        var target = await Target.StartAsync(settings.Peer is null ? Contender.Spindle : Contender.Peer, Cores.Target, Backing.Calls("malloc", BdevScenario.BdevName, null), settings, cancellationToken);
        return new InitiatorMeasurement(target, contender, load, settings);
    }

    /// <summary>The parameters that attach the target, for either initiator.</summary>
    internal static object Attach(Target target) => new
    {
        name = Controller, trtype = "TCP", adrfam = "IPv4", traddr = "127.0.0.1", trsvcid = $"{target.Port}", subnqn = Target.Nqn, hostnqn = "nqn.2026-11.io.spindle:bench-host",
    };
}
