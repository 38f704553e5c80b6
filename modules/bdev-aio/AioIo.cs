using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Bdev.Aio;

/// <summary>One I/O at the ring: made with the pooled I/O, used again with it.</summary>
internal sealed unsafe class AioIo(AioBdev bdev, BdevIo io) : RingOperation
{
    // Vectors left of an I/O that the system did in part; more of them are given in several operations.
    private const int VectorsOfRest = 64;

    private static readonly TimeSpan ResetPoll = TimeSpan.FromMicroseconds(500);

    private readonly AioBdev _bdev = bdev;
    private readonly BdevIo _io = io;
    private AioChannel _channel = null!;
    private uint _generation;
    private BdevIoType _type;
    private long _offset; // bytes, of all of the I/O
    private long _length;
    private long _done;
    private bool _abortRequested;
    private BdevIo? _aborter;
    private uint _aborterGeneration;

    [DataPath]
    internal void Start(AioChannel channel)
    {
        _channel = channel;
        _generation = _io.Generation;
        _type = _io.Type;
        _offset = (long)(_io.OffsetBlocks * _bdev.BlockSize);
        _length = (long)(_io.NumBlocks * _bdev.BlockSize);
        _done = 0;
        _abortRequested = false;
        switch (_type)
        {
            case BdevIoType.Read:
                Queued(channel.Ring.Read(_bdev.File, _io.Iovs, _offset, this));
                break;
            case BdevIoType.Write:
                Queued(channel.Ring.Write(_bdev.File, _io.Iovs, _offset, this));
                break;
            case BdevIoType.Flush:
                StartFlush(channel);
                break;
            case BdevIoType.Unmap:
                Queued(channel.Ring.Deallocate(_bdev.File, _offset, _length, this));
                break;
            case BdevIoType.WriteZeroes:
                Queued(_bdev.ZeroesByDeallocating ? channel.Ring.Deallocate(_bdev.File, _offset, _length, this)
                    : channel.Ring.WriteZeroes(_bdev.File, _offset, _length, this));
                break;
            case BdevIoType.Reset:
                StartReset();
                break;
            case BdevIoType.Abort:
                StartAbort();
                break;
            default:
                _io.Complete(_generation, BdevIoResult.FromErrno(Errno.ENOTSUP));
                break;
        }
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnCompleted(int result)
    {
        if (_type == BdevIoType.Reset)
        {
            StartReset();
            return;
        }
        _channel.Outstanding--;
        if (result == -Errno.EINTR || result == -Errno.EAGAIN) Continue();
        else if (_type is BdevIoType.Read or BdevIoType.Write && result >= 0) OnTransferred(result);
        else if (result < 0) OnFailed(result);
        else End(BdevIoResult.Of(BdevIoStatus.Success));
    }

    // A full ring is a lack of memory: the host submits the I/O again when another one has ended.
    [DataPath]
    private void Queued(int error)
    {
        if (error == 0) _channel.Outstanding++;
        else End(error is -Errno.EAGAIN or -Errno.EBUSY ? BdevIoResult.Of(BdevIoStatus.NoMemory) : BdevIoResult.FromErrno(error));
    }

    [DataPath]
    private void OnTransferred(int bytes)
    {
        long done = _done + bytes;
        if (done == _length)
        {
            End(BdevIoResult.Of(BdevIoStatus.Success));
            return;
        }
        // The rest of direct I/O has to start at an aligned place again.
        long aligned = done - done % _bdev.RequiredAlignment;
        if (bytes == 0 || aligned <= _done || done > _length)
        {
            // The end of the file lies inside the I/O: it was cut short behind our back.
            End(BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        _done = aligned;
        Continue();
    }

    /// <summary>Submits what is left.</summary>
    [DataPath]
    private void Continue()
    {
        if (_abortRequested)
        {
            End(BdevIoResult.Of(BdevIoStatus.Aborted));
            return;
        }
        var ring = _channel.Ring;
        switch (_type)
        {
            case BdevIoType.Read or BdevIoType.Write:
                var rest = stackalloc IoVec[VectorsOfRest];
                var vectors = new ReadOnlySpan<IoVec>(rest, Rest(rest));
                Queued(_type == BdevIoType.Read ? ring.Read(_bdev.File, vectors, _offset + _done, this)
                    : ring.Write(_bdev.File, vectors, _offset + _done, this));
                break;
            case BdevIoType.Flush:
                StartFlush(_channel);
                break;
            case BdevIoType.WriteZeroes when !_bdev.ZeroesByDeallocating:
                Queued(ring.WriteZeroes(_bdev.File, _offset, _length, this));
                break;
            default:
                Queued(ring.Deallocate(_bdev.File, _offset, _length, this));
                break;
        }
    }

    [DataPath]
    private int Rest(IoVec* rest)
    {
        long skip = _done;
        int count = 0;
        foreach (ref readonly var vector in _io.Iovs)
        {
            if (skip >= vector.Length)
            {
                skip -= vector.Length;
                continue;
            }
            rest[count++] = vector.Slice((uint)skip, vector.Length - (uint)skip);
            skip = 0;
            if (count == VectorsOfRest) break;
        }
        return count;
    }

    [DataPath]
    private void StartFlush(AioChannel channel)
    {
        if (_bdev.FlushError is var failed and not 0) End(BdevIoResult.FromErrno(failed));
        else if (_bdev.File.IsReadOnly) End(BdevIoResult.Of(BdevIoStatus.Success));
        else Queued(channel.Ring.Flush(_bdev.File, this));
    }

    [DataPath]
    private void OnFailed(int error)
    {
        if (_type == BdevIoType.Flush && error != -Errno.ECANCELED && error != -Errno.ENOMEM) _bdev.FlushError = error;
        End(BdevIoResult.FromErrno(error));
    }

    [DataPath]
    private void StartReset()
    {
        if (_bdev.IsQuiet())
        {
            End(BdevIoResult.Of(BdevIoStatus.Success));
            return;
        }
        int error = _channel.Ring.Timeout(ResetPoll, this);
        if (error != 0) End(BdevIoResult.FromErrno(error));
    }

    [DataPath]
    private void StartAbort()
    {
        var target = _io.AbortTarget?.Context as AioIo;
        if (target is null || _io.AbortTarget!.Generation != _io.AbortGeneration || !target.IsPending)
        {
            _io.Complete(_generation, BdevIoStatus.Success); // it has ended
            return;
        }
        if (target._abortRequested || target._type == BdevIoType.Reset)
        {
            _io.Complete(_generation, BdevIoStatus.Failed);
            return;
        }
        target._abortRequested = true;
        target._aborter = _io;
        target._aborterGeneration = _generation;
        _channel.Ring.Cancel(target);
    }

    [DataPath]
    private void End(in BdevIoResult result)
    {
        var aborter = _aborter;
        _aborter = null;
        _io.Complete(_generation, in result);
        aborter?.Complete(_aborterGeneration, BdevIoStatus.Success);
    }
}
