using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>The ranges of one bdev whose I/O its module holds back. Those that overlap follow one another in the order in which they were asked for. On the app thread.</summary>
internal sealed class BdevQuiesces(BdevEntry entry)
{
    private readonly List<Quiesce> _all = [];

    /// <summary>Holds new I/O to a range back and returns when none is under way.</summary>
    /// <param name="offset">First block.</param>
    /// <param name="end">The block after the last; the largest number for all there are and will be.</param>
    /// <exception cref="SpindleException">ENODEV: the bdev is being removed.</exception>
    internal async Task AcquireAsync(ulong offset, ulong end)
    {
        if (entry.IsRemoving) throw Gone();
        var earlier = _all.Where(other => offset < other.End && other.Offset < end).Select(other => other.Ended.Task).ToArray();
        var mine = new Quiesce(entry.Registry.Threads.AppThread, offset, end);
        _all.Add(mine);
        await Task.WhenAll(earlier);
        // Those that waited end when the bdev goes, with those they waited for.
        if (!entry.IsRemoving)
        {
            entry.RangeLocks.Acquire(mine.Lock, offset, end);
            await mine.Locked.Task;
            if (!entry.IsRemoving)
            {
                mine.IsHeld = true;
                return;
            }
            entry.RangeLocks.Release(mine.Lock);
            await mine.Unlocked.Task;
        }
        End(mine);
        throw Gone();
    }

    /// <summary>Lets I/O to a range go on.</summary>
    /// <exception cref="SpindleException">EINVAL: this very range is not held back.</exception>
    internal async Task ReleaseAsync(ulong offset, ulong end)
    {
        var mine = _all.Find(q => q.IsHeld && q.Offset == offset && q.End == end)
            ?? throw new SpindleException(Errno.EINVAL, $"Bdev '{entry.Bdev.Name}' is not quiesced from block {offset} to {end}; give the very range that was.");
        mine.IsHeld = false;
        entry.RangeLocks.Release(mine.Lock);
        await mine.Unlocked.Task;
        End(mine);
    }

    /// <summary>The bdev goes: nobody waits any more.</summary>
    internal Task OnRemovingAsync()
    {
        if (_all.Count == 0) return Task.CompletedTask;
        foreach (var held in _all) held.Ended.TrySetResult();
        return entry.VisitQueuesAsync(static queue => queue.FailQuiesced());
    }

    private void End(Quiesce mine)
    {
        _all.Remove(mine);
        mine.Ended.TrySetResult();
    }

    private SpindleException Gone() => new(Errno.ENODEV, $"Bdev '{entry.Bdev.Name}' is being removed.");

    private sealed class Quiesce
    {
        public Quiesce(IStorageThread thread, ulong offset, ulong end)
        {
            (Offset, End) = (offset, end);
            Lock = new BdevRangeLock(thread, static s => ((Quiesce)s!).Locked.TrySetResult(), static s => ((Quiesce)s!).Unlocked.TrySetResult(), this, quiesces: true);
        }

        public ulong Offset { get; }
        public ulong End { get; }
        public BdevRangeLock Lock { get; }
        public bool IsHeld { get; set; }
        public TaskCompletionSource Locked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public TaskCompletionSource Unlocked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
