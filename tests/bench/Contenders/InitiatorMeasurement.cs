using Newtonsoft.Json.Linq;
using Spindle.Bench.Peer;
using Spindle.Bench.Scenarios;

namespace Spindle.Bench.Contenders;

/// <summary>One run is one load generator with the driver in it, against a target that stays; the target is stopped between runs.</summary>
internal sealed class InitiatorMeasurement : IMeasurement
{
    private readonly Target _target;
    private readonly Contender _contender;
    private readonly InitiatorLoad _load;
    private readonly BenchSettings _settings;

    internal InitiatorMeasurement(Target target, Contender contender, InitiatorLoad load, BenchSettings settings)
    {
        (_target, _contender, _load, _settings) = (target, contender, load, settings);
        target.Pause();
    }

    public async Task<Sample> RunAsync(CancellationToken cancellationToken)
    {
        _target.Resume();
        try
        {
            return _contender == Contender.Spindle ? await OwnAsync(cancellationToken) : await PeerAsync(cancellationToken);
        }
        catch (BenchException e)
        {
            throw new BenchException($"{e.Message}\nThe target's last lines:\n{_target.Tail()}");
        }
        finally
        {
            _target.Pause();
        }
    }

    private async Task<Sample> OwnAsync(CancellationToken cancellationToken)
    {
        var run = await _settings.RunAsync(_settings.Spindle,
        [
            "perf", "bdev", "--bdev", InitiatorScenario.BdevName, "--cpumask", Cores.Client, "--rw", _load.Pattern, "--qd", $"{_load.QueueDepth}", "--io-size", $"{_load.IoSize}",
            "--time", $"{_settings.Time}", "--warmup", $"{_settings.Warmup}", "--json",
            "--create", $"bdev_nvme_attach_controller:{JObject.FromObject(InitiatorScenario.Attach(_target)).ToString(Newtonsoft.Json.Formatting.None)}",
        ], cancellationToken);
        return SpindlePerfOutput.Parse(run.Output, run.CommandLine);
    }

    private async Task<Sample> PeerAsync(CancellationToken cancellationToken)
    {
        string config = _settings.NewPath("bdevperf.json");
        await File.WriteAllTextAsync(config, Backing.Configuration(("bdev", [Backing.Call("bdev_nvme_attach_controller", InitiatorScenario.Attach(_target))])), cancellationToken);
        var run = await _settings.RunAsync(_settings.Peer!.Bdevperf,
        [
            "-c", config, "-m", Cores.Client, "-r", _settings.NewPath("sock"), "-T", InitiatorScenario.BdevName, "-q", $"{_load.QueueDepth}", "-o", $"{_load.IoSize}", "-w", _load.Pattern,
            "-t", $"{_settings.Time}", .. PeerTools.Memory(512),
        ], cancellationToken);
        return BdevperfOutput.Parse(run.Output, run.CommandLine);
    }

    public ValueTask DisposeAsync() => _target.DisposeAsync();
}
