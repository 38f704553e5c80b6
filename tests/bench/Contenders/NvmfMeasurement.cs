using Spindle.Bench.Peer;
using Spindle.Bench.Processes;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Contenders;

/// <summary>One run is one run of a client against a target that stays; the target is stopped between runs.</summary>
internal sealed class NvmfMeasurement : IMeasurement
{
    private readonly Target _target;
    private readonly NvmfLoad _load;
    private readonly string? _file;
    private readonly BenchSettings _settings;

    internal NvmfMeasurement(Target target, NvmfLoad load, string? file, BenchSettings settings)
    {
        (_target, _load, _file, _settings) = (target, load, file, settings);
        target.Pause();
    }

    public async Task<Sample> RunAsync(CancellationToken cancellationToken)
    {
        _target.Resume();
        try
        {
            var usage = new TargetUsage(_target);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            // The client needs a moment to start and then warms up; what the target uses is sampled in the middle of what is measured.
            var sampling = usage.SampleAsync(TimeSpan.FromSeconds(_settings.Warmup + 0.7), TimeSpan.FromSeconds(Math.Max(0.3, _settings.Time - 0.5)), ended.Token);
            var sample = await NvmeClient.RunAsync(_target.Port, _load, _settings, cancellationToken);
            await ended.CancelAsync();
            await sampling;
            usage.AddTo(sample);
            return sample;
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

    public async ValueTask DisposeAsync()
    {
        await _target.DisposeAsync();
        if (_file is not null) File.Delete(_file);
    }
}

/// <summary>What a target uses in a stretch of time: how much of it its reactors were busy, and processor time.</summary>
internal sealed class TargetUsage(Target target)
{
    private double _busyCores, _cpuCores;

    /// <summary>Waits, then measures for a time, or until cancelled.</summary>
    public async Task SampleAsync(TimeSpan after, TimeSpan during, CancellationToken ended)
    {
        try
        {
            await Task.Delay(after, ended);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var (busy, all) = await target.ReactorTicksAsync(ended);
            double cpu = ProcessUsage.CpuSeconds(target.Pid);
            await Task.Delay(during, ended);
            var (busyThen, allThen) = await target.ReactorTicksAsync(ended);
            double cpuThen = ProcessUsage.CpuSeconds(target.Pid), seconds = clock.Elapsed.TotalSeconds;
            // The ticks of all reactors together are the cores there are.
            double cores = (await target.CallAsync("framework_get_reactors", null, ended))["reactors"]!.Count();
            if (allThen > all) _busyCores = (busyThen - busy) / (allThen - all) * cores;
            _cpuCores = (cpuThen - cpu) / seconds;
        }
        catch (OperationCanceledException)
        {
            // The client ended sooner than expected; there is no figure then.
        }
    }

    /// <summary>Adds the figures per I/O.</summary>
    public void AddTo(Sample sample)
    {
        if (sample[Metric.Iops] is not { } iops || _cpuCores <= 0) return;
        sample[Metric.BusyPerIo] = _busyCores * 1e6 / iops;
        sample[Metric.CpuPerIo] = _cpuCores * 1e6 / iops;
    }
}

/// <summary>The client: the peer's where there is a peer, for both targets, else Spindle's own.</summary>
internal static class NvmeClient
{
    // The peer's client sends an empty name otherwise, which the specification does not allow and Spindle refuses.
    private const string HostNqn = "nqn.2026-11.io.spindle:bench-host";

    public static async Task<Sample> RunAsync(int port, NvmfLoad load, BenchSettings settings, CancellationToken cancellationToken)
    {
        if (settings.Peer is null)
        {
            var own = await settings.RunAsync(settings.Spindle,
            [
                "perf", "nvme", "--address", $"127.0.0.1:{port}", "--nqn", Target.Nqn, "--rw", load.Pattern, "--qd", $"{load.QueueDepth}", "--io-size", $"{load.IoSize}",
                "--queues", $"{load.Queues}", "--cpumask", Cores.Client, "--time", $"{settings.Time}", "--warmup", $"{settings.Warmup}", "--json",
            ], cancellationToken);
            return SpindlePerfOutput.Parse(own.Output, own.CommandLine);
        }
        var run = await settings.RunAsync(settings.Peer.Client,
        [
            // Its depth is that of all connections together.
            "-r", $"trtype:TCP adrfam:IPv4 traddr:127.0.0.1 trsvcid:{port} subnqn:{Target.Nqn} hostnqn:{HostNqn}", "-q", $"{load.QueueDepth * load.Queues}", "-o", $"{load.IoSize}", "-w", load.Pattern,
            "-P", $"{load.Queues}", "-c", Cores.Client, "-t", $"{settings.Time}", "-a", $"{settings.Warmup}", "-L", .. PeerTools.Memory(512),
        ], cancellationToken);
        return NvmePerfOutput.Parse(run.Output, run.CommandLine);
    }
}
