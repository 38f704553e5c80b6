using Spindle.Modules;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>A way by which NVMe commands arrive: TCP, and what may follow. It listens, accepts connections as <see cref="NvmfQueuePair"/>s and
/// carries capsules and data; what the commands mean is the target's.</summary>
/// <remarks><para>Life: created by <c>nvmf_create_transport</c> → <see cref="StartAsync"/> → <see cref="CreatePollGroup"/> on each poll group's thread →
/// <see cref="ListenAsync"/>, <see cref="StopListeningAsync"/> … → <see cref="StopAsync"/> once all connections are closed.</para>
/// <para>Called on the app thread unless a member says otherwise.</para></remarks>
public abstract class NvmfTransport
{
    /// <param name="options">Checked by <see cref="INvmfTransportFactory.Validate"/>.</param>
    protected NvmfTransport(NvmfTransportOptions options) => Options = options;

    /// <summary>The name on the wire of the RPCs: "TCP".</summary>
    public abstract string Name { get; }

    /// <summary>The type in discovery entries.</summary>
    public abstract TransportType Type { get; }

    /// <summary>The options it was created with.</summary>
    public NvmfTransportOptions Options { get; }

    /// <summary>The target; set before <see cref="StartAsync"/>.</summary>
    public INvmfTransportHost Host { get; internal set; } = null!;

    /// <summary>Makes what all poll groups share.</summary>
    public virtual Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Makes the transport's part of a poll group. Called on the group's storage thread.</summary>
    public abstract NvmfTransportPollGroup CreatePollGroup(NvmfPollGroup group);

    /// <summary>Starts to listen; called once for each address however many subsystems use it. Each connection that is accepted
    /// becomes a queue pair that is handed to <see cref="INvmfTransportHost.Accept"/>.</summary>
    /// <returns>The address, with the port that the system chose where the service was "0".</returns>
    /// <exception cref="SpindleException">EINVAL: not an address of this transport. EADDRINUSE, EADDRNOTAVAIL, EACCES …</exception>
    public abstract Task<NvmfTransportAddress> ListenAsync(NvmfTransportAddress address, CancellationToken cancellationToken);

    /// <summary>Stops accepting at an address, as <see cref="ListenAsync"/> returned it. Its connections stay; the target disconnects them.</summary>
    public abstract Task StopListeningAsync(NvmfTransportAddress address);

    /// <summary>Changes what Identify Controller says where the transport differs from the target's idea (SGLS, IOCCSZ, ICDOFF, MSDBD). On the controller's thread.</summary>
    public virtual void DescribeController(ref IdentifyController data) { }

    /// <summary>Writes option members of its own, for <c>nvmf_get_transports</c> and saved configuration; the shared ones are written by the target.</summary>
    public virtual void WriteOptions(IRpcWriter writer) { }

    /// <summary>Writes its counters of a poll group as members of its object in <c>nvmf_get_stats</c>. Values may be of slightly different moments.</summary>
    public virtual void WriteStatistics(NvmfPollGroup group, IRpcWriter writer) { }

    /// <summary>Releases everything; its connections are closed and its poll groups disposed.</summary>
    public virtual Task StopAsync() => Task.CompletedTask;
}

/// <summary>What a transport sees of the target.</summary>
public interface INvmfTransportHost
{
    /// <summary>The door to the host: rings, sockets, memory, logging.</summary>
    IModuleContext Context { get; }

    /// <summary>The poll groups, one for each reactor that serves.</summary>
    IReadOnlyList<NvmfPollGroup> PollGroups { get; }

    /// <summary>Takes a new connection: chooses its poll group, and there calls <see cref="NvmfQueuePair.OnStart"/>. On any storage thread.
    /// A target that is stopping disconnects it at once.</summary>
    void Accept(NvmfQueuePair queuePair);
}

/// <summary>Makes transports of one type. Listed in <see cref="NvmfTransports"/>.</summary>
public interface INvmfTransportFactory
{
    /// <summary>The name on the wire of the RPCs, compared without regard to case.</summary>
    string Name { get; }

    /// <summary>A fresh set of the type's defaults.</summary>
    NvmfTransportOptions CreateDefaultOptions();

    /// <summary>Checks options, and adjusts those that SPDK adjusts.</summary>
    /// <exception cref="SpindleException">EINVAL, naming the option and its range.</exception>
    void Validate(NvmfTransportOptions options);

    /// <summary>Makes a transport.</summary>
    NvmfTransport Create(NvmfTransportOptions options);
}
