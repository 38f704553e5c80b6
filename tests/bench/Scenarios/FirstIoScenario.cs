using System.Diagnostics;
using System.Net;
using Spindle.Bench.Contenders;
using Spindle.Bench.Machine;
using Spindle.Bench.Statistics;
using Spindle.NvmfTests.Initiator;

namespace Spindle.Bench.Scenarios;

/// <summary>The first read that a target ever serves, over NVMe/TCP, against the median of a thousand later ones on the same connection. Each run starts a
/// target of its own and connects to it as soon as it says that it is ready; the initiator has connected to another target and read from it before, so that
/// its own first time does not count.</summary>
public sealed class FirstIoScenario() : Scenario("process/first-io", "the first 4k read after the start, over the median of the next thousand", Metric.FirstToWarm)
{
    public override async Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        var measurement = new Measurement(contender, settings);
        await measurement.RunAsync(cancellationToken);
        return measurement;
    }

    private sealed class Measurement(Contender contender, BenchSettings settings) : IMeasurement
    {
        private const int WarmReads = 1000;

        public async Task<Sample> RunAsync(CancellationToken cancellationToken)
        {
            var calls = Backing.Calls("malloc", BdevScenario.BdevName, null);
            await using var target = await Target.StartAsync(contender, Cores.Target, calls, settings, cancellationToken);
            await target.ReadyAsync(cancellationToken);
            // After the target has started: it would inherit this.
            using var pinned = OwnCores.Pin(Cores.Client);
            await using var controller = await NvmeTcpController.ConnectAsync(new IPEndPoint(IPAddress.Loopback, target.Port), Target.Nqn);
            var blocks = await NamespaceIo.OpenAsync(controller, 1);
            double first = await ReadAsync(blocks, 0);
            var later = new List<double>();
            for (uint i = 1; i <= WarmReads; i++) later.Add(await ReadAsync(blocks, i));
            double warm = Interval.Of(later).Median;
            return new Sample { [Metric.FirstIo] = first, [Metric.WarmIo] = warm, [Metric.FirstToWarm] = first / warm };
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private static async Task<double> ReadAsync(NamespaceIo blocks, ulong block)
        {
            long start = Stopwatch.GetTimestamp();
            await blocks.ReadAsync(block, 1);
            return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
    }
}
