using Spindle.Bench.Contenders;
using Spindle.Bench.Processes;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>From the start of an empty nvmf_tgt's process to the answer of its first RPC.</summary>
public sealed class StartScenario() : Scenario("process/first-rpc", "from the start of the process to the answer of the first RPC", Metric.Seconds)
{
    public override Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken) =>
        Task.FromResult<IMeasurement?>(new Measurement(contender, settings));

    private sealed class Measurement(Contender contender, BenchSettings settings) : IMeasurement
    {
        public async Task<Sample> RunAsync(CancellationToken cancellationToken)
        {
            await using var target = await Target.StartAsync(contender, Cores.Target, null, settings, cancellationToken);
            return new Sample { [Metric.Seconds] = target.SecondsToFirstRpc };
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>Memory of an nvmf_tgt that serves a null bdev and has nothing to do.</summary>
public sealed class IdleMemoryScenario() : Scenario("process/idle-memory", "memory of an idle nvmf_tgt with a null bdev: resident and huge pages", Metric.Memory)
{
    public override Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken) =>
        Task.FromResult<IMeasurement?>(new Measurement(contender, settings));

    private sealed class Measurement(Contender contender, BenchSettings settings) : IMeasurement
    {
        public async Task<Sample> RunAsync(CancellationToken cancellationToken)
        {
            var calls = Backing.Calls("null", BdevScenario.BdevName, null);
            await using var target = await Target.StartAsync(contender, Cores.Target, calls, settings, cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            var (rss, huge) = ProcessUsage.Memory(target.Pid);
            double cpu = ProcessUsage.CpuSeconds(target.Pid);
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            return new Sample
            {
                [Metric.Rss] = rss / 1e6, [Metric.HugePages] = huge / 1e6, [Metric.Memory] = (rss + huge) / 1e6,
                [Metric.Cpu] = (ProcessUsage.CpuSeconds(target.Pid) - cpu) * 100,
            };
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
