using System.Runtime.CompilerServices;
using Spindle.Bdevs;

namespace Spindle.Virtual;

/// <summary>What is kept for one I/O on its way to the base: made with the pooled I/O, used again with it. It is the state under which the base
/// knows the I/O, so that an abort finds it, and it waits when the base has no I/O object left. As it is, it forwards; a module derives from it
/// to do something on the way.</summary>
/// <param name="io">The pooled I/O.</param>
public unsafe class VirtualIo(BdevIo io) : BdevIoWait
{
    private VirtualChannel? _channel;
    private uint _generation;

    /// <summary>The pooled I/O.</summary>
    protected BdevIo Io { get; } = io;

    /// <summary>The channel it came through.</summary>
    protected VirtualChannel Channel => _channel!;

    /// <summary>Whether a type can be handed down: all but raw NVMe commands and lent buffers. Those to zones only where the base's are shown.</summary>
    public static bool CanForward(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Unmap or BdevIoType.Flush
        or BdevIoType.Reset or BdevIoType.WriteZeroes or BdevIoType.Compare or BdevIoType.CompareAndWrite or BdevIoType.Abort
        or BdevIoType.Copy or BdevIoType.SeekData or BdevIoType.SeekHole
        or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement or BdevIoType.ZoneAppend;

    [DataPath]
    internal void Start(VirtualChannel channel)
    {
        _channel = channel;
        _generation = Io.Generation;
        OnSubmitted();
    }

    /// <summary>The I/O has come. Forwards it, unless overridden.</summary>
    [DataPath]
    protected virtual void OnSubmitted() => Forward();

    /// <summary>Hands the I/O to the base. It ends by <see cref="OnForwarded"/>.</summary>
    [DataPath]
    protected void Forward()
    {
        int error = Issue(_channel!.Base, _channel.Completed);
        if (error != 0) Refused(error);
    }

    /// <summary>The base has done it, or has refused it. Completes the I/O with the base's result, unless overridden.</summary>
    [DataPath]
    protected virtual void OnForwarded(in BdevIoResult result) => Complete(in result);

    /// <summary>Ends the I/O.</summary>
    [DataPath]
    protected void Complete(in BdevIoResult result) => Io.Complete(_generation, in result);

    /// <summary>Submits the I/O to the base: 0, or a negated error number.</summary>
    /// <param name="lower">The base's channel.</param>
    /// <param name="completed">To be called with this object as state.</param>
    [DataPath]
    protected virtual int Issue(IBdevChannel lower, BdevIoCallback completed)
    {
        var io = Io;
        ulong at = io.OffsetBlocks + _channel!.OffsetBlocks;
        switch (io.Type)
        {
            case BdevIoType.Read:
                return lower.Read(io.Iovs, at, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.Write:
                return lower.Write(io.Iovs, at, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.Unmap:
                return lower.Unmap(at, io.NumBlocks, completed, this);
            case BdevIoType.Flush:
                return lower.Flush(at, io.NumBlocks, completed, this);
            case BdevIoType.Reset:
                return lower.Reset(completed, this);
            case BdevIoType.WriteZeroes:
                return lower.WriteZeroes(at, io.NumBlocks, completed, this);
            case BdevIoType.Compare:
                return lower.Compare(io.Iovs, at, io.NumBlocks, completed, this, (nint)io.Metadata);
            case BdevIoType.CompareAndWrite:
                return lower.CompareAndWrite(io.CompareIovs, io.Iovs, at, io.NumBlocks, completed, this);
            case BdevIoType.Abort:
                return Abort(lower, completed);
            case BdevIoType.Copy:
                return lower.Copy(at, io.CopySourceOffset + _channel.OffsetBlocks, io.NumBlocks, completed, this);
            case BdevIoType.SeekData:
                return lower.SeekData(at, completed, this);
            case BdevIoType.SeekHole:
                return lower.SeekHole(at, completed, this);
            case BdevIoType.GetZoneInfo:
                return lower.GetZoneInfo(at, io.Zones, completed, this);
            case BdevIoType.ZoneManagement:
                return lower.ZoneManagement(at, io.ZoneAction, completed, this);
            case BdevIoType.ZoneAppend:
                return lower.ZoneAppend(io.Iovs, at, io.NumBlocks, completed, this, (nint)io.Metadata);
            default:
                return -Errno.ENOTSUP;
        }
    }

    /// <summary>The I/O that this one, an abort, is to end; null when that one has ended.</summary>
    [DataPath]
    protected VirtualIo? AbortTarget() =>
        Io.AbortTarget is { } target && target.Generation == Io.AbortGeneration ? target.Context as VirtualIo : null;

    [DataPath]
    private int Abort(IBdevChannel lower, BdevIoCallback completed)
    {
        if (AbortTarget() is { } target) return lower.Abort(target, completed, this);
        OnForwarded(BdevIoResult.Of(BdevIoStatus.Success)); // it has ended
        return 0;
    }

    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void Refused(int error)
    {
        // Waiting fails only when an object has come free meanwhile: then the host submits the I/O again.
        if (error == -Errno.ENOMEM && _channel!.Base.QueueIoWait(this) == 0) return;
        OnForwarded(BdevIoResult.FromErrno(error));
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnAvailable() => Forward();

    [DataPath]
    internal static void OnBaseCompleted(object? state, in BdevIoResult result)
    {
        var self = Unsafe.As<VirtualIo>(state)!;
        if (self.Io.Type is BdevIoType.SeekData or BdevIoType.SeekHole) self.OnSought(in result);
        else if (result.IsProtectionError) self.OnMisfit(in result);
        else self.OnForwarded(in result);
    }

    /// <summary>The base names its own block.</summary>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void OnMisfit(in BdevIoResult result)
    {
        ulong first = _channel!.OffsetBlocks;
        OnForwarded(result.Value >= first ? BdevIoResult.FromProtection(result.NvmeStatusCode, result.Value - first) : result);
    }

    /// <summary>What lies beyond the range was not found.</summary>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void OnSought(in BdevIoResult result)
    {
        ulong at = result.Value - _channel!.OffsetBlocks;
        if (!result.IsSuccess) OnForwarded(in result);
        else OnForwarded(BdevIoResult.WithValue(result.Value != ulong.MaxValue && at < Io.Bdev.BlockCount ? at : ulong.MaxValue));
    }
}
