using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Host.Bdevs.Zcopy;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>What an opener submits through: checks each call against the bdev and the descriptor, then hands it to the thread's queue.</summary>
internal sealed class BdevChannel : IBdevChannel
{
    private readonly BdevDescriptor _descriptor;
    private readonly BdevEntry _entry;
    private readonly BdevQueue _queue;
    private readonly uint _blockSize;
    private BdevQueueChannel? _channel;
    private List<BdevZcopy>? _zcopies;

    internal BdevChannel(BdevDescriptor descriptor, BdevQueueChannel channel, uint blockSize)
    {
        _descriptor = descriptor;
        _entry = descriptor.Entry;
        _channel = channel;
        _queue = channel.Queue;
        _blockSize = blockSize;
    }

    // The queue has the bdev of now: an upgrade of its module exchanges it.
    private Bdev _bdev => _queue.Bdev;

    public Bdev Bdev => _queue.Bdev;
    public bool IsReady => _queue.IsReady;
    internal BdevQueue Queue => _queue;

    [DataPath]
    public int Read(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        return error != 0 ? error : _queue.Start(BdevIoType.Read, buffers, offsetBlocks, numBlocks, callback, state, metadata);
    }

    [DataPath]
    public bool TryReadInPlace(ulong offsetBlocks, ulong numBlocks, out IoVec memory)
    {
        if (CheckRange(offsetBlocks, numBlocks) == 0 && _queue.HoldsNothingBack && _bdev.TryLend(offsetBlocks, numBlocks, out memory)
            && _queue.MayLend(numBlocks))
        {
            _queue.CountAtOnce(BdevIoType.Read, numBlocks * _blockSize);
            return true;
        }
        memory = default;
        return false;
    }

