using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Host.Reactors;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>One bdev on one storage thread: its pool of I/O objects, those the module has, and those that wait. Everything here runs on that
/// thread; what is called from elsewhere says so.</summary>
/// <remarks>An I/O goes through these steps. (1) <see cref="Take"/> gives a pooled object. (2) <see cref="Dispatch"/> hands it to the module, or
/// queues it while the queue is held. (3) The module completes it; inside its own submit, that is noted and done at the thread's next turn,
/// so that a chain of bdevs or a caller that submits from its callback never grows the stack. (4) <see cref="Finish"/> returns the object
/// to the pool and calls the submitter back.</remarks>
internal sealed unsafe partial class BdevQueue : BdevIoOwner
{
    private const uint InSubmit = 1;    // the module's Submit is on the stack
    private const uint WithModule = 2;  // submitted, not completed
    private const uint Deferred = 4;    // completed inside submit, to be finished next turn
    private const uint Queued = 8;      // held by the host

    private readonly bool _flushes;
    private BdevIo[] _free = new BdevIo[16];
    private int _freeCount;
    private int _created;
    private BdevIo? _outstandingHead;
    private BdevIo? _deferredHead;
    private BdevIo? _deferredTail;
    private BdevIo? _pendingHead;
    private BdevIo? _pendingTail;
    private BdevIoWait? _waitHead;
    private BdevIoWait? _waitTail;
    private bool _flushDue;
    private bool _shortOfMemory;
    private int _retryBelow;
    private int _holds;

    /// <summary>The counters.</summary>
    internal BdevStatistics Statistics;

    internal BdevQueue(BdevEntry entry, StorageThreadCore thread, IoChannel moduleChannel)
    {
        Entry = entry;
        Bdev = entry.Bdev;
        Thread = thread;
        ModuleChannel = moduleChannel;
        // Only bdevs that override it pay for it.
        _flushes = Bdev.GetType().GetMethod(nameof(Bdev.FlushChannel))!.DeclaringType != typeof(Bdev);
        Limits = new BdevLimits(Bdev, entry.Registry.Iobuf.LargeBufferSize);
    }

    internal BdevEntry Entry { get; }
    internal Bdev Bdev { get; }
    internal StorageThreadCore Thread { get; }
    internal IoChannel ModuleChannel { get; }
    internal BdevLimits Limits { get; }

    /// <summary>I/Os the module has.</summary>
    internal int Outstanding { get; private set; }

    /// <summary>True while nothing is held back.</summary>
    internal bool IsReady => _pendingHead is null;

    /// <summary>True when the queue holds nothing at all: not with the module, not waiting, not to be finished.</summary>
    internal bool IsDrained => Outstanding == 0 && _pendingHead is null && _lockedHead is null && _deferredHead is null;

    // --- the pool ------------------------------------------------------------------------------------------

