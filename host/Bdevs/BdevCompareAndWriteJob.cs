using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>Compare-and-write where the bdev has none: locks the range on all threads, compares, writes if equal, unlocks. Pooled per queue.</summary>
internal sealed unsafe class BdevCompareAndWriteJob
{
    private static readonly BdevIoCallback s_onCompared = static (object? state, in BdevIoResult result) => ((BdevCompareAndWriteJob)state!).OnCompared(result);
    private static readonly BdevIoCallback s_onWritten = static (object? state, in BdevIoResult result) => ((BdevCompareAndWriteJob)state!).Unlock(result);

    private readonly BdevQueue _queue;
    private readonly BdevRangeLock _lock;
    private IoVec[] _compare = new IoVec[4];
    private IoVec[] _write = new IoVec[4];
    private int _compareCount;
    private int _writeCount;
    private ulong _offset;
    private ulong _blocks;
    private bool _hidesMetadata;
    private BdevIoCallback _callback = null!;
    private BdevIoResult _result;

    internal BdevCompareAndWriteJob(BdevQueue queue)
    {
        _queue = queue;
        _lock = new BdevRangeLock(queue.Thread, static state => ((BdevCompareAndWriteJob)state!).OnLocked(), static state => ((BdevCompareAndWriteJob)state!).OnUnlocked(), this);
    }

    internal object? State { get; private set; }

    internal void Start(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offset, ulong blocks, BdevIoCallback callback, object? state,
        bool hidesMetadata)
    {
        if (_compare.Length < compare.Length) _compare = new IoVec[compare.Length];
        if (_write.Length < write.Length) _write = new IoVec[write.Length];
        compare.CopyTo(_compare);
        write.CopyTo(_write);
        (_compareCount, _writeCount) = (compare.Length, write.Length);
        (_offset, _blocks, _callback, State) = (offset, blocks, callback, state);
        _hidesMetadata = hidesMetadata;
        _queue.Entry.RangeLocks.Acquire(_lock, offset, offset + blocks);
    }

    private void OnLocked() =>
        _queue.StartJob(BdevIoType.Compare, _compare.AsSpan(0, _compareCount), _offset, 0, _blocks, s_onCompared, this, null, _lock, _hidesMetadata);

    private void OnCompared(in BdevIoResult result)
    {
        if (!result.IsSuccess) Unlock(result);
        else _queue.StartJob(BdevIoType.Write, _write.AsSpan(0, _writeCount), _offset, 0, _blocks, s_onWritten, this, null, _lock, _hidesMetadata);
    }

    private void Unlock(in BdevIoResult result)
    {
        _result = result;
        _queue.Entry.RangeLocks.Release(_lock);
    }

    private void OnUnlocked()
    {
        var (callback, state, result) = (_callback, State, _result);
        _callback = null!;
        State = null;
        _queue.ReturnJob(this);
        callback(state, in result);
    }
}
