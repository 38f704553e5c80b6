using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>The part of the target that one reactor serves: a storage thread, the queue pairs on it, and its channels to the namespaces' bdevs.
/// Members are used on the group's thread, unless they say otherwise.</summary>
public sealed class NvmfPollGroup
{
    private readonly List<NvmfQueuePair> _queuePairs = [];
    private readonly List<(NvmfTransport Transport, NvmfTransportPollGroup Part)> _transports = [];
    private readonly Dictionary<int, SubsystemChannel> _subsystems = [];
    private readonly Action<NvmfPollGroup, NvmfQueuePair> _removed;

    internal int Load;
    internal bool Closing;
    internal PollGroupStatistics Statistics = new();

    internal NvmfPollGroup(string name, IStorageThread thread, Action<NvmfPollGroup, NvmfQueuePair> removed, ILogger log)
    {
        Name = name;
        Thread = thread;
        _removed = removed;
        Log = log;
    }

    /// <summary>"nvmf_tgt_poll_group_000" …; also the thread's name. On any thread.</summary>
    public string Name { get; }

    /// <summary>The storage thread. On any thread.</summary>
    public IStorageThread Thread { get; }

    /// <summary>The target's log. On any thread; not for the data path.</summary>
    public ILogger Log { get; }

    internal IReadOnlyList<NvmfQueuePair> QueuePairs => _queuePairs;

    internal IReadOnlyCollection<SubsystemChannel> Subsystems => _subsystems.Values;

    /// <summary>The part of the group that belongs to a transport.</summary>
    /// <exception cref="SpindleException">ENOENT: the transport is not started.</exception>
    public NvmfTransportPollGroup GetTransportGroup(NvmfTransport transport)
    {
        foreach ((NvmfTransport candidate, NvmfTransportPollGroup part) in _transports)
        {
            if (candidate == transport) return part;
        }
        throw new SpindleException(Errno.ENOENT, $"The transport {transport.Name} has no part in {Name}.");
    }

    internal void AddTransport(NvmfTransport transport) => _transports.Add((transport, transport.CreatePollGroup(this)));

    internal void Add(NvmfQueuePair queuePair)
    {
        queuePair.TransportGroup = GetTransportGroup(queuePair.Transport);
        _queuePairs.Add(queuePair);
        queuePair.OnStart();
        if (Closing) queuePair.Disconnect("the target is stopping");
    }

    internal void Remove(NvmfQueuePair queuePair)
    {
        _queuePairs.Remove(queuePair);
        _removed(this, queuePair);
    }

    internal void OnDisconnecting(NvmfQueuePair queuePair) => Statistics.OnDisconnected(queuePair);

    internal SubsystemChannel? FindSubsystem(int id) => _subsystems.GetValueOrDefault(id);

    internal void AddSubsystem(int id, SubsystemChannel channel) => _subsystems.Add(id, channel);

    internal SubsystemChannel? RemoveSubsystem(int id) => _subsystems.Remove(id, out SubsystemChannel? channel) ? channel : null;

    [DataPath]
    internal void CountCompletion() => Statistics.CompletedIo++;

    internal void DisposeTransports()
    {
        foreach ((_, NvmfTransportPollGroup part) in _transports) part.Dispose();
        _transports.Clear();
    }
}
