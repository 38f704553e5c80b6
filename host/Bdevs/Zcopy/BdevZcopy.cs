using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs.Zcopy;

/// <summary>A loan of buffers: the bdev's own where it lends them, else one of the host's, filled by a read and written by a write, so that limits, locks and statistics
/// are those of reads and writes. On its channel's thread.</summary>
/// <remarks>Of the host's it is one buffer, not several: loans that wait for each other's would wait for ever.</remarks>
internal sealed class BdevZcopy : IobufWaiter, IBdevZcopy
{
    private static readonly BdevIoCallback s_started = static (object? state, in BdevIoResult result) => ((BdevZcopy)state!).OnStarted(in result);
    private static readonly BdevIoCallback s_ended = static (object? state, in BdevIoResult result) => ((BdevZcopy)state!).OnEnded(in result);

    private readonly BdevChannel _channel;
    private readonly BdevQueue _queue;
    private readonly IoWait _wait;
    private IoVec[] _lent = new IoVec[1];
    private int _count;
    private IoVec _buffer;      // the host's; of no length when the bdev lends
    private BdevIo? _io;        // whose vectors a start brings
    private bool _populate;
    private Step _step;
    private BdevIoCallback _callback = null!;
    private object? _state;
    private BdevIoResult _result;   // of a step that ends at the next turn

    private enum Step : byte
    {
        Idle,
        WaitsForBuffer,
        Starting,
        Lent,
        Ending,
    }

    internal BdevZcopy(BdevChannel channel)
    {
        _channel = channel;
        _queue = channel.Queue;
        _wait = new IoWait(this);
    }

    private sealed class IoWait(BdevZcopy zcopy) : BdevIoWait
    {
        protected internal override void OnAvailable() => zcopy.Populate();
    }

    public ulong MaxBlocks => Lends ? Math.Min(_queue.Bdev.BlockCount, uint.MaxValue / _queue.Limits.BlockSize) : _queue.Entry.Registry.Iobuf.LargeBufferSize / _queue.Limits.BlockSize;
    public ulong OffsetBlocks { get; private set; }
    public ulong NumBlocks { get; private set; }
    public ReadOnlySpan<IoVec> Buffers => _step == Step.Lent ? new(_lent, 0, _count) : default;

    /// <summary>What a start was submitted with; for aborts.</summary>
    internal object? State => _step is Step.WaitsForBuffer or Step.Starting or Step.Ending ? _state : null;

    // Limits count reads and writes.
    private bool Lends => _queue.Bdev.Supports(BdevIoType.Zcopy) && !_queue.HasLimits;

