namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>A poll group's counters, for <c>nvmf_get_stats</c>. Written on the group's thread, read from any; a reader may see values of slightly different moments.</summary>
internal sealed class PollGroupStatistics
{
    /// <summary>Admin queues connected since the start.</summary>
    public ulong AdminQueuePairs;
    /// <summary>I/O queues connected since the start.</summary>
    public ulong IoQueuePairs;
    /// <summary>Admin queues connected now.</summary>
    public uint CurrentAdminQueuePairs;
    /// <summary>I/O queues connected now.</summary>
    public uint CurrentIoQueuePairs;
    /// <summary>Commands that wait for a free bdev I/O object.</summary>
    public ulong PendingBdevIo;
    /// <summary>Commands of I/O queues that have ended.</summary>
    public ulong CompletedIo;

    /// <summary>A Connect command succeeded.</summary>
    public void OnConnected(NvmfQueuePair queuePair)
    {
        if (queuePair.Qid == 0)
        {
            AdminQueuePairs++;
            CurrentAdminQueuePairs++;
        }
        else
        {
            IoQueuePairs++;
            CurrentIoQueuePairs++;
        }
    }

    /// <summary>A queue pair that had been connected leaves.</summary>
    public void OnDisconnected(NvmfQueuePair queuePair)
    {
        if (queuePair.Controller is null) return;
        if (queuePair.Qid == 0) CurrentAdminQueuePairs--;
        else CurrentIoQueuePairs--;
    }
}
