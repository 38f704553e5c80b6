using Spindle.Frontend.Nvmf.Transport;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The queue pairs of one controller, by queue identifier. On the controller's thread; the counts may be read on any.</summary>
internal sealed class ControllerQueues(NvmfQueuePair admin, uint maxIoQueues)
{
    private static readonly StorageMessage s_disconnect = static state => ((DisconnectMessage)state!).Run();

    private readonly NvmfQueuePair?[] _io = new NvmfQueuePair?[maxIoQueues];
    private volatile int _ioCount;

    /// <summary>The admin queue.</summary>
    public NvmfQueuePair Admin { get; } = admin;

    /// <summary>True once the admin queue has ended.</summary>
    public bool AdminGone { get; set; }

    /// <summary>I/O queues connected, or on their way in or out.</summary>
    public int IoCount => _ioCount;

    /// <summary>The queue with an identifier; null when there is none.</summary>
    public NvmfQueuePair? Find(ushort qid)
    {
        if (qid == 0) return AdminGone ? null : Admin;
        return qid <= _io.Length ? _io[qid - 1] : null;
    }

    /// <summary>Takes an I/O queue in.</summary>
    /// <returns>False when the identifier is 0, too large or in use.</returns>
    public bool TryAdd(NvmfQueuePair queuePair, ushort qid)
    {
        if (qid == 0 || qid > _io.Length || _io[qid - 1] is not null) return false;
        _io[qid - 1] = queuePair;
        _ioCount++;
        return true;
    }

    /// <summary>A queue has ended.</summary>
    public void Remove(NvmfQueuePair queuePair)
    {
        int index = Array.IndexOf(_io, queuePair);
        if (index < 0) return;
        _io[index] = null;
        _ioCount--;
    }

    /// <summary>Disconnects the queues, each on its own thread.</summary>
    public void PostDisconnect(string reason, bool includeAdmin)
    {
        if (includeAdmin && !AdminGone) Post(Admin, reason);
        foreach (NvmfQueuePair? queuePair in _io)
        {
            if (queuePair is not null) Post(queuePair, reason);
        }
    }

    /// <summary>Disconnects the I/O queues that came in at an address.</summary>
    public void PostDisconnectListener(NvmfTransportAddress address, string reason)
    {
        foreach (NvmfQueuePair? queuePair in _io)
        {
            if (queuePair is not null && queuePair.ListenAddress.Matches(address)) Post(queuePair, reason);
        }
    }

    private static void Post(NvmfQueuePair queuePair, string reason) => queuePair.Group.Thread.Send(s_disconnect, new DisconnectMessage(queuePair, reason));

    private sealed record DisconnectMessage(NvmfQueuePair QueuePair, string Reason)
    {
        public void Run() => QueuePair.Disconnect(Reason);
    }
}
