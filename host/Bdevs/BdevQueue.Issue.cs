using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <content>From a submitter's call to an I/O object: does it go as it is, or does a job carry it out in pieces?</content>
internal sealed unsafe partial class BdevQueue
{
    private const int KeptJobs = 1024;

    private IIobufChannel? _iobuf;
    private readonly Stack<BdevRangeJob> _rangeJobs = new();
    private readonly Stack<BdevBounceJob> _bounceJobs = new();
    private readonly Stack<BdevProtectedPiece> _protectedPieces = new();
    private readonly Stack<BdevCompareAndWriteJob> _compareAndWriteJobs = new();
    private readonly List<BdevCompareAndWriteJob> _runningCompareAndWrites = [];
    private BdevRangeJob? _activeJobs;
    private int _rangeJobsMade;
    private int _protectedPiecesMade;

    /// <summary>Where a job collects the vectors of its next piece; the I/O object copies them at once.</summary>
    internal IoVec[] Scratch = new IoVec[32];

    internal IIobufChannel Iobuf => _iobuf ??= Entry.Registry.Budget.TakeIobuf(Thread);

    /// <summary>Starts an I/O that has been checked against the geometry.</summary>
    [DataPath]
    internal int Start(BdevIoType type, ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks, BdevIoCallback callback, object? state, nint metadata)
    {
        bool asItIs = type switch
        {
            BdevIoType.Read or BdevIoType.Write => Limits.Fits(buffers, offset, blocks),
            BdevIoType.Compare => !Limits.EmulatesCompare && Limits.Fits(buffers, offset, blocks),
            BdevIoType.WriteZeroes => !Limits.EmulatesWriteZeroes && blocks <= Limits.MaxWriteZeroesBlocks,
            BdevIoType.Unmap => blocks <= Limits.MaxUnmapBlocks,
            _ => true,
        };
        if (asItIs) return Issue(type, buffers, [], offset, blocks, callback, state, (byte*)metadata, 0, null);
        return StartJob(type, buffers, offset, 0, blocks, callback, state, (byte*)metadata, null);
    }

    /// <summary>Starts a copy within the bdev.</summary>
    internal int StartCopy(ulong destination, ulong source, ulong blocks, BdevIoCallback callback, object? state)
    {
        if (!Limits.EmulatesCopy && blocks <= Limits.MaxCopyBlocks)
            return Issue(BdevIoType.Copy, [], [], destination, blocks, callback, state, null, source, null);
        return StartJob(BdevIoType.Copy, [], destination, source, blocks, callback, state, null, null);
    }

