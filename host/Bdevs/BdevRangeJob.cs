using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>One submitter's I/O carried out as several: split at the bdev's limits, copied through aligned buffers, or emulated by other types.
/// Pooled per queue.</summary>
internal sealed unsafe class BdevRangeJob : BdevIoWait
{
    /// <summary>Pieces under way at a time: enough to keep a device busy, few enough to leave I/O objects to others.</summary>
    private const int MaxPieces = 16;

    /// <summary>Those with metadata to be made or verified each have a large I/O buffer.</summary>
    private const int MaxProtectedPieces = 4;

    private static readonly BdevIoCallback s_onPiece = static (object? state, in BdevIoResult result) => ((BdevRangeJob)state!).OnPiece(result);

    private readonly BdevQueue _queue;
    private IoVec[] _buffers = new IoVec[8];
    private int _bufferCount;
    private int _index;     // the vector where the next piece starts,
    private uint _skip;     // and how much of it is done
    private BdevIoType _type;
    private ulong _offset;
    private ulong _source;
    private ulong _left;
    private byte* _metadata;
    private object? _lockOwner;
    private BdevIoCallback _callback = null!;
    private BdevIoResult _result;
    private int _pieces;
    private bool _failed;
    private bool _starting;
    private bool _bounce;
    private bool _hidesMetadata;    // the vectors hold data alone,
    private uint _stride;           // so much of it for a block
    private int _mostPieces;
    private BdevAbort? _abort;

    internal BdevRangeJob(BdevQueue queue) => _queue = queue;

    internal object? State { get; private set; }
    internal BdevRangeJob? NextActive;
    internal BdevRangeJob? PreviousActive;

    internal void Start(BdevIoType type, ReadOnlySpan<IoVec> buffers, ulong offset, ulong source, ulong blocks, BdevIoCallback callback,
        object? state, byte* metadata, object? lockOwner, bool hidesMetadata = false)
    {
        if (_buffers.Length < buffers.Length) _buffers = new IoVec[Math.Max(buffers.Length, _buffers.Length * 2)];
        buffers.CopyTo(_buffers);
        _bufferCount = buffers.Length;
        _index = 0;
        _skip = 0;
        _type = type;
        _offset = offset;
        _source = source;
        _left = blocks;
        _metadata = metadata;
        _lockOwner = lockOwner;
        _callback = callback;
        State = state;
        _result = BdevIoResult.Of(BdevIoStatus.Success);
        _pieces = 0;
        _failed = false;
        _hidesMetadata = hidesMetadata;
        _stride = hidesMetadata ? _queue.Limits.Protection!.DataSize : _queue.Limits.BlockSize;
        _bounce = !_queue.Limits.IsAligned(buffers);
        // The next piece of a write begins where the zone's write pointer is when the one before has ended.
        _mostPieces = _queue.Limits.IsZoned && type is BdevIoType.Write or BdevIoType.WriteZeroes ? 1 : hidesMetadata ? MaxProtectedPieces : MaxPieces;
        Advance();
    }

    /// <summary>Starts no more pieces; the job ends as aborted when those under way have ended, and then tells <paramref name="abort"/>.</summary>
    /// <returns>False when another abort waits for it already.</returns>
    internal bool Abort(BdevAbort abort)
    {
        Fail(BdevIoResult.Of(BdevIoStatus.Aborted));
        if (_abort is not null) return false;
        _abort = abort;
        return true;
    }

    private void Fail(in BdevIoResult result)
    {
        // Of blocks whose protection information does not fit the first is told: pieces end in any order, but start in theirs.
        if (_failed && !(result.IsProtectionError && _result.IsProtectionError && result.Value < _result.Value)) return;
        _failed = true;
        _result = result;
    }

    private void Advance()
    {
        _starting = true;
        while (_left > 0 && _pieces < _mostPieces && !_failed)
        {
            _pieces++;
            int error = IssueNext();
            if (error == 0) continue;
            _pieces--;
            // Out of I/O objects: pieces under way will bring some back, else wait in line.
            if (_pieces == 0 && !Queued && _queue.QueueIoWait(this) != 0) continue;
            break;
        }
        _starting = false;
        if (_pieces == 0 && (_left == 0 || _failed) && !Queued) Finish();
    }

    /// <inheritdoc/>
    protected internal override void OnAvailable() => Advance();

