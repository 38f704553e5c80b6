using System.Net;
using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;
using Spindle.NvmfTests.Initiator;

namespace Spindle.Bench.Scenarios;

/// <summary>How much one connection's load suffers from many others that do nothing: each run measures without them, then with them. Spindle's own figure; the peer
/// reserves memory for each connection that a machine may not have.</summary>
/// <param name="connections">Idle ones, half of them admin queues.</param>
public sealed class IdleConnectionsScenario(int connections)
    : Scenario($"nvmf-idle/{connections}", $"4k randread, 32 outstanding on one connection: with {connections} idle connections beside it, over without them", Metric.WithIdle)
{
    public override async Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        if (contender != Contender.Spindle) return null;
        var calls = Backing.Calls("malloc", BdevScenario.BdevName, null);
        return new Measurement(await Target.StartAsync(contender, Cores.Target, calls, settings, cancellationToken), connections, settings);
    }

    private sealed class Measurement(Target target, int connections, BenchSettings settings) : IMeasurement
    {
        private static readonly NvmfLoad s_load = new("malloc", "randread", 4096, 32);

        public async Task<Sample> RunAsync(CancellationToken cancellationToken)
        {
            var without = await NvmeClient.RunAsync(target.Port, s_load, settings, cancellationToken);
            var idle = new List<NvmeTcpController>();
            try
            {
                var endpoint = new IPEndPoint(IPAddress.Loopback, target.Port);
                var options = new HostOptions { IoQueue = new QueueOptions { QueueSize = 8 }, AdminQueue = new QueueOptions { QueueSize = 8 } };
                for (int i = 0; i < connections / 2; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    idle.Add(await NvmeTcpController.ConnectAsync(endpoint, Target.Nqn, options));
                }
                var with = await NvmeClient.RunAsync(target.Port, s_load, settings, cancellationToken);
                return new Sample { [Metric.WithIdle] = with[Metric.Iops] / without[Metric.Iops], [Metric.Iops] = with[Metric.Iops], [Metric.P99] = with[Metric.P99] };
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or TimeoutException or NvmeStatusException or Spindle.NvmfTests.Initiator.ProtocolViolationException)
            {
                throw new BenchException($"idle connection {idle.Count + 1} of {connections / 2} pairs failed: {e.Message}");
            }
            finally
            {
                foreach (var controller in idle) await controller.DisposeAsync();
            }
        }

        public ValueTask DisposeAsync() => target.DisposeAsync();
    }
}
