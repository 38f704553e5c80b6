using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;

namespace Spindle.NvmfTests.Core.Bench;

/// <summary>A transport without a network: tests make its connections and put commands into them.</summary>
internal sealed class FakeTransport(NvmfTransportOptions options) : NvmfTransport(options)
{
    public static NvmfTransportAddress Address { get; } = new(TransportType.Tcp, AddressFamily.Ipv4, "192.0.2.1", "4420");

    public List<NvmfTransportAddress> Listening { get; } = [];

    public override string Name => "TCP";

    public override TransportType Type => TransportType.Tcp;

    public override NvmfTransportPollGroup CreatePollGroup(NvmfPollGroup group) => new FakePollGroup(group);

    public override Task<NvmfTransportAddress> ListenAsync(NvmfTransportAddress address, CancellationToken cancellationToken)
    {
        Listening.Add(address);
        return Task.FromResult(address);
    }

    public override Task StopListeningAsync(NvmfTransportAddress address)
    {
        Listening.Remove(address);
        return Task.CompletedTask;
    }

    /// <summary>A connection comes in.</summary>
    public async Task<FakeConnection> AcceptAsync(NvmfTransportAddress? at = null)
    {
        FakeConnection connection = new(this, at ?? Address);
        Host.Accept(connection);
        await connection.Started.WaitAsync(TimeSpan.FromSeconds(10));
        return connection;
    }

    private sealed class FakePollGroup(NvmfPollGroup group) : NvmfTransportPollGroup(group)
    {
        public override void Dispose() { }
    }
}
