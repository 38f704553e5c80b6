using Spindle;
using Spindle.Memory;

namespace Acme.CompressedFile;

/// <summary>Someone who waits for a commit.</summary>
internal abstract class CommitWaiter
{
    internal CommitWaiter? NextCommit;

    /// <summary>What had completed when it was asked for is durable (0), or may not be (a negated error number).</summary>
    public abstract void OnCommitted(int error);
}

/// <summary>For the control plane.</summary>
internal sealed class AwaitedCommit : CommitWaiter
{
    private readonly TaskCompletionSource<int> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<int> Task => _done.Task;

    public override void OnCommitted(int error) => _done.SetResult(error);
}

/// <summary>Makes the map in the file the one in memory. The order is what a power cut at any moment leaves whole:
/// <code>
/// snapshot of the changed sectors ─► flush: the chunks they lead to are durable ─► write the sectors ─► flush ─► the units of the old versions are free
/// </code>
/// A sector is written in one piece, so each entry is the old or the new one, and what either leads to is there.</summary>
internal sealed class StoreCommit : FileOperation, IDisposable
{
    private const int MostSectors = 512;

    private enum Step { Idle, FlushingChunks, WritingMap, FlushingMap }

    private readonly ChunkStore _store;
    private readonly IStoreFile _file;
    private readonly DmaBuffer _image;
    private readonly IoVec _map;
    private Step _step;
    private CommitWaiter? _waiting, _served;
    private bool _again;
    private int _first, _count, _done;

    public StoreCommit(ChunkStore store, IStoreFile file, IDmaMemory memory)
    {
        (_store, _file) = (store, file);
        uint bytes = (uint)StoreFormat.MapBytes(store.Map.Chunks);
        _image = memory.Allocate(bytes);
        _map = _image.Slice(0, bytes);
    }

    /// <summary>See <see cref="ChunkStore.BrokenBy"/>.</summary>
    public int BrokenBy { get; private set; }

    /// <summary>Asks for a commit of everything that has completed. One that is under way does not count: it began before.</summary>
    /// <param name="waiter">Called when it has ended; null: nobody waits.</param>
    [DataPath]
    public void Request(CommitWaiter? waiter)
    {
        if (waiter is not null) (waiter.NextCommit, _waiting) = (_waiting, waiter);
        if (_step != Step.Idle) _again = true;
        else Begin();
    }

    [DataPath]
    private void Begin()
    {
        (_served, _waiting, _again) = (_waiting, null, false);
        if (BrokenBy != 0)
        {
            Serve(BrokenBy);
            _store.OnCommitEnded(BrokenBy);
            return;
        }
        _step = Step.FlushingChunks;
        _store.Units.BeginCommit();
        // Nothing changed: nothing is to be written, and what was is durable already.
        if (!_store.Map.Snapshot(_map.Span)) End(0);
        else Flush();
    }

    [DataPath]
    private void Flush()
    {
        int error = _file.Flush(_store.Thread.Ring, this);
        if (error < 0) Failed(error);
    }

    [DataPath]
    public override void Completed(int result)
    {
        if (result < 0 || (result == 0 && _step == Step.WritingMap)) Failed(result < 0 ? result : -Errno.EIO);
        else if (_step == Step.FlushingMap) End(0);
        else if (_step == Step.FlushingChunks)
        {
            _step = Step.WritingMap;
            (_first, _count) = (0, 0);
            NextRun();
        }
        else if ((_done += result) < _count * StoreFormat.SectorSize) Write();
        else NextRun();
    }

    [DataPath]
    private void NextRun()
    {
        if (_store.Map.NextRun(_first + _count, MostSectors, out _first, out _count))
        {
            _done = 0;
            Write();
            return;
        }
        _step = Step.FlushingMap;
        Flush();
    }

    [DataPath]
    private void Write()
    {
        uint at = (uint)(_first * StoreFormat.SectorSize + _done);
        var piece = _map.Slice(at, (uint)(_count * StoreFormat.SectorSize - _done));
        int error = _file.Write(_store.Thread.Ring, new ReadOnlySpan<IoVec>(in piece), StoreFormat.MapOffset + at, this);
        if (error < 0) Failed(error);
    }

    [DataPath]
    private void Failed(int error)
    {
        // The ring had no room: nothing was tried, and all can be tried again.
        if (error != -Errno.ENOMEM) BrokenBy = error;
        End(error);
    }

    [DataPath]
    private void End(int error)
    {
        _store.Map.EndCommit(error == 0);
        _store.Units.EndCommit(error == 0);
        _step = Step.Idle;
        Serve(error);
        _store.OnCommitEnded(error);
        if (_step == Step.Idle && (_again || _waiting is not null)) Begin();
    }

    [DataPath]
    private void Serve(int error)
    {
        for (var waiter = _served; waiter is not null;)
        {
            var next = waiter.NextCommit;
            waiter.NextCommit = null;
            waiter.OnCommitted(error);
            waiter = next;
        }
        _served = null;
    }

    public void Dispose() => _image.Dispose();
}
