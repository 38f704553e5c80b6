using System.Numerics;
using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Host.Faults;
using Spindle.Host.Memory;
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
    private const uint Paid = 16;       // while queued: the limits allowed it before the module was short of memory

    private readonly int* _crumbAt;
    private int _crumb;
    private bool _flushes;
    // I/O objects are known by their place in _all wherever an I/O passes: storing a number costs less than storing a reference, which has to
    // tell the collector.
    private BdevIo[] _all = [];
    private int _created;
    private int[] _free = [];
    private int _freeCount;
    private int[] _deferred = []; // a ring; its length is a power of two
    private uint _deferredHead;
    private uint _deferredTail;
    private bool _forgetsCallers;
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

    private LatencyHistogram? _histogram; // null: none is wanted

    /// <summary>The latency histogram; null: none is wanted.</summary>
    internal LatencyHistogram? Histogram => _histogram;

    /// <summary>Counts latencies from now on; null: no more. One that counts already by the same options goes on.</summary>
    internal void SetHistogram(BdevHistogramOptions? options) =>
        _histogram = options is null ? null : _histogram is { } now && now.Options == options ? now : new LatencyHistogram(options);

    /// <summary>A read in place took no time, nor did a write at once.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CountAtOnce(BdevIoType type, ulong bytes)
    {
        Statistics.Count(type, bytes, 0);
        if (_histogram is not null) _histogram.Tally(type, 0);
    }

    // Of the bdev, whichever version of its module has it.
    private readonly uint _blockSize;

    internal BdevQueue(BdevEntry entry, StorageThreadCore thread, IoChannel moduleChannel)
    {
        Entry = entry;
        Bdev = entry.Bdev;
        _blockSize = Bdev.BlockSize;
        Thread = thread;
        ModuleChannel = moduleChannel;
        _flushes = Flushes(Bdev);
        _crumb = Breadcrumbs.Acquire(BdevRegistry.ModuleOf(Bdev), $"submit to bdev '{Bdev.Name}'");
        _crumbAt = thread.Crumb;
        Limits = new BdevLimits(Bdev, entry.Registry.Iobuf.LargeBufferSize);
        ExerciseLending();
    }

    // A method's first run is slow, a virtual call's too: better here than for the first I/O.
    private void ExerciseLending()
    {
        try
        {
            for (int round = 0; round < 2 && Bdev.BlockCount > 0; round++) _ = Bdev.TryLend(0, 1, out _);
        }
        catch (Exception exception)
        {
            Entry.Registry.OnModuleFault(Bdev, "lending of memory", exception);
        }
    }

    // Only bdevs that override it pay for it.
    private static bool Flushes(Bdev bdev) => bdev.GetType().GetMethod(nameof(Bdev.FlushChannel))!.DeclaringType != typeof(Bdev);

    internal BdevEntry Entry { get; }
    internal Bdev Bdev { get; private set; }
    internal StorageThreadCore Thread { get; }
    internal IoChannel ModuleChannel { get; private set; }
    internal BdevLimits Limits { get; private set; }

    /// <summary>I/Os the module has.</summary>
    internal int Outstanding { get; private set; }

    /// <summary>True while nothing is held back.</summary>
    internal bool IsReady => _pendingHead is null;

    /// <summary>True when an I/O would go to the module at once, whatever its range.</summary>
    internal bool HoldsNothingBack => _holds == 0 && _pendingHead is null && !RangeLocked && !_limited.Any;

    /// <summary>True when the queue holds nothing at all: not with the module, not waiting, not to be finished.</summary>
    internal bool IsDrained => Outstanding == 0 && _pendingHead is null && _lockedHead is null && !_limited.Any && _deferredHead == _deferredTail;

    /// <summary>All I/O objects there are, in use or not.</summary>
    private ReadOnlySpan<BdevIo> All => new(_all, 0, _created);

    // --- the pool ------------------------------------------------------------------------------------------

    /// <summary>A free I/O object, or null when the limit is reached.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal BdevIo? Take() => _freeCount > 0 ? _all[_free[--_freeCount]] : Grow();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private BdevIo? Grow()
    {
        // Grows with the deepest use there was, then never again: steady I/O allocates nothing.
        int count = Entry.Registry.Budget.TakeObjects(_created, Math.Max(8, _created));
        if (count == 0) return null;
        GrowDeferred(_created + count);
        Array.Resize(ref _all, _created + count);
        Array.Resize(ref _free, _created + count);
        for (int i = 0; i < count; i++)
        {
            var io = new BdevIo { Owner = this, Bdev = Bdev, Channel = ModuleChannel, Index = _created };
            io.Context = Bdev.CreateIoContext(io);
            _all[_created] = io;
            _free[_freeCount++] = _created++;
        }
        return _all[_free[--_freeCount]];
    }

    private void GrowDeferred(int count)
    {
        var larger = new int[BitOperations.RoundUpToPowerOf2((uint)count)];
        uint length = 0;
        for (uint at = _deferredHead; at != _deferredTail; at++) larger[length++] = _deferred[at & (uint)(_deferred.Length - 1)];
        (_deferred, _deferredHead, _deferredTail) = (larger, 0, length);
    }

    /// <summary>Notes whom to call back. Mostly it is the one of the object's last use: comparing costs less than storing a reference.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetCaller(BdevIo io, BdevIoCallback callback, object? state)
    {
        if (!ReferenceEquals(io.Callback, callback)) io.Callback = callback;
        if (!ReferenceEquals(io.CallbackState, state)) io.CallbackState = state;
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Return(BdevIo io)
    {
        if (_forgetsCallers) Forget(io);
        _free[_freeCount++] = io.Index;
    }

    /// <summary>Lets go of whom the free I/O objects called back last, whose code may be about to be unloaded.</summary>
    internal void ForgetCallers()
    {
        foreach (int index in new ReadOnlySpan<int>(_free, 0, _freeCount)) Forget(_all[index]);
        // What an opener left behind when it put its channel is let go of as it ends.
        _forgetsCallers = _freeCount < _created;
    }

    private void Forget(BdevIo io)
    {
        io.Callback = null;
        io.CallbackState = null;
        io.Zones = default;
        if (_freeCount + 1 >= _created) _forgetsCallers = false;
    }

    internal void Free()
    {
        for (int i = 0; i < _freeCount; i++)
        {
            var io = _all[_free[i]];
            if (!BufferQuarantine.KeepVectors(io)) io.FreeNative();
            io.Context = null;
        }
        Entry.Registry.Budget.ReturnObjects(_created);
        SetQos(null);
        FreeJobs();
        Breadcrumbs.Release(_crumb);
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
        else if (_qos is not null && !MayGoAtOnce(io) && !MayGo(io)) return;
        else Submit(io);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Submit(BdevIo io)
    {
        io.HostFlags = InSubmit | WithModule;
        if (BdevStatistics.AreKept) io.SubmitTicks = Thread.Now;
        Outstanding++;
        if (_flushes && !_flushDue)
        {
            _flushDue = true;
            Thread.AddWork(this);
        }
        uint generation = io.CurrentGeneration;
        int* crumb = _crumbAt;
        int outer = *crumb;
        *crumb = _crumb;
        if (crumb[1] != 0) Thread.Begin(_crumb);
        try
        {
            Bdev.Submit(ModuleChannel, io);
        }
        catch (Exception exception)
        {
            OnSubmitThrew(io, generation, exception);
        }
        *crumb = outer;
        if (crumb[1] != 0) Thread.Begin(outer);
        io.HostFlags &= ~InSubmit;
    }

    /// <summary>Has the bdev take data at once; the range is checked. Where writes are limited they go by the usual way, which makes them wait.</summary>
    [DataPath]
    internal bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data)
    {
        if (!HoldsNothingBack || _qos is not null) return false;
        try
        {
            if (!Bdev.TryWriteAtOnce(offsetBlocks, data)) return false;
        }
        catch (Exception exception)
        {
            Entry.Registry.OnModuleFault(Bdev, "write at once", exception);
            return false;
        }
        CountAtOnce(BdevIoType.Write, (uint)data.Length);
        return true;
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
        io.HostFlags = Queued | Paid;
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
            else if (_qos is not null && (io.HostFlags & Paid) == 0 && !MayGo(io)) continue;
            else Submit(io);
        }
    }

    /// <summary>Submits what waited for other threads, a flush at the end of a turn, and finishes what completed inside submit.</summary>
    [DataPath]
    internal override void RunWork()
    {
        FlushNow();
        // Only what is there now: what their callbacks submit is finished at the next turn.
        uint left = _deferredTail - _deferredHead;
        try
        {
            for (; left > 0; left--) Finish(TakeDeferred());
        }
        finally
        {
            // Only after an exception out of a callback: the rest is finished at the next turn.
            if (left > 0 && _deferredHead != _deferredTail) Thread.AddWork(this);
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
        Outstanding--;
        if (result.Status == BdevIoStatus.NoMemory) Requeue(io);
        else if ((io.HostFlags & InSubmit) != 0) Defer(io);
        else Finish(io);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Defer(BdevIo io)
    {
        io.HostFlags = Deferred | (io.HostFlags & InSubmit);
        var deferred = _deferred;
        deferred[_deferredTail++ & (uint)(deferred.Length - 1)] = io.Index;
        Thread.AddWork(this);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private BdevIo TakeDeferred()
    {
        var deferred = _deferred;
        return _all[deferred[_deferredHead++ & (uint)(deferred.Length - 1)]];
    }

    [DataPath]
    private void Finish(BdevIo io)
    {
        var result = io.Result;
        if (_histogram is not null) _histogram.Tally(io.Type, (ulong)(Thread.Now - io.SubmitTicks));
        if (result.Status == BdevIoStatus.Success)
        {
            if (BdevStatistics.AreKept) Statistics.Count(io.Type, io.NumBlocks * _blockSize, (ulong)(Thread.Now - io.SubmitTicks));
        }
        else
        {
            Statistics.CountError(result.Status);
        }
        io.HostFlags = 0;
        var callback = io.Callback!;
        object? state = io.CallbackState;
        Return(io);
        try
        {
            callback(state, in result);
        }
        catch (Exception exception)
        {
            // The submitter's fault: the module below, whose code is on the stack, goes on.
            ReportCompletionFault(exception);
        }
        if (_waitHead is not null || _pendingHead is not null || LocksWaiting) AfterFinish();
    }

    private void ReportCompletionFault(Exception exception) => Thread.ReportFault($"completion of an I/O of bdev '{Bdev.Name}'", exception);

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
        if (BufferQuarantine.IsActive) BufferQuarantine.Return(io, generation);
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
        FailLimited(status);
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
        foreach (var io in All)
        {
            if ((io.HostFlags & WithModule) == 0) continue;
            BufferQuarantine.Add(io, io.CurrentGeneration, Bdev.Context ?? (object)Bdev.ModuleName);
            io.CurrentGeneration++;
            Outstanding--;
            io.Result = BdevIoResult.FromErrno(Errno.EIO);
            Defer(io);
        }
    }

    /// <summary>How old the oldest I/O is that the module has, and how many are older than a limit; in ticks.</summary>
    internal (long Oldest, int Count) OlderThan(long limit)
    {
        long oldest = 0, now = Thread.Now;
        int count = 0;
        if (Outstanding == 0) return (0, 0);
        foreach (var io in All)
        {
            if ((io.HostFlags & WithModule) == 0 || now - io.SubmitTicks <= limit || io.Type == BdevIoType.Reset) continue;
            count++;
            oldest = Math.Max(oldest, now - io.SubmitTicks);
        }
        return (oldest, count);
    }

    /// <summary>Asks the module to abort what it has had for longer than a limit.</summary>
    internal void AbortOlderThan(long limit)
    {
        var abort = new BdevAbort(static (object? _, in BdevIoResult _) => { }, null);
        foreach (var io in All)
            if ((io.HostFlags & WithModule) != 0 && Thread.Now - io.SubmitTicks > limit && io.Type is not (BdevIoType.Reset or BdevIoType.Abort))
                abort.Targets.Add((io, io.CurrentGeneration));
        Issue(abort);
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