    private void OnPiece(in BdevIoResult result)
    {
        _pieces--;
        if (!result.IsSuccess) Fail(result);
        else if (_type == BdevIoType.ZoneAppend) _result = result;
        if (!_starting) Advance();
    }

    private void Finish()
    {
        var callback = _callback;
        object? state = State;
        var result = _result;
        var abort = _abort;
        State = null;
        _callback = null!;
        _lockOwner = null;
        _abort = null;
        _queue.ReturnJob(this);
        callback(state, in result);
        if (abort is not null) BdevAbort.OnOne(abort, BdevIoResult.Of(BdevIoStatus.Success));
    }

    private int IssueNext() => _hidesMetadata ? IssueProtected() : _type switch
    {
        BdevIoType.Unmap => IssueRange(_queue.Limits.MaxUnmapBlocks),
        BdevIoType.WriteZeroes when !_queue.Limits.EmulatesWriteZeroes => IssueRange(_queue.Limits.MaxWriteZeroesBlocks),
        BdevIoType.WriteZeroes => _queue.Limits.Protection is null ? IssueZeroes() : IssueProtected(),
        BdevIoType.Copy => _queue.Limits is { Protection: not null, EmulatesCopy: true } ? IssueProtected() : IssueCopy(),
        BdevIoType.ZoneAppend => IssueAppend(),
        _ => IssueTransfer(),
    };

    private int IssueRange(ulong max)
    {
        ulong blocks = Math.Min(_left, max);
        int error = _queue.Issue(_type, [], [], _offset, blocks, s_onPiece, this, null, 0, _lockOwner);
        if (error == 0) Consume(blocks);
        return error;
    }

    private int IssueZeroes()
    {
        var zeroes = _queue.Entry.Registry.Zeroes;
        var limits = _queue.Limits;
        ulong blocks = Math.Min(LimitTransfer(_left), Math.Min(zeroes.Length, limits.MaxSegmentSize) / limits.BlockSize);
        blocks = Math.Max(limits.WriteUnit, blocks - blocks % limits.WriteUnit);
        Span<IoVec> one = [zeroes.Slice(0, (uint)blocks * limits.BlockSize)];
        int error = _queue.Issue(BdevIoType.Write, one, [], _offset, blocks, s_onPiece, this, null, 0, _lockOwner);
        if (error == 0) Consume(blocks);
        return error;
    }

    private int IssueCopy()
    {
        if (!_queue.Limits.EmulatesCopy)
        {
            ulong native = Math.Min(_left, _queue.Limits.MaxCopyBlocks);
            int error = _queue.Issue(BdevIoType.Copy, [], [], _offset, native, s_onPiece, this, null, _source, _lockOwner);
            if (error == 0) Consume(native);
            return error;
        }
        ulong blocks = LimitTransfer(Math.Min(_left, _queue.Limits.BounceBlocks));
        var job = _queue.TakeBounceJob();
        job.StartCopy(_offset, _source, blocks, s_onPiece, this, _lockOwner);
        Consume(blocks);
        return 0;
    }

    /// <summary>An append is written as a whole: it was found to fit one buffer.</summary>
    private int IssueAppend()
    {
        ulong blocks = _left;
        var job = _queue.TakeBounceJob();
        job.Start(_type, new ReadOnlySpan<IoVec>(_buffers, 0, _bufferCount), _offset, blocks, s_onPiece, this, _metadata, _lockOwner);
        Consume(blocks);
        return 0;
    }

    private int IssueTransfer()
    {
        var limits = _queue.Limits;
        bool bounce = _bounce || (_type == BdevIoType.Compare && limits.EmulatesCompare);
        ulong blocks = LimitTransfer(bounce ? Math.Min(_left, limits.BounceBlocks) : _left);
        int count = Gather(ref blocks, bounce ? int.MaxValue : limits.MaxSegments, bounce ? uint.MaxValue : limits.MaxSegmentSize);
        if (count == 0 || (_type == BdevIoType.Write && blocks % limits.WriteUnit != 0))
        {
            // Not even one block, or not a write unit, fits the bdev's segments: copy it together.
            bounce = true;
            blocks = LimitTransfer(Math.Min(_left, limits.BounceBlocks));
            count = Gather(ref blocks, int.MaxValue, uint.MaxValue);
        }
        var buffers = new ReadOnlySpan<IoVec>(_queue.Scratch, 0, count);
        if (bounce)
        {
            var job = _queue.TakeBounceJob();
            job.Start(_type, buffers, _offset, blocks, s_onPiece, this, _metadata, _lockOwner);
            Consume(blocks);
            return 0;
        }
        int error = _queue.Issue(_type, buffers, [], _offset, blocks, s_onPiece, this, _metadata, 0, _lockOwner);
        if (error == 0) Consume(blocks);
        return error;
    }

