using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>Stands for a member that was going away just when a channel to it was asked for: everything fails, so that the member is taken out as any other that fails.</summary>
internal sealed class GoneChannel(Bdevs.Bdev bdev) : IBdevChannel
{
    public Bdevs.Bdev Bdev => bdev;

    public bool IsReady => true;

    [DataPath] public int Read(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0) => -Errno.ENODEV;

    [DataPath] public int Write(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0) => -Errno.ENODEV;

    [DataPath] public int Compare(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0) => -Errno.ENODEV;

    [DataPath] public int CompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int WriteZeroes(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int Unmap(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int Flush(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int Reset(BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int Abort(object target, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int Copy(ulong destinationOffset, ulong sourceOffset, ulong numBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int SeekData(ulong offsetBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int SeekHole(ulong offsetBlocks, BdevIoCallback callback, object? state) => -Errno.ENODEV;

    [DataPath] public int QueueIoWait(BdevIoWait entry) => -Errno.EINVAL;

    [DataPath] public void Flush() { }

    public void Put() { }
}
