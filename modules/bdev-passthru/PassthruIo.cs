using System.Runtime.CompilerServices;
using Spindle.Bdevs;

namespace Spindle.Bdev.Passthru;

/// <summary>What is kept for one I/O on its way through: made with the pooled I/O, used again with it. It is the state under which the base
/// knows the I/O, so that an abort finds it, and it waits when the base has no I/O object left.</summary>
internal sealed unsafe class PassthruIo(BdevIo io) : BdevIoWait
{
    private readonly BdevIo _io = io;
    private PassthruChannel? _channel;
    private uint _generation;

    internal static bool CanForward(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Unmap or BdevIoType.Flush
        or BdevIoType.Reset or BdevIoType.WriteZeroes or BdevIoType.Compare or BdevIoType.CompareAndWrite or BdevIoType.Abort
        or BdevIoType.Copy or BdevIoType.SeekData or BdevIoType.SeekHole
        or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement or BdevIoType.ZoneAppend;

    [DataPath]
    internal void Start(PassthruChannel channel)
    {
        _channel = channel;
        _generation = _io.Generation;
        int error = Forward(channel, channel.Base);
        if (error != 0) Refused(error);
    }

    [DataPath]
    private int Forward(PassthruChannel channel, IBdevChannel lower)
    {
        var io = _io;
        var completed = channel.Completed;
        switch (io.Type)
        {
            case BdevIoType.Read:
                return lower.Read(io.Iovs, io.OffsetBlocks, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.Write:
                return lower.Write(io.Iovs, io.OffsetBlocks, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.Unmap:
                return lower.Unmap(io.OffsetBlocks, io.NumBlocks, completed, this);
            case BdevIoType.Flush:
                return lower.Flush(io.OffsetBlocks, io.NumBlocks, completed, this);
            case BdevIoType.Reset:
                return lower.Reset(completed, this);
            case BdevIoType.WriteZeroes:
                return lower.WriteZeroes(io.OffsetBlocks, io.NumBlocks, completed, this);
            case BdevIoType.Compare:
                return lower.Compare(io.Iovs, io.OffsetBlocks, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.CompareAndWrite:
                return lower.CompareAndWrite(io.CompareIovs, io.Iovs, io.OffsetBlocks, io.NumBlocks, completed, this);
            case BdevIoType.Abort:
                return Abort(completed, lower);
            case BdevIoType.Copy:
                return lower.Copy(io.OffsetBlocks, io.CopySourceOffset, io.NumBlocks, completed, this);
            case BdevIoType.SeekData:
                return lower.SeekData(io.OffsetBlocks, completed, this);
            case BdevIoType.SeekHole:
                return lower.SeekHole(io.OffsetBlocks, completed, this);
            case BdevIoType.GetZoneInfo:
                return lower.GetZoneInfo(io.OffsetBlocks, io.Zones, completed, this);
            case BdevIoType.ZoneManagement:
                return lower.ZoneManagement(io.OffsetBlocks, io.ZoneAction, completed, this);
            case BdevIoType.ZoneAppend:
                return lower.ZoneAppend(io.Iovs, io.OffsetBlocks, io.NumBlocks, completed, this, (nint)io.Metadata);
            default:
                return -Errno.ENOTSUP;
        }
    }

    [DataPath]
    private int Abort(BdevIoCallback completed, IBdevChannel lower)
    {
        if (_io.AbortTarget is { } target && target.Generation == _io.AbortGeneration && target.Context is PassthruIo context)
            return lower.Abort(context, completed, this);
        _io.Complete(_generation, BdevIoStatus.Success); // it has ended
        return 0;
    }

    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void Refused(int error)
    {
        // Waiting fails only when an object has come free meanwhile: then the host submits the I/O again.
        if (error == -Errno.ENOMEM && _channel!.Base.QueueIoWait(this) == 0) return;
        _io.Complete(_generation, BdevIoResult.FromErrno(error));
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnAvailable() => Start(_channel!);

    [DataPath]
    internal static void OnBaseCompleted(object? state, in BdevIoResult result)
    {
        var self = Unsafe.As<PassthruIo>(state)!;
        self._io.Complete(self._generation, in result);
    }
}
