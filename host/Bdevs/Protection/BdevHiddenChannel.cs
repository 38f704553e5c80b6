using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>What an opener submits through that sees no metadata: it gives and gets data, the layer makes, verifies and strips the rest. I/O without data goes as it is, since a
/// bdev with protection information leaves blocks that pass the checks.</summary>
internal sealed class BdevHiddenChannel(BdevChannel whole) : IBdevChannel
{
    private readonly BdevQueue _queue = whole.Queue;

    public Bdev Bdev => whole.Bdev;
    public bool IsReady => whole.IsReady;

    [DataPath]
    public int Read(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        return error != 0 ? error : Start(BdevIoType.Read, buffers, offsetBlocks, numBlocks, callback, state);
    }

    [DataPath]
    public bool TryReadInPlace(ulong offsetBlocks, ulong numBlocks, out IoVec memory)
    {
        memory = default;
        return false;
    }

    [DataPath]
    public int Write(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        if (error == 0) error = whole.CheckWrite(BdevIoType.Write, offsetBlocks, numBlocks);
        return error != 0 ? error : Start(BdevIoType.Write, buffers, offsetBlocks, numBlocks, callback, state);
    }

    // By reading: a bdev would compare metadata too, or none.
    [DataPath]
    public int Compare(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata)
    {
        int error = CheckTransfer(buffers, offsetBlocks, numBlocks, metadata);
        if (error == 0 && !whole.Bdev.Supports(BdevIoType.Read)) error = -Errno.ENOTSUP;
        return error != 0 ? error : Start(BdevIoType.Compare, buffers, offsetBlocks, numBlocks, callback, state);
    }

    public int CompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state)
    {
        int error = whole.CheckCompareAndWrite(compare, write, offsetBlocks, numBlocks);
        if (error == 0 && (whole.Bdev.IsZoned || !whole.Bdev.Supports(BdevIoType.Read))) error = -Errno.ENOTSUP;
        return error != 0 ? error : _queue.StartCompareAndWrite(compare, write, offsetBlocks, numBlocks, callback, state, hidesMetadata: true);
    }

    public int WriteZeroes(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => whole.WriteZeroes(offsetBlocks, numBlocks, callback, state);

    public int Unmap(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => whole.Unmap(offsetBlocks, numBlocks, callback, state);

    public int Flush(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => whole.Flush(offsetBlocks, numBlocks, callback, state);

    public int Reset(BdevIoCallback callback, object? state) => whole.Reset(callback, state);

    public int Abort(object target, BdevIoCallback callback, object? state) => whole.Abort(target, callback, state);

    public int Copy(ulong destinationOffset, ulong sourceOffset, ulong numBlocks, BdevIoCallback callback, object? state) =>
        whole.Copy(destinationOffset, sourceOffset, numBlocks, callback, state);

    public int SeekData(ulong offsetBlocks, BdevIoCallback callback, object? state) => whole.SeekData(offsetBlocks, callback, state);

    public int SeekHole(ulong offsetBlocks, BdevIoCallback callback, object? state) => whole.SeekHole(offsetBlocks, callback, state);

    public int GetZoneInfo(ulong zoneStart, Memory<BdevZoneInfo> zones, BdevIoCallback callback, object? state) => whole.GetZoneInfo(zoneStart, zones, callback, state);

    // A zone append is refused: its metadata cannot be made before it is known where it writes.
    [DataPath]
    public int ZoneManagement(ulong zoneStart, BdevZoneAction action, BdevIoCallback callback, object? state) => whole.ZoneManagement(zoneStart, action, callback, state);

    public int QueueIoWait(BdevIoWait entry) => whole.QueueIoWait(entry);

    public void Flush() => whole.Flush();

    public void Put() => whole.Put();

    [DataPath]
    private int CheckTransfer(ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks, nint metadata) =>
        metadata != 0 ? -Errno.EINVAL : whole.CheckTransfer(buffers, offset, blocks, 0);

    [DataPath]
    private unsafe int Start(BdevIoType type, ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks, BdevIoCallback callback, object? state) =>
        _queue.StartJob(type, buffers, offset, 0, blocks, callback, state, null, null, hidesMetadata: true);
}
