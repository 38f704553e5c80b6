using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>A piece of I/O whose metadata the host makes or verifies, in an I/O buffer: whole blocks with their metadata, or separate metadata alone while the data goes straight
/// from or to the submitter's memory. Pooled per queue.</summary>
/// <remarks>It holds one buffer and then waits for nothing but the bdev and an I/O object, so pieces that wait for buffers get theirs.</remarks>
internal sealed unsafe class BdevProtectedPiece : IobufWaiter, IMakesMetadata
{
    private static readonly BdevIoCallback s_onDone = static (object? state, in BdevIoResult result) => ((BdevProtectedPiece)state!).OnDone(result);

    private readonly BdevQueue _queue;
    private readonly IoWait _wait;
    private BdevProtection _protection = null!;
    private IoVec[] _vectors = new IoVec[8];
    private int _vectorCount;
    private BdevIoType _type;       // what the submitter asked for
    private BdevIoType _step;       // what is under way
    private bool _whole;            // the buffer holds blocks, not only their metadata
    private ulong _offset;
    private ulong _source;
    private ulong _blocks;
    private ulong _read;            // of a copy: the blocks that are in the buffer,
    private ulong _reading;         // and those on their way
    private object? _lockOwner;
    private BdevIoCallback _callback = null!;
    private object? _state;
    private IoVec _buffer;

    internal BdevProtectedPiece(BdevQueue queue)
    {
        _queue = queue;
        _wait = new IoWait(this);
    }

    private sealed class IoWait(BdevProtectedPiece piece) : BdevIoWait
    {
        protected internal override void OnAvailable() => piece.Issue();
    }

    /// <summary>The submitter gave and gets data alone.</summary>
    internal bool HidesMetadata { get; private set; }

    [DataPath]
    internal void Start(BdevIoType type, bool hidesMetadata, bool whole, ReadOnlySpan<IoVec> vectors, ulong offset, ulong source, ulong blocks, BdevIoCallback callback, object? state, object? lockOwner)
    {
        if (_vectors.Length < vectors.Length) GrowVectors(vectors.Length);
        vectors.CopyTo(_vectors);
        _vectorCount = vectors.Length;
        _protection = _queue.Limits.Protection!;
        _type = type;
        _step = type is BdevIoType.Write or BdevIoType.WriteZeroes ? BdevIoType.Write : BdevIoType.Read;
        HidesMetadata = hidesMetadata;
        _whole = whole;
        _offset = offset;
        _source = source;
        _blocks = blocks;
        _read = 0;
        _callback = callback;
        _state = state;
        _lockOwner = lockOwner;
        ulong bytes = whole ? blocks * (_protection.DataSize + _protection.MetadataSize) : blocks * _protection.MetadataSize;
        if (_queue.Iobuf.GetOrWait((uint)bytes, this, out var buffer)) OnBuffer(buffer);
    }

    private void GrowVectors(int count) => _vectors = new IoVec[Math.Max(count, _vectors.Length * 2)];

    private ReadOnlySpan<IoVec> Vectors => new(_vectors, 0, _vectorCount);

    private ulong BlockBytes => _protection.Interleaved ? _protection.DataSize + _protection.MetadataSize : _protection.DataSize;

    private byte* Blocks => _buffer.Pointer;

    /// <summary>Where separate metadata is; null when it is in the blocks.</summary>
    private byte* Metadata => _protection.Interleaved ? null : _whole ? _buffer.Pointer + _blocks * _protection.DataSize : _buffer.Pointer;

    /// <inheritdoc/>
    [DataPath]
    protected internal override void OnBuffer(in IoVec buffer)
    {
        _buffer = buffer;
        var metadata = _protection.Metadata;
        if (_type == BdevIoType.WriteZeroes) metadata.InsertZeroes(Blocks, Metadata, _blocks, _offset);
        else if (_type == BdevIoType.Write && _whole) metadata.Insert(Vectors, Blocks, Metadata, _blocks, _offset);
        else if (_type == BdevIoType.Write) metadata.MakeSeparate(Vectors, Metadata, _blocks, _offset);
        Issue();
    }

    [DataPath]
    private void Issue()
    {
        int error;
        if (!_whole)
        {
            error = _queue.Issue(_step, Vectors, [], _offset, _blocks, s_onDone, this, Metadata, 0, _lockOwner);
        }
        else
        {
            var (offset, blocks, at) = (_offset, _blocks, 0ul);
            // The pieces of a copy are made for where it writes; where it reads the boundaries lie elsewhere.
            if (_type == BdevIoType.Copy && _step == BdevIoType.Read)
                (offset, blocks, at) = (_source + _read, _reading = _queue.Limits.UpToBoundary(_source + _read, _blocks - _read), _read);
            var one = _buffer.Slice((uint)(at * BlockBytes), (uint)(blocks * BlockBytes));
            byte* metadata = Metadata;
            if (metadata is not null) metadata += at * _protection.MetadataSize;
            error = _queue.Issue(_step, new ReadOnlySpan<IoVec>(in one), [], offset, blocks, s_onDone, this, metadata, 0, _lockOwner);
        }
        if (error != 0 && _queue.QueueIoWait(_wait) != 0) End(BdevIoResult.FromErrno(Errno.EIO));
    }

    [DataPath]
    private void OnDone(in BdevIoResult result)
    {
        if (!result.IsSuccess || _step != BdevIoType.Read)
        {
            End(result);
            return;
        }
        var metadata = _protection.Metadata;
        DifResult check;
        ulong failed;
        bool equal = true;
        switch (_type)
        {
            case BdevIoType.Copy:
                _read += _reading;
                if (_read < _blocks)
                {
                    Issue();
                    return;
                }
                check = metadata.Verify(Blocks, Metadata, _blocks, _source, out failed);
                if (check != DifResult.Ok) break;
                metadata.Renumber(Blocks, Metadata, _blocks, _offset);
                _step = BdevIoType.Write;
                Issue();
                return;
            case BdevIoType.Compare:
                check = metadata.Compare(Blocks, Metadata, Vectors, _blocks, _offset, out failed, out equal);
                break;
            default:
                check = _whole ? metadata.Strip(Blocks, Metadata, Vectors, _blocks, _offset, out failed) : metadata.VerifySeparate(Vectors, Metadata, _blocks, _offset, out failed);
                break;
        }
        if (check != DifResult.Ok) Misfit(check, failed);
        else if (!equal) End(BdevIoResult.Of(BdevIoStatus.Miscompare));
        else End(result);
    }

    private void Misfit(DifResult check, ulong block)
    {
        _queue.Entry.Registry.OnProtectionError(_queue.Bdev, check, block);
        End(check.ToIoResult(block));
    }

    [DataPath]
    private void End(in BdevIoResult result)
    {
        var callback = _callback;
        object? state = _state;
        var copy = result;
        _queue.Iobuf.Put(_buffer);
        _callback = null!;
        _state = null;
        _lockOwner = null;
        _queue.ReturnPiece(this);
        callback(state, in copy);
    }
}