    /// <summary>A piece whose metadata the host makes or verifies. Where it needs a buffer for data too, there is room for whole blocks; that piece then fits the bdev in one vector.</summary>
    private int IssueProtected()
    {
        var limits = _queue.Limits;
        var protection = limits.Protection!;
        bool whole = protection.Interleaved || _type is not (BdevIoType.Read or BdevIoType.Write);
        ulong blocks = LimitTransfer(Math.Min(_left, whole ? protection.BlocksInBuffer : protection.MetadataInBuffer));
        int count = _bufferCount == 0 ? 0 : whole ? Gather(ref blocks, int.MaxValue, uint.MaxValue) : Gather(ref blocks, limits.MaxSegments, limits.MaxSegmentSize);
        if (!whole && (count == 0 || (limits.WriteUnit > 1 && _type == BdevIoType.Write && blocks % limits.WriteUnit != 0)
            || !limits.Fits(new ReadOnlySpan<IoVec>(_queue.Scratch, 0, count), _offset, blocks)))
        {
            whole = true;
            blocks = LimitTransfer(Math.Min(_left, protection.BlocksInBuffer));
            count = Gather(ref blocks, int.MaxValue, uint.MaxValue);
        }
        var piece = _queue.TakeProtectedPiece();
        piece.Start(_type, _hidesMetadata, whole, new ReadOnlySpan<IoVec>(_queue.Scratch, 0, count), _offset, _source, blocks, s_onPiece, this, _lockOwner);
        Consume(blocks);
        return 0;
    }

    /// <summary>How many blocks the next transfer may have, from the limits that do not depend on the vectors.</summary>
    private ulong LimitTransfer(ulong blocks)
    {
        var limits = _queue.Limits;
        blocks = Math.Min(blocks, limits.MaxRwBlocks);
        blocks = limits.UpToBoundary(_offset, blocks);
        if (limits.WriteUnit > 1 && _type is BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Copy) blocks -= blocks % limits.WriteUnit;
        return blocks;
    }

    /// <summary>Collects the vectors of the next piece, whole blocks of them, without moving on.</summary>
    /// <returns>The number of vectors; 0 when not even one block fits.</returns>
    private int Gather(ref ulong blocks, int maxSegments, uint maxSegmentSize)
    {
        ulong wanted = blocks * _stride;
        ulong have = 0;
        int count = 0;
        int index = _index;
        uint skip = _skip;
        while (have < wanted && count < maxSegments && index < _bufferCount)
        {
            uint length = (uint)Math.Min(Math.Min(_buffers[index].Length - skip, maxSegmentSize), wanted - have);
            if (count == _queue.Scratch.Length) Array.Resize(ref _queue.Scratch, count * 2);
            _queue.Scratch[count++] = _buffers[index].Slice(skip, length);
            have += length;
            skip += length;
            if (skip == _buffers[index].Length)
            {
                index++;
                skip = 0;
            }
        }
        blocks = have / _stride;
        ulong surplus = have - blocks * _stride;
        while (surplus > 0)
        {
            var last = _queue.Scratch[count - 1];
            if (last.Length <= surplus)
            {
                surplus -= last.Length;
                count--;
            }
            else
            {
                _queue.Scratch[count - 1] = last.Slice(0, last.Length - (uint)surplus);
                surplus = 0;
            }
        }
        return blocks == 0 ? 0 : count;
    }

    private void Consume(ulong blocks)
    {
        _left -= blocks;
        _offset += blocks;
        _source += blocks;
        if (_metadata is not null) _metadata += blocks * _queue.Bdev.MetadataSize;
        ulong bytes = blocks * _stride;
        while (bytes > 0 && _index < _bufferCount)
        {
            uint rest = _buffers[_index].Length - _skip;
            if (rest > bytes)
            {
                _skip += (uint)bytes;
                return;
            }
            bytes -= rest;
            _index++;
            _skip = 0;
        }
    }
}
