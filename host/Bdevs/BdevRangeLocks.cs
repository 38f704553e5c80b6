using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>A range of a bdev that one holder may write and nobody else: made once, used again.</summary>
/// <param name="origin">The holder's thread, where it is told.</param>
/// <param name="onLocked">The holder has the range.</param>
/// <param name="onUnlocked">The holder has it no more, on any thread.</param>
/// <param name="state">Handed to both.</param>
/// <param name="quiesces">True: nobody may read it either.</param>
internal sealed class BdevRangeLock(IStorageThread origin, StorageMessage onLocked, StorageMessage onUnlocked, object state, bool quiesces = false)
{
    internal readonly IStorageThread Origin = origin;
    internal readonly bool Quiesces = quiesces;
    internal readonly StorageMessage OnLocked = onLocked;
    internal readonly StorageMessage OnUnlocked = onUnlocked;
    internal readonly object State = state;
    internal ulong Offset;
    internal ulong End;
    internal BdevQueue[] Path = [];
    internal int At;
    internal bool IsReleasing;

    internal bool Overlaps(ulong offset, ulong end) => offset < End && Offset < end;

    /// <summary>Whether an I/O has to wait for this.</summary>
    internal bool Stops(BdevIo io)
    {
        if (ReferenceEquals(io.HostState, this) || !(Writes(io.Type) || (Quiesces && io.Type is BdevIoType.Read or BdevIoType.Compare))) return false;
        // Where in its zone an append writes is not known yet.
        return Overlaps(io.OffsetBlocks, io.OffsetBlocks + (io.Type == BdevIoType.ZoneAppend ? io.Bdev.ZoneSizeBlocks : io.NumBlocks))
            || (Quiesces && io.Type == BdevIoType.Copy && Overlaps(io.CopySourceOffset, io.CopySourceOffset + io.NumBlocks));
    }

    private static bool Writes(BdevIoType type) => type is BdevIoType.Write or BdevIoType.Unmap or BdevIoType.WriteZeroes
        or BdevIoType.CompareAndWrite or BdevIoType.Copy or BdevIoType.Zcopy or BdevIoType.ZoneAppend or BdevIoType.ZoneManagement;
}

/// <summary>The range locks of one bdev. A lock visits the queues of all threads in one order, by messages: at each it waits for earlier locks
/// and for I/O under way in its range that it stops, so two locks never wait for each other.</summary>
internal sealed class BdevRangeLocks
{
    private readonly Lock _lock = new();
    private readonly List<BdevRangeLock> _active = [];
    private volatile BdevQueue[] _queues = [];

    /// <summary>The queues there are now, by thread. Any thread.</summary>
    internal BdevQueue[] Queues => _queues;

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
        queue.LeaveLocks();
    }

    internal void Acquire(BdevRangeLock range, ulong offset, ulong end)
    {
        range.Offset = offset;
        range.End = end;
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
            range.Origin.Send(range.IsReleasing ? range.OnUnlocked : range.OnLocked, range.State);
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

    private bool IsLocked(BdevIo io)
    {
        foreach (var range in _locks)
        {
            if (range.Stops(io)) return true;
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
            if (!held && !HasToWait(range, i))
            {
                _locks.Add(range);
                held = true;
            }
            if (held && !IsInUse(range))
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

    /// <summary>Whether one that was here earlier has, or will have, a part of the range.</summary>
    private bool HasToWait(BdevRangeLock range, int place)
    {
        // A bdev that goes is not waited for; I/O in what is quiesced fails.
        bool goes = Entry.IsRemoving;
        foreach (var other in _locks)
            if (other.Overlaps(range.Offset, range.End) && !(goes && other.Quiesces)) return true;
        for (int i = 0; i < place; i++)
            if (_lockWaiters[i].Overlaps(range.Offset, range.End)) return true;
        return false;
    }

    private bool IsInUse(BdevRangeLock range)
    {
        foreach (var io in All)
        {
            if ((io.HostFlags & WithModule) != 0 && range.Stops(io)) return true;
        }
        return false;
    }

    /// <summary>The queue goes: what waits for a lock here goes on to the next queue.</summary>
    internal void LeaveLocks()
    {
        var waiters = _lockWaiters.ToArray();
        _lockWaiters.Clear();
        foreach (var range in waiters) BdevRangeLocks.Next(range);
    }

    /// <summary>The bdev goes: what waits for a quiesced range fails, and locks wait for none any more.</summary>
    internal void FailQuiesced()
    {
        var io = _lockedHead;
        _lockedHead = _lockedTail = null;
        while (io is not null)
        {
            var next = io.Next;
            EnqueueLocked(io);
            io = next;
        }
        if (LocksWaiting) AdvanceLocks();
    }

    private bool IsQuiesced(BdevIo io)
    {
        foreach (var range in _locks)
        {
            if (range.Quiesces && range.Stops(io)) return true;
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
        if (Entry.IsRemoving && IsQuiesced(io))
        {
            io.Result = BdevIoResult.FromErrno(Errno.ENODEV);
            Defer(io);
            return;
        }
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