    [DataPath]
    public int Start(ulong offsetBlocks, ulong numBlocks, bool populate, BdevIoCallback callback, object? state)
    {
        if (_step != Step.Idle) return -Errno.EBUSY;
        int error = _channel.CheckRange(offsetBlocks, numBlocks);
        if (error != 0) return error;
        if (numBlocks > MaxBlocks) return -Errno.EINVAL;
        (OffsetBlocks, NumBlocks, _populate, _callback, _state) = (offsetBlocks, numBlocks, populate, callback, state);
        if (Lends)
        {
            error = _queue.StartZcopy(populate ? BdevZcopyStep.StartPopulated : BdevZcopyStep.Start, [], offsetBlocks, numBlocks, s_started, this, out _io);
            if (error == 0) _step = Step.Starting;
            return error;
        }
        if (populate && !_queue.Bdev.Supports(BdevIoType.Read)) return -Errno.ENOTSUP;
        _step = Step.WaitsForBuffer;
        if (_queue.Iobuf.GetOrWait((uint)(numBlocks * _queue.Limits.BlockSize), this, out var buffer)) OnBuffer(buffer);
        return 0;
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal override void OnBuffer(in IoVec buffer)
    {
        _buffer = buffer;
        _step = Step.Starting;
        if (_populate) Populate();
        else Later(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private void Populate()
    {
        int error = _channel.Read([Used], OffsetBlocks, NumBlocks, s_started, this, 0);
        if (error == 0 || (error == -Errno.ENOMEM && _queue.QueueIoWait(_wait) == 0)) return;
        Later(BdevIoResult.FromErrno(error));
    }

    private IoVec Used => _buffer.Slice(0, (uint)(NumBlocks * _queue.Limits.BlockSize));

    /// <summary>Ends a step that takes no I/O, at the next turn, since a callback never comes inside the call.</summary>
    [DataPath]
    private void Later(in BdevIoResult result)
    {
        _result = result;
        _queue.Thread.Send(static self =>
        {
            var zcopy = (BdevZcopy)self!;
            if (zcopy._step == Step.Ending) zcopy.OnEnded(in zcopy._result);
            else zcopy.OnStarted(in zcopy._result);
        }, this);
    }

    [DataPath]
    private void OnStarted(in BdevIoResult result)
    {
        var ended = result;
        if (_buffer.Length > 0)
        {
            _lent[0] = Used;
            _count = 1;
        }
        else if (ended.IsSuccess && !TakeLent())
        {
            ended = BdevIoResult.FromErrno(Errno.EIO);
        }
        _io = null;
        if (ended.IsSuccess)
        {
            // As SPDK does: a loan counts once, when it starts.
            if (_buffer.Length == 0) _queue.Statistics.Count(_populate ? BdevIoType.Read : BdevIoType.Write, NumBlocks * _queue.Limits.BlockSize, 0);
            _step = Step.Lent;
        }
        else ReturnBuffer();
        CallBack(in ended);
    }

    /// <summary>Notes what the module lends.</summary>
    private bool TakeLent()
    {
        var lent = _io!.Iovs;
        ulong length = 0;
        foreach (ref readonly var vector in lent) length += vector.Length;
        if (length != NumBlocks * _queue.Limits.BlockSize)
        {
            _queue.Entry.Registry.OnModuleFault(_queue.Bdev, "loan of buffers", $"It lent {length} bytes for {NumBlocks} blocks.");
            return false;
        }
        if (_lent.Length < lent.Length) _lent = new IoVec[lent.Length];
        lent.CopyTo(_lent);
        _count = lent.Length;
        return true;
    }

    [DataPath]
    public int End(bool commit, BdevIoCallback callback, object? state)
    {
        if (_step != Step.Lent) return -Errno.EINVAL;
        int error = 0;
        if (commit && _buffer.Length == 0)
        {
            // A write of the host's buffer is checked as such.
            error = _channel.CheckRange(OffsetBlocks, NumBlocks);
            if (error == 0) error = _channel.CheckWrite(BdevIoType.Write, OffsetBlocks, NumBlocks);
            if (error != 0) return error;
        }
        var (oldCallback, oldState) = (_callback, _state);
        (_callback, _state) = (callback, state);
        _step = Step.Ending;
        if (_buffer.Length == 0) error = _queue.StartZcopy(commit ? BdevZcopyStep.EndCommitted : BdevZcopyStep.End, new(_lent, 0, _count), OffsetBlocks, NumBlocks, s_ended, this, out _);
        else if (commit) error = _channel.Write([Used], OffsetBlocks, NumBlocks, s_ended, this, 0);
        else Later(BdevIoResult.Of(BdevIoStatus.Success));
        if (error != 0) (_step, _callback, _state) = (Step.Lent, oldCallback, oldState);
        return error;
    }

    [DataPath]
    private void OnEnded(in BdevIoResult result)
    {
        var ended = result;
        ReturnBuffer();
        CallBack(in ended);
    }

    /// <summary>Gives the host's buffer back; whoever holds the loan when its channel is put has no use for it.</summary>
    internal void ReturnBuffer()
    {
        if (_step == Step.WaitsForBuffer) _queue.Iobuf.CancelWait(this);
        if (_buffer.Length > 0) _queue.Iobuf.Put(_buffer);
        _buffer = default;
        _count = 0;
        _step = Step.Idle;
    }

    /// <summary>Ends a start that waits for a buffer.</summary>
    /// <returns>False when it does not.</returns>
    internal bool AbortWaiting()
    {
        if (_step != Step.WaitsForBuffer || !_queue.Iobuf.CancelWait(this)) return false;
        _step = Step.Starting;
        Later(BdevIoResult.Of(BdevIoStatus.Aborted));
        return true;
    }

    [DataPath]
    private void CallBack(in BdevIoResult result)
    {
        var (callback, state) = (_callback, _state);
        _callback = null!;
        _state = null;
        callback(state, in result);
    }
}
