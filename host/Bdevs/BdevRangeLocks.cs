using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>A range of a bdev that one holder may write and nobody else: made once, used again.</summary>
internal sealed class BdevRangeLock(BdevQueue origin, StorageMessage onLocked, StorageMessage onUnlocked, object state)
{
    internal readonly BdevQueue Origin = origin;
    internal readonly StorageMessage OnLocked = onLocked;
    internal readonly StorageMessage OnUnlocked = onUnlocked;
    internal readonly object State = state;
    internal ulong Offset;
    internal ulong End;
    internal BdevQueue[] Path = [];
    internal int At;
    internal bool IsReleasing;

    internal bool Overlaps(ulong offset, ulong end) => offset < End && Offset < end;
}

/// <summary>The range locks of one bdev. A lock visits the queues of all threads in one order, by messages: at each it waits for earlier locks
/// and for writes under way in its range, so two locks never wait for each other.</summary>
internal sealed class BdevRangeLocks
{
    private readonly Lock _lock = new();
    private readonly List<BdevRangeLock> _active = [];
    private volatile BdevQueue[] _queues = [];

    internal void AddQueue(BdevQueue queue)
    {
        lock (_lock)
        {
            _queues = [.. _queues.Append(queue).OrderBy(q => q.Thread.Id)];
            foreach (var active in _active) queue.Inherit(active);
        }
    }

    internal void RemoveQueue(BdevQueue queue)
    {
        lock (_lock) _queues = [.. _queues.Where(q => !ReferenceEquals(q, queue))];
        queue.IsGone = true;
    }

    internal void Acquire(BdevRangeLock range, ulong offset, ulong blocks)
    {
        range.Offset = offset;
        range.End = offset + blocks;
        range.IsReleasing = false;
        range.At = -1;
        lock (_lock)
        {
            range.Path = _queues;
            _active.Add(range);
        }
        Next(range);
    }

    internal void Release(BdevRangeLock range)
    {
        range.IsReleasing = true;
        range.At = -1;
        lock (_lock)
        {
            _active.Remove(range);
            range.Path = _queues;
        }
        Next(range);
    }

    /// <summary>Goes on to the next queue, on its thread; after the last one tells the holder, on its own.</summary>
    internal static void Next(BdevRangeLock range)
    {
        range.At++;
        if (range.At == range.Path.Length)
        {
            range.Origin.Thread.Send(range.IsReleasing ? range.OnUnlocked : range.OnLocked, range.State);
            return;
        }
        var queue = range.Path[range.At];
        bool sent = queue.Thread.Send(static state =>
        {
            var range = (BdevRangeLock)state!;
            var queue = range.Path[range.At];
            if (queue.IsGone) Next(range);
            else if (range.IsReleasing) queue.RemoveLock(range);
            else queue.AddLock(range);
        }, range);
        if (!sent) Next(range);
    }
}

/// <content>Range locks as one queue sees them.</content>
internal sealed partial class BdevQueue
{
    private readonly List<BdevRangeLock> _locks = [];
    private readonly List<BdevRangeLock> _lockWaiters = [];

    private BdevIo? _lockedHead;
    private BdevIo? _lockedTail;

    /// <summary>The channel was destroyed.</summary>
    internal bool IsGone { get; set; }

    private bool RangeLocked => _locks.Count != 0;
    private bool LocksWaiting => _lockWaiters.Count != 0;

    private static bool Writes(BdevIoType type) => type is BdevIoType.Write or BdevIoType.Unmap or BdevIoType.WriteZeroes
        or BdevIoType.CompareAndWrite or BdevIoType.Copy or BdevIoType.ZoneAppend or BdevIoType.ZoneManagement;

    private bool IsLocked(BdevIo io)
    {
        if (!Writes(io.Type)) return false;
        foreach (var range in _locks)
        {
            if (!ReferenceEquals(io.HostState, range) && range.Overlaps(io.OffsetBlocks, io.OffsetBlocks + io.NumBlocks)) return true;
        }
        return false;
    }

    internal void Inherit(BdevRangeLock range) => _locks.Add(range);

    internal void AddLock(BdevRangeLock range)
    {
        // A queue made while the lock was under way has it already.
        _locks.Remove(range);
        _lockWaiters.Add(range);
        AdvanceLocks();
    }

    private void AdvanceLocks()
    {
        for (int i = 0; i < _lockWaiters.Count;)
        {
            var range = _lockWaiters[i];
            bool held = _locks.Contains(range);
            if (!held && !_locks.Exists(other => other.Overlaps(range.Offset, range.End)))
            {
                _locks.Add(range);
                held = true;
            }
            if (held && !WritesUnderWay(range))
            {
                _lockWaiters.RemoveAt(i);
                BdevRangeLocks.Next(range);
            }
            else
            {
                i++;
            }
        }
    }

    private bool WritesUnderWay(BdevRangeLock range)
    {
        foreach (var io in All)
        {
            if ((io.HostFlags & WithModule) != 0 && Writes(io.Type) && !ReferenceEquals(io.HostState, range) && range.Overlaps(io.OffsetBlocks, io.OffsetBlocks + io.NumBlocks)) return true;
        }
        return false;
    }

    internal void RemoveLock(BdevRangeLock range)
    {
        _locks.Remove(range);
        BdevRangeLocks.Next(range);
        UnlockQueued();
        if (_pendingHead is not null) RetryPending();
        if (LocksWaiting) AdvanceLocks();
    }

    /// <summary>Keeps an I/O until the range locks change; others pass it.</summary>
    private void EnqueueLocked(BdevIo io)
    {
        io.HostFlags = Queued;
        io.Next = null;
        if (_lockedTail is null) _lockedHead = io;
        else _lockedTail.Next = io;
        _lockedTail = io;
    }

    /// <summary>Puts what a lock held at the front of what waits; each is looked at again before it is submitted.</summary>
    private void UnlockQueued()
    {
        if (_lockedHead is null) return;
        _lockedTail!.Next = _pendingHead;
        _pendingTail ??= _lockedTail;
        _pendingHead = _lockedHead;
        _lockedHead = _lockedTail = null;
    }
}
