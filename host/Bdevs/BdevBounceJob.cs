using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>A piece of I/O that goes through an aligned buffer of the host's: for unaligned memory, for a compare by reading, for a copy by
/// reading and writing. Pooled per queue.</summary>
internal sealed unsafe class BdevBounceJob : IobufWaiter
{
    private static readonly BdevIoCallback s_onDone = static (object? state, in BdevIoResult result) => ((BdevBounceJob)state!).OnDone(result);

    private readonly BdevQueue _queue;
    private readonly IoWait _wait;
    private IoVec[] _buffers = new IoVec[8];
    private int _bufferCount;
    private BdevIoType _type;       // what the submitter asked for
    private BdevIoType _step;       // what is under way
    private ulong _offset;
    private ulong _source;
    private ulong _blocks;
    private ulong _read;            // of a copy: the blocks that are in the buffer
    private byte* _metadata;
    private object? _lockOwner;
    private BdevIoCallback _callback = null!;
    private object? _state;
    private IoVec _buffer;

    internal BdevBounceJob(BdevQueue queue)
    {
        _queue = queue;
        _wait = new IoWait(this);
    }

    private sealed class IoWait(BdevBounceJob job) : BdevIoWait
    {
        protected internal override void OnAvailable() => job.Issue();
    }

    internal void Start(BdevIoType type, ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks, BdevIoCallback callback, object? state, byte* metadata, object? lockOwner)
    {
        if (_buffers.Length < buffers.Length) _buffers = new IoVec[Math.Max(buffers.Length, _buffers.Length * 2)];
        buffers.CopyTo(_buffers);
        _bufferCount = buffers.Length;
        _metadata = metadata;
        _step = type == BdevIoType.Compare && _queue.Limits.EmulatesCompare ? BdevIoType.Read : type;
        Begin(type, offset, 0, blocks, callback, state, lockOwner);
    }

    internal void StartCopy(ulong offset, ulong source, ulong blocks, BdevIoCallback callback, object? state, object? lockOwner)
    {
        _bufferCount = 0;
        _metadata = null;
        _step = BdevIoType.Read;
        Begin(BdevIoType.Copy, offset, source, blocks, callback, state, lockOwner);
    }

    private void Begin(BdevIoType type, ulong offset, ulong source, ulong blocks, BdevIoCallback callback, object? state, object? lockOwner)
    {
        _type = type;
        _offset = offset;
        _source = source;
        _blocks = blocks;
        _read = 0;
        _callback = callback;
        _state = state;
        _lockOwner = lockOwner;
        if (_queue.Iobuf.GetOrWait((uint)(blocks * _queue.Limits.BlockSize), this, out var buffer)) OnBuffer(buffer);
    }

    /// <inheritdoc/>
    protected internal override void OnBuffer(in IoVec buffer)
    {
        _buffer = buffer;
        if (_step is BdevIoType.Write or BdevIoType.Compare or BdevIoType.ZoneAppend)
        {
            uint at = 0;
            for (int i = 0; i < _bufferCount; i++)
            {
                _buffers[i].Span.CopyTo(_buffer.Slice(at, _buffers[i].Length).Span);
                at += _buffers[i].Length;
            }
        }
        Issue();
    }

    private void Issue()
    {
        var (offset, blocks, at) = (_offset, _blocks, 0ul);
        // The pieces of a copy are made for where it writes; where it reads the boundaries lie elsewhere.
        if (_type == BdevIoType.Copy && _step == BdevIoType.Read) (offset, blocks, at) = (_source + _read, _queue.Limits.UpToBoundary(_source + _read, _blocks - _read), _read);
        Span<IoVec> one = [_buffer.Slice((uint)(at * _queue.Limits.BlockSize), (uint)(blocks * _queue.Limits.BlockSize))];
        int error = _queue.Issue(_step, one, [], offset, blocks, s_onDone, this, _metadata, 0, _lockOwner);
        if (error != 0 && _queue.QueueIoWait(_wait) != 0) End(BdevIoResult.FromErrno(Errno.EIO));
    }

    private void OnDone(in BdevIoResult result)
    {
        if (result.IsSuccess && _step == BdevIoType.Read)
        {
            switch (_type)
            {
                case BdevIoType.Copy:
                    _read += _queue.Limits.UpToBoundary(_source + _read, _blocks - _read);
                    if (_read == _blocks) _step = BdevIoType.Write;
                    Issue();
                    return;
                case BdevIoType.Compare:
                    End(BdevIoResult.Of(IsEqual() ? BdevIoStatus.Success : BdevIoStatus.Miscompare));
                    return;
                default:
                    CopyOut();
                    break;
            }
        }
        End(result);
    }

    private bool IsEqual()
    {
        uint at = 0;
        for (int i = 0; i < _bufferCount; i++)
        {
            if (!_buffers[i].Span.SequenceEqual(_buffer.Slice(at, _buffers[i].Length).Span)) return false;
            at += _buffers[i].Length;
        }
        return true;
    }

    private void CopyOut()
    {
        uint at = 0;
        for (int i = 0; i < _bufferCount; i++)
        {
            _buffer.Slice(at, _buffers[i].Length).Span.CopyTo(_buffers[i].Span);
            at += _buffers[i].Length;
        }
    }

    private void End(in BdevIoResult result)
    {
        var callback = _callback;
        object? state = _state;
        var copy = result;
        _queue.Iobuf.Put(_buffer);
        _callback = null!;
        _state = null;
        _lockOwner = null;
        _queue.ReturnJob(this);
        callback(state, in copy);
    }
}
