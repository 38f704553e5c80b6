using Spindle.Bdevs;
using Spindle.Host.Bdevs.Qos;
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
    private volatile BdevIoTimeout? _ioTimeout;

    internal BdevEntry(BdevRegistry registry, Bdev bdev)
    {
        Registry = registry;
        Bdev = bdev;
        Qos = new BdevEntryQos(this);
        Histogram = new BdevEntryHistogram(this);
        Depth = new BdevDepthSampler(this);
        Quiesces = new BdevQuiesces(this);
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

    /// <summary>The limits on reads and writes and their budgets.</summary>
    internal BdevEntryQos Qos { get; }

    /// <summary>The latency histogram.</summary>
    internal BdevEntryHistogram Histogram { get; }

    /// <summary>The sampled queue depth.</summary>
    internal BdevDepthSampler Depth { get; }

    /// <summary>Ranges whose I/O its module holds back.</summary>
    internal BdevQuiesces Quiesces { get; }

    /// <summary>What is done about its I/O that does not complete; null: what the host does about any bdev's.</summary>
    internal BdevIoTimeout? IoTimeout
    {
        get => _ioTimeout;
        set => _ioTimeout = value;
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

    /// <summary>Runs a function for each queue of the bdev on its thread, all at once. Every thread is visited, not only those that are known to have
    /// a queue: one that is being made is finished then, and is seen.</summary>
    internal Task VisitQueuesAsync(Action<BdevQueue> function)
    {
        var visits = new List<Task>();
        foreach (var thread in Registry.Threads.Threads.Cast<Reactors.StorageThreadCore>())
        {
            visits.Add(thread.VisitAsync(() =>
            {
                if (thread.Channels.TryGetValue(this, out var channel)) function(((BdevQueueChannel)channel).Queue);
            }));
        }
        return Task.WhenAll(visits);
    }

    internal void KeepStatistics(in BdevStatistics statistics)
    {
        lock (_statisticsLock) _ended.Add(statistics);
    }

    /// <summary>Sums the counters of all threads, living channels and ended ones, and sets some to zero in the same visit, so that nothing is lost in between.</summary>
    internal async Task<BdevStatistics> GetStatisticsAsync(BdevStatisticsReset reset)
    {
        BdevStatistics sum;
        lock (_statisticsLock)
        {
            sum = _ended;
            _ended.Reset(reset);
        }
        var living = new StatisticsSum();
        await Registry.Threads.ForEachChannelAsync(this, (channel, state) =>
        {
            ref var statistics = ref ((BdevQueueChannel)channel).Queue.Statistics;
            ((StatisticsSum)state!).Sum.Add(statistics);
            statistics.Reset(reset);
            return 0;
        }, living);
        sum.Add(living.Sum);
        return sum;
    }

    /// <summary>The counters of each living channel, with its thread; sets some to zero.</summary>
    internal async Task<IReadOnlyList<(IStorageThread Thread, BdevStatistics Statistics)>> GetChannelStatisticsAsync(BdevStatisticsReset reset)
    {
        var list = new List<(IStorageThread, BdevStatistics)>();
        await Registry.Threads.ForEachChannelAsync(this, (channel, state) =>
        {
            ref var statistics = ref ((BdevQueueChannel)channel).Queue.Statistics;
            ((List<(IStorageThread, BdevStatistics)>)state!).Add((channel.Thread, statistics));
            statistics.Reset(reset);
            return 0;
        }, list);
        return list;
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
        Queue.SetQos(entry.Qos.Budgets);
        Queue.SetHistogram(entry.Histogram.Options);
        entry.RangeLocks.AddQueue(Queue);
    }

    internal BdevQueue Queue { get; }

    /// <inheritdoc/>
    protected internal override void Destroy()
    {
        Queue.Entry.RangeLocks.RemoveQueue(Queue);
        Queue.Entry.KeepStatistics(Queue.Statistics);
        Queue.Entry.Histogram.Keep(Queue.Histogram);
        var module = Queue.ModuleChannel;
        Queue.Free();
        Queue.Entry.Registry.Threads.PutChannel(module);
    }
}