    /// <summary>A free I/O object, or null when the limit is reached.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal BdevIo? Take() => _freeCount > 0 ? _free[--_freeCount] : Grow();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private BdevIo? Grow()
    {
        // Grows with the deepest use there was, then never again: steady I/O allocates nothing.
        int count = Math.Min(Math.Max(8, _created), Entry.Registry.Options.IoPoolSize - _created);
        if (count <= 0) return null;
        if (_free.Length < _created + count) Array.Resize(ref _free, Math.Max(_free.Length * 2, _created + count));
        for (int i = 0; i < count; i++)
        {
            var io = new BdevIo { Owner = this, Bdev = Bdev, Channel = ModuleChannel };
            io.Context = Bdev.CreateIoContext(io);
            _free[_freeCount++] = io;
        }
        _created += count;
        return _free[--_freeCount];
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Return(BdevIo io)
    {
        io.Callback = null;
        io.CallbackState = null;
        _free[_freeCount++] = io;
    }

    internal void Free()
    {
        for (int i = 0; i < _freeCount; i++)
        {
            _free[i].FreeNative();
            _free[i].Context = null;
        }
        FreeJobs();
    }

    internal int QueueIoWait(BdevIoWait entry)
    {
        if (_freeCount > 0 || entry.Queued) return -Errno.EINVAL;
        entry.Queued = true;
        entry.Next = null;
        if (_waitTail is null) _waitHead = entry;
        else _waitTail.Next = entry;
        _waitTail = entry;
        return 0;
    }

    // --- submission ----------------------------------------------------------------------------------------

    /// <summary>Hands an I/O to the module, or queues it while the queue is held.</summary>
    [DataPath]
    internal void Dispatch(BdevIo io)
    {
        if (_holds != 0 || _pendingHead is not null) Enqueue(io);
        else if (RangeLocked && IsLocked(io)) EnqueueLocked(io);
        else Submit(io);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Submit(BdevIo io)
    {
        io.HostFlags = InSubmit | WithModule;
        io.SubmitTicks = Thread.Now;
        var head = _outstandingHead;
        io.Previous = null;
        io.Next = head;
        if (head is not null) head.Previous = io;
        _outstandingHead = io;
        Outstanding++;
        if (_flushes && !_flushDue)
        {
            _flushDue = true;
            Thread.AddWork(this);
        }
        uint generation = io.CurrentGeneration;
        try
        {
            Bdev.Submit(ModuleChannel, io);
        }
        catch (Exception exception)
        {
            OnSubmitThrew(io, generation, exception);
        }
        io.HostFlags &= ~InSubmit;
    }

    private void OnSubmitThrew(BdevIo io, uint generation, Exception exception)
    {
        Entry.Registry.OnModuleFault(Bdev, "submit", exception);
        if (io.CurrentGeneration == generation) OnComplete(io, generation, BdevIoResult.FromErrno(Errno.EIO));
    }

    private void Enqueue(BdevIo io)
    {
        io.HostFlags = Queued;
        io.Next = null;
        if (_pendingTail is null) _pendingHead = io;
        else _pendingTail.Next = io;
        _pendingTail = io;
    }

    private void EnqueueFirst(BdevIo io)
    {
        io.HostFlags = Queued;
        io.Next = _pendingHead;
        _pendingHead = io;
        _pendingTail ??= io;
    }

    /// <summary>Submits what waited, in order, until the module is short of memory again or the queue is held.</summary>
    [DataPath]
    internal void RetryPending()
    {
        while (_pendingHead is { } io && _holds == 0 && !_shortOfMemory)
        {
            _pendingHead = io.Next;
            if (_pendingHead is null) _pendingTail = null;
            io.Next = null;
            if (RangeLocked && IsLocked(io)) EnqueueLocked(io);
            else Submit(io);
        }
    }

    /// <summary>Submits what waited for other threads, a flush at the end of a turn, and finishes what completed inside submit.</summary>
    [DataPath]
    internal override void RunWork()
    {
        FlushNow();
        // Only what is there now: what their callbacks submit is finished at the next turn.
        var io = _deferredHead;
        _deferredHead = _deferredTail = null;
        try
        {
            while (io is not null)
            {
                var next = io.Next;
                io.Next = null;
                var current = io;
                io = next;
                Finish(current);
            }
        }
        finally
        {
            // Only after an exception out of a callback: the rest is finished at the next turn.
            while (io is not null)
            {
                var next = io.Next;
                Defer(io);
                io = next;
            }
        }
        if (_shortOfMemory && Outstanding <= _retryBelow)
        {
            _shortOfMemory = false;
            RetryPending();
        }
        if (_shortOfMemory && Outstanding == 0) Thread.AddWork(this);
    }

    // --- completion ----------------------------------------------------------------------------------------

    /// <summary>A module completes an I/O. Any thread: those that are not the right one are found out here.</summary>
    [DataPath]
    internal override void OnComplete(BdevIo io, uint generation, in BdevIoResult result)
    {
        if (io.CurrentGeneration != generation || (io.HostFlags & WithModule) == 0 || !ReferenceEquals(StorageThread.Current, Thread))
        {
            OnBadCompletion(io, generation, result);
            return;
        }
        io.CurrentGeneration = generation + 1;
        io.Result = result;
        Unlink(io);
        if (result.Status == BdevIoStatus.NoMemory) Requeue(io);
        else if ((io.HostFlags & InSubmit) != 0) Defer(io);
        else Finish(io);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Unlink(BdevIo io)
    {
        var next = io.Next;
        var previous = io.Previous;
        if (previous is null) _outstandingHead = next;
        else previous.Next = next;
        if (next is not null) next.Previous = previous;
        io.Next = io.Previous = null;
        Outstanding--;
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Defer(BdevIo io)
    {
        io.HostFlags = Deferred | (io.HostFlags & InSubmit);
        io.Next = null;
        if (_deferredTail is null) _deferredHead = io;
        else _deferredTail.Next = io;
        _deferredTail = io;
        Thread.AddWork(this);
    }

    [DataPath]
    private void Finish(BdevIo io)
    {
        var result = io.Result;
        if (result.Status == BdevIoStatus.Success)
        {
            ulong ticks = (ulong)(Thread.Now - io.SubmitTicks);
            Statistics.Count(io.Type, io.NumBlocks * Bdev.BlockSize, ticks);
        }
        else
        {
            Statistics.Errors++;
        }
        io.HostFlags = 0;
        var callback = io.Callback!;
        object? state = io.CallbackState;
        Return(io);
        callback(state, in result);
        if (_waitHead is not null || _pendingHead is not null || LocksWaiting) AfterFinish();
    }

    /// <summary>The module is short of memory: the I/O goes back to the front of the queue, at once, so that later ones stay behind it.</summary>
    private void Requeue(BdevIo io)
    {
        Statistics.NoMemory++;
        _shortOfMemory = true;
        // Once half of what is out has come back there is room again; with nothing out, the next turn has to try.
        _retryBelow = Outstanding / 2;
        EnqueueFirst(io);
        if (Outstanding == 0) Thread.AddWork(this);
    }

    private void AfterFinish()
    {
        if (_shortOfMemory && Outstanding <= _retryBelow) _shortOfMemory = false;
        if (_pendingHead is not null && !_shortOfMemory) RetryPending();
        while (_waitHead is { } entry && _freeCount > 0)
        {
            _waitHead = entry.Next;
            if (_waitHead is null) _waitTail = null;
            entry.Next = null;
            entry.Queued = false;
            entry.OnAvailable();
        }
        if (LocksWaiting) AdvanceLocks();
    }

    /// <summary>A second, late or misplaced completion: counted and charged to the module; no other I/O is touched. One on the wrong thread
    /// that is otherwise right ends its I/O, on the right thread.</summary>
    private void OnBadCompletion(BdevIo io, uint generation, BdevIoResult result)
    {
        bool wrongThread = !ReferenceEquals(StorageThread.Current, Thread);
        Entry.Registry.OnBadCompletion(Bdev, wrongThread ? "on the wrong thread" : "a second time or too late");
        if (!wrongThread)
        {
            Statistics.BadCompletions++;
            return;
        }
        Thread.Send(static state =>
        {
            var (queue, io, generation, result) = ((BdevQueue, BdevIo, uint, BdevIoResult))state!;
            queue.Statistics.BadCompletions++;
            if (io.CurrentGeneration == generation && (io.HostFlags & WithModule) != 0) queue.OnComplete(io, generation, result);
        }, (this, io, generation, result));
    }

    // --- control -------------------------------------------------------------------------------------------

    /// <summary>Queues new I/O until <see cref="Release"/>.</summary>
    internal void Hold() => _holds++;

    internal void Release()
    {
        if (--_holds == 0) RetryPending();
    }

    /// <summary>Ends what waits in the queue with a status; the module never saw it.</summary>
    internal void FailPending(BdevIoStatus status)
    {
        UnlockQueued();
        var io = _pendingHead;
        _pendingHead = _pendingTail = null;
        _shortOfMemory = false;
        while (io is not null)
        {
            var next = io.Next;
            io.Result = BdevIoResult.Of(status);
            Defer(io);
            io = next;
        }
    }

    /// <summary>Ends what a module has and will not complete: it is faulty. Its later completions of them are refused.</summary>
    internal void FailOutstanding()
    {
        while (_outstandingHead is { } io)
        {
            io.CurrentGeneration++;
            Unlink(io);
            io.Result = BdevIoResult.FromErrno(Errno.EIO);
            Defer(io);
        }
    }

    /// <summary>Hands submitted I/O to the device now.</summary>
    internal void FlushNow()
    {
        if (!_flushDue) return;
        _flushDue = false;
        try
        {
            Bdev.FlushChannel(ModuleChannel);
        }
        catch (Exception exception)
        {
            // What else this turn has to do, for other I/O, goes on.
            Entry.Registry.OnModuleFault(Bdev, "flush of a channel", exception);
        }
    }
}
