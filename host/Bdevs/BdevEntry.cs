using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>What the host keeps of a registered bdev. It is the I/O device whose channels are the bdev's queues; the bdev itself is the
/// one whose channels are the module's.</summary>
internal sealed class BdevEntry : IoDevice
{
    private readonly Lock _statisticsLock = new();
    private BdevStatistics _ended;
    private volatile bool _isRemoving;
    private volatile BdevHandover? _handover;

    internal BdevEntry(BdevRegistry registry, Bdev bdev)
    {
        Registry = registry;
        Bdev = bdev;
    }

    internal BdevRegistry Registry { get; }
    internal Bdev Bdev { get; set; }
    internal BdevClaims Claims { get; } = new();
    internal BdevRangeLocks RangeLocks { get; } = new();
    internal List<BdevDescriptor> Descriptors { get; } = [];
    internal Lock DescriptorLock { get; } = new();
    internal TaskCompletionSource? AllClosed { get; set; }

    /// <summary>The upgrade of the bdev's module that holds its I/O; null when there is none. New channels begin held while it is set.</summary>
    internal BdevHandover? Handover
    {
        get => _handover;
        set => _handover = value;
    }

    /// <summary>Serializes resets.</summary>
    internal SemaphoreSlim ResetTurn { get; } = new(1);

    /// <summary>True from the start of removal: new I/O is refused.</summary>
    internal bool IsRemoving
    {
        get => _isRemoving;
        set => _isRemoving = value;
    }

    /// <inheritdoc/>
    protected internal override IoChannel CreateChannel(IStorageThread thread) => new BdevQueueChannel(this, (Reactors.StorageThreadCore)thread);

    internal void KeepStatistics(in BdevStatistics statistics)
    {
        lock (_statisticsLock) _ended.Add(statistics);
    }

    /// <summary>Sums the counters of all threads, living channels and ended ones.</summary>
    internal async Task<BdevStatistics> GetStatisticsAsync()
    {
        BdevStatistics sum;
        lock (_statisticsLock) sum = _ended;
        var living = new StatisticsSum();
        await Registry.Threads.ForEachChannelAsync(this, static (channel, state) =>
        {
            ((StatisticsSum)state!).Sum.Add(((BdevQueueChannel)channel).Queue.Statistics);
            return 0;
        }, living);
        sum.Add(living.Sum);
        return sum;
    }

    /// <summary>The counters of each living channel, with its thread.</summary>
    internal async Task<IReadOnlyList<(IStorageThread Thread, BdevStatistics Statistics)>> GetChannelStatisticsAsync()
    {
        var list = new List<(IStorageThread, BdevStatistics)>();
        await Registry.Threads.ForEachChannelAsync(this, static (channel, state) =>
        {
            ((List<(IStorageThread, BdevStatistics)>)state!).Add((channel.Thread, ((BdevQueueChannel)channel).Queue.Statistics));
            return 0;
        }, list);
        return list;
    }

    /// <summary>Sets the counters to zero; all of them, or only the longest and shortest times.</summary>
    internal async Task ResetStatisticsAsync(bool onlyExtremes)
    {
        lock (_statisticsLock)
        {
            if (onlyExtremes) ClearExtremes(ref _ended);
            else _ended = default;
        }
        await Registry.Threads.ForEachChannelAsync(this, static (channel, state) =>
        {
            ref var statistics = ref ((BdevQueueChannel)channel).Queue.Statistics;
            if ((bool)state!) ClearExtremes(ref statistics);
            else statistics = default;
            return 0;
        }, onlyExtremes);
    }

    private static void ClearExtremes(ref BdevStatistics s)
    {
        s.MinReadTicks = s.MaxReadTicks = s.MinWriteTicks = s.MaxWriteTicks = 0;
        s.MinUnmapTicks = s.MaxUnmapTicks = s.MinCopyTicks = s.MaxCopyTicks = 0;
    }

    private sealed class StatisticsSum
    {
        public BdevStatistics Sum;
    }
}

/// <summary>One storage thread's channel of a bdev in the host: holds the queue.</summary>
internal sealed class BdevQueueChannel : IoChannel
{
    internal BdevQueueChannel(BdevEntry entry, Reactors.StorageThreadCore thread)
    {
        var module = entry.Registry.Threads.GetChannel(entry.Bdev);
        Queue = new BdevQueue(entry, thread, module);
        if (entry.Handover is not null) Queue.HoldForHandover();
        entry.RangeLocks.AddQueue(Queue);
    }

    internal BdevQueue Queue { get; }

    /// <inheritdoc/>
    protected internal override void Destroy()
    {
        Queue.Entry.RangeLocks.RemoveQueue(Queue);
        Queue.Entry.KeepStatistics(Queue.Statistics);
        var module = Queue.ModuleChannel;
        Queue.Free();
        Queue.Entry.Registry.Threads.PutChannel(module);
    }
}