    [DataPath]
    public bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data)
    {
        ulong blocks = (uint)data.Length / _blockSize;
        return blocks * _blockSize == (uint)data.Length && _queue.Limits.WritesAtOnce && CheckRange(offsetBlocks, blocks) == 0
            && CheckWrite(BdevIoType.Write, offsetBlocks, blocks) == 0 && _queue.TryWriteAtOnce(offsetBlocks, data);
    }

    [DataPath]
    public int Write(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        if (error == 0) error = CheckWrite(BdevIoType.Write, offsetBlocks, numBlocks);
        return error != 0 ? error : _queue.Start(BdevIoType.Write, buffers, offsetBlocks, numBlocks, callback, state, metadata);
    }

    [DataPath]
    public int Compare(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        if (error == 0 && !_bdev.Supports(BdevIoType.Compare) && !_queue.Limits.EmulatesCompare) error = -Errno.ENOTSUP;
        return error != 0 ? error : _queue.Start(BdevIoType.Compare, buffers, offsetBlocks, numBlocks, callback, state, metadata);
    }

    public int CompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = CheckCompareAndWrite(compare, write, offsetBlocks, numBlocks);
        if (error == 0 && !_bdev.Supports(BdevIoType.CompareAndWrite) && !_queue.Limits.EmulatesCompareAndWrite) error = -Errno.ENOTSUP;
        return error != 0 ? error : _queue.StartCompareAndWrite(compare, write, offsetBlocks, numBlocks, callback, state);
    }

    internal int CheckCompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offset, ulong blocks)
    {
        int error = CheckTransfer(compare, offset, blocks, 0);
        if (error == 0) error = CheckTransfer(write, offset, blocks, 0);
        if (error == 0) error = CheckWrite(BdevIoType.Write, offset, blocks);
        return error == 0 && _bdev.AtomicCompareAndWriteBlocks != 0 && blocks > _bdev.AtomicCompareAndWriteBlocks ? -Errno.EINVAL : error;
    }

    public int WriteZeroes(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = CheckRange(offsetBlocks, numBlocks);
        if (error == 0) error = CheckWrite(_queue.Limits.EmulatesWriteZeroes ? BdevIoType.Write : BdevIoType.WriteZeroes, offsetBlocks, numBlocks);
        return error != 0 ? error : _queue.Start(BdevIoType.WriteZeroes, [], offsetBlocks, numBlocks, callback, state, 0);
    }

    public int Unmap(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = CheckRange(offsetBlocks, numBlocks);
        if (error == 0) error = CheckWrite(BdevIoType.Unmap, offsetBlocks, numBlocks);
        return error != 0 ? error : _queue.Start(BdevIoType.Unmap, [], offsetBlocks, numBlocks, callback, state, 0);
    }

    public int Flush(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = CheckRange(offsetBlocks, numBlocks);
        if (error == 0) error = CheckWrite(BdevIoType.Flush, offsetBlocks, numBlocks);
        return error != 0 ? error : _queue.Start(BdevIoType.Flush, [], offsetBlocks, numBlocks, callback, state, 0);
    }

    public int Copy(ulong destinationOffset, ulong sourceOffset, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = CheckRange(destinationOffset, numBlocks);
        if (error == 0) error = CheckRange(sourceOffset, numBlocks);
        if (error == 0 && destinationOffset < sourceOffset + numBlocks && sourceOffset < destinationOffset + numBlocks) error = -Errno.EINVAL;
        if (error == 0) error = CheckWrite(_queue.Limits.EmulatesCopy ? BdevIoType.Write : BdevIoType.Copy, destinationOffset, numBlocks);
        return error != 0 ? error : _queue.StartCopy(destinationOffset, sourceOffset, numBlocks, callback, state);
    }

    public int SeekData(ulong offsetBlocks, BdevIoCallback callback, object? state) => Seek(BdevIoType.SeekData, offsetBlocks, callback, state);

    public int SeekHole(ulong offsetBlocks, BdevIoCallback callback, object? state) => Seek(BdevIoType.SeekHole, offsetBlocks, callback, state);

    private int Seek(BdevIoType type, ulong offset, BdevIoCallback callback, object? state)
    {
        int error = CheckRange(offset, 1);
        if (error != 0) return error;
        if (_bdev.Supports(type)) return _queue.Start(type, [], offset, 1, callback, state, 0);
        // As SPDK does where a bdev does not know: everything is data.
        ulong found = type == BdevIoType.SeekData ? offset : ulong.MaxValue;
        _queue.Thread.Send(static s =>
        {
            var (callback, state, found) = ((BdevIoCallback, object?, ulong))s!;
            callback(state, BdevIoResult.WithValue(found));
        }, (callback, state, found));
        return 0;
    }

    public int GetZoneInfo(ulong zoneStart, Memory<BdevZoneInfo> zones, BdevIoCallback callback, object? state)
    {
        int error = CheckZones(BdevIoType.GetZoneInfo, zoneStart, (ulong)zones.Length);
        return error != 0 ? error : _queue.StartZoneInfo(zoneStart, zones, callback, state);
    }

    [DataPath]
    public int ZoneManagement(ulong zoneStart, BdevZoneAction action, BdevIoCallback callback, object? state)
    {
        int error = CheckZones(BdevIoType.ZoneManagement, zoneStart, 1);
        if (error == 0 && !_descriptor.IsWritable) error = -Errno.EBADF;
        if (error == 0 && action is < BdevZoneAction.Close or > BdevZoneAction.Offline) error = -Errno.EINVAL;
        return error != 0 ? error : _queue.StartZoneManagement(zoneStart, action, callback, state);
    }

    [DataPath]
    public int ZoneAppend(ReadOnlySpan<IoVec> buffers, ulong zoneStart, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckZones(BdevIoType.ZoneAppend, zoneStart, 1);
        if (error == 0 && numBlocks > _queue.Limits.MaxAppendBlocks) error = -Errno.EINVAL;
        if (error == 0) error = CheckTransfer(buffers, zoneStart, numBlocks, metadata);
        if (error == 0) error = CheckWrite(BdevIoType.ZoneAppend, zoneStart, numBlocks);
        return error != 0 ? error : _queue.StartAppend(buffers, zoneStart, numBlocks, callback, state, metadata);
    }

    /// <summary>Whether there are so many zones, and the first one starts there.</summary>
    [DataPath]
    private int CheckZones(BdevIoType type, ulong zoneStart, ulong count)
    {
        ulong size = _queue.Limits.ZoneSize;
        if (_entry.IsRemoving) return -Errno.ENODEV;
        if (size == 0 || !_bdev.Supports(type)) return -Errno.ENOTSUP;
        ulong blocks = _bdev.BlockCount;
        return zoneStart % size != 0 || zoneStart >= blocks || count == 0 || count > (blocks - zoneStart) / size ? -Errno.EINVAL : 0;
    }

    public int Reset(BdevIoCallback callback, object? state)
    {
        if (_entry.IsRemoving) return -Errno.ENODEV;
        BdevReset.Start(_queue, callback, state);
        return 0;
    }

    public int Abort(object target, BdevIoCallback callback, object? state)
    {
        ArgumentNullException.ThrowIfNull(target);
        return _queue.StartAbort(target, callback, state);
    }

    public IBdevZcopy CreateZcopy()
    {
        var zcopy = _queue.CreateZcopy(this);
        (_zcopies ??= []).Add(zcopy);
        return zcopy;
    }

    public int QueueIoWait(BdevIoWait entry) => _queue.QueueIoWait(entry);

    public void Flush() => _queue.FlushNow();

    public void Put()
    {
        var channel = Interlocked.Exchange(ref _channel, null)
            ?? throw new InvalidOperationException($"The channel of bdev '{_bdev.Name}' was put already.");
        if (_zcopies is not null) _queue.ForgetZcopies(_zcopies);
        _queue.ForgetCallers();
        _entry.Registry.Threads.PutChannel(channel);
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int CheckRange(ulong offset, ulong blocks)
    {
        ulong size = _bdev.BlockCount;
        if (_entry.IsRemoving) return -Errno.ENODEV;
        return blocks == 0 || offset >= size || blocks > size - offset ? -Errno.EINVAL : 0;
    }

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int CheckTransfer(ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks, nint metadata)
    {
        int error = CheckRange(offset, blocks);
        if (error != 0) return error;
        ulong length;
        if (buffers.Length == 1)
        {
            length = buffers[0].Length;
        }
        else
        {
            length = 0;
            foreach (ref readonly var buffer in buffers) length += buffer.Length;
        }
        // Blocks are at most the device's, so the product cannot overflow: registration checks it for the device.
        if (length != blocks * _blockSize) return -Errno.EINVAL;
        if (metadata != 0 && (_bdev.MetadataSize == 0 || _bdev.MetadataInterleaved)) return -Errno.EINVAL;
        return 0;
    }

    /// <summary>What writes to a zoned bdev stays in one zone; the range is checked.</summary>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private bool CrossesZone(BdevIoType type, ulong offset, ulong blocks) => type is not (BdevIoType.Flush or BdevIoType.Unmap) && blocks > _queue.Limits.ZoneSize - offset % _queue.Limits.ZoneSize;

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int CheckWrite(BdevIoType type, ulong offset, ulong blocks)
    {
        if (!_descriptor.IsWritable) return -Errno.EBADF;
        if (!_bdev.Supports(type)) return -Errno.ENOTSUP;
        var limits = _queue.Limits;
        if (limits.IsZoned && CrossesZone(type, offset, blocks)) return -Errno.EINVAL;
        uint unit = limits.WriteUnit;
        return unit > 1 && type is BdevIoType.Write or BdevIoType.ZoneAppend && (offset % unit != 0 || blocks % unit != 0) ? -Errno.EINVAL : 0;
    }
}