    /// <summary>Starts a compare-and-write: by the bdev where it can, else under a range lock.</summary>
    internal int StartCompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offset, ulong blocks, BdevIoCallback callback, object? state,
        bool hidesMetadata = false)
    {
        // A bdev would compare the metadata too, which the submitter does not know.
        if (!hidesMetadata && !Limits.EmulatesCompareAndWrite && Limits.Fits(write, offset, blocks) && Limits.Fits(compare, offset, blocks))
            return Issue(BdevIoType.CompareAndWrite, write, compare, offset, blocks, callback, state, null, 0, null);
        var job = _compareAndWriteJobs.Count > 0 ? _compareAndWriteJobs.Pop() : new BdevCompareAndWriteJob(this);
        _runningCompareAndWrites.Add(job);
        job.Start(compare, write, offset, blocks, callback, state, hidesMetadata);
        return 0;
    }

    internal int StartJob(BdevIoType type, ReadOnlySpan<IoVec> buffers, ulong offset, ulong source, ulong blocks, BdevIoCallback callback,
        object? state, byte* metadata, object? lockOwner, bool hidesMetadata = false)
    {
        var job = _rangeJobs.Count > 0 ? _rangeJobs.Pop() : NewRangeJob();
        job.NextActive = _activeJobs;
        job.PreviousActive = null;
        if (_activeJobs is not null) _activeJobs.PreviousActive = job;
        _activeJobs = job;
        job.Start(type, buffers, offset, source, blocks, callback, state, metadata, lockOwner, hidesMetadata);
        return 0;
    }

    /// <summary>Gives one I/O to the module as it is.</summary>
    /// <returns>0, or -ENOMEM when there is no I/O object.</returns>
    [DataPath]
    internal int Issue(BdevIoType type, ReadOnlySpan<IoVec> buffers, ReadOnlySpan<IoVec> compare, ulong offset, ulong blocks,
        BdevIoCallback callback, object? state, byte* metadata, ulong source, object? lockOwner)
    {
        var io = Take();
        if (io is null) return -Errno.ENOMEM;
        io.Type = type;
        io.OffsetBlocks = offset;
        io.NumBlocks = blocks;
        io.SetIovs(buffers, compare);
        io.Metadata = metadata;
        io.CopySourceOffset = source;
        SetCaller(io, callback, state);
        io.HostState = lockOwner;
        Dispatch(io);
        return 0;
    }

    internal BdevBounceJob TakeBounceJob() => _bounceJobs.Count > 0 ? _bounceJobs.Pop() : new BdevBounceJob(this);

    internal BdevProtectedPiece TakeProtectedPiece() => _protectedPieces.Count > 0 ? _protectedPieces.Pop() : NewProtectedPiece();

    private BdevProtectedPiece NewProtectedPiece()
    {
        _protectedPieces.EnsureCapacity(Math.Min(++_protectedPiecesMade, KeptJobs));
        return new BdevProtectedPiece(this);
    }

    private BdevRangeJob NewRangeJob()
    {
        // Room for its return now: I/O that ebbs must not allocate either.
        _rangeJobs.EnsureCapacity(Math.Min(++_rangeJobsMade, KeptJobs));
        return new BdevRangeJob(this);
    }

    internal void ReturnPiece(BdevProtectedPiece piece)
    {
        if (_protectedPieces.Count < KeptJobs) _protectedPieces.Push(piece);
    }

    internal void ReturnJob(BdevBounceJob job)
    {
        if (_bounceJobs.Count < KeptJobs) _bounceJobs.Push(job);
    }

    internal void ReturnJob(BdevCompareAndWriteJob job)
    {
        _runningCompareAndWrites.Remove(job);
        if (_compareAndWriteJobs.Count < KeptJobs) _compareAndWriteJobs.Push(job);
    }

    internal void ReturnJob(BdevRangeJob job)
    {
        if (job.PreviousActive is null) _activeJobs = job.NextActive;
        else job.PreviousActive.NextActive = job.NextActive;
        if (job.NextActive is not null) job.NextActive.PreviousActive = job.PreviousActive;
        job.NextActive = job.PreviousActive = null;
        if (_rangeJobs.Count < KeptJobs) _rangeJobs.Push(job);
    }

    private void FreeJobs()
    {
        if (_iobuf is not null) Entry.Registry.Budget.ReturnIobuf(Thread);
        _iobuf = null;
    }

    /// <summary>Aborts what was submitted with <paramref name="target"/> as its state: what waits here ends at once, the module is asked for what it has.</summary>
    /// <returns>0, or -ENOMEM.</returns>
    internal int StartAbort(object target, BdevIoCallback callback, object? state)
    {
        var abort = new BdevAbort(callback, state);
        for (var job = _activeJobs; job is not null; job = job.NextActive)
        {
            if (!ReferenceEquals(job.State, target)) continue;
            // Its pieces are its own business: the abort ends when the job has.
            if (job.Abort(abort)) abort.Left++;
            else abort.Failed = true;
            AbortMatching(job, abort);
        }
        // Between its locks a compare-and-write is not given up half-way.
        foreach (var job in _runningCompareAndWrites) abort.Failed |= ReferenceEquals(job.State, target);
        AbortZcopies(target, abort);
        AbortMatching(target, abort);
        return Issue(abort);
    }

    private void AbortMatching(object target, BdevAbort abort)
    {
        AbortWaiting(ref _pendingHead, ref _pendingTail, target);
        AbortWaiting(ref _lockedHead, ref _lockedTail, target);
        AbortWaiting(ref _limited.Reads.Head, ref _limited.Reads.Tail, target);
        AbortWaiting(ref _limited.Writes.Head, ref _limited.Writes.Tail, target);
        if (_qos is not null) _qos.SomethingWaits = _limited.Any;
        foreach (var io in All)
        {
            if ((io.HostFlags & WithModule) != 0 && ReferenceEquals(io.CallbackState, target)) abort.Targets.Add((io, io.CurrentGeneration));
        }
    }

    private void AbortWaiting(ref BdevIo? head, ref BdevIo? tail, object target)
    {
        BdevIo? previous = null;
        for (var io = head; io is not null;)
        {
            var next = io.Next;
            if (ReferenceEquals(io.CallbackState, target))
            {
                if (previous is null) head = next;
                else previous.Next = next;
                if (next is null) tail = previous;
                io.Result = BdevIoResult.Of(BdevIoStatus.Aborted);
                Defer(io);
            }
            else
            {
                previous = io;
            }
            io = next;
        }
    }

    private int Issue(BdevAbort abort)
    {
        bool supported = Bdev.Supports(BdevIoType.Abort);
        abort.Left++;
        foreach (var (target, generation) in abort.Targets)
        {
            var io = supported && (target.CurrentGeneration == generation) ? Take() : null;
            if (io is null)
            {
                abort.Failed |= target.CurrentGeneration == generation;
                continue;
            }
            io.Type = BdevIoType.Abort;
            io.OffsetBlocks = io.NumBlocks = 0;
            io.SetIovs([], []);
            io.AbortTarget = target;
            io.AbortGeneration = generation;
            io.HostState = null;
            SetCaller(io, BdevAbort.OnOne, abort);
            abort.Left++;
            Submit(io);
        }
        // The callback comes at the next turn, not inside this call.
        Thread.Send(static s => BdevAbort.OnOne(s, BdevIoResult.Of(BdevIoStatus.Success)), abort);
        return 0;
    }
}

/// <summary>An abort and the I/Os it asks the module about. Rare, so it is allocated.</summary>
internal sealed class BdevAbort(BdevIoCallback callback, object? state)
{
    internal static readonly BdevIoCallback OnOne = static (object? s, in BdevIoResult result) => ((BdevAbort)s!).One(result.IsSuccess);

    internal readonly List<(BdevIo Io, uint Generation)> Targets = [];
    internal int Left;
    internal bool Failed;

    private void One(bool success)
    {
        Failed |= !success;
        if (--Left == 0) callback(state, BdevIoResult.Of(Failed ? BdevIoStatus.Failed : BdevIoStatus.Success));
    }
}
