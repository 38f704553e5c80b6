using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>One I/O, what is done to it, and its place among the held ones.</summary>
internal sealed class ErrorIo(BdevIo io) : VirtualIo(io)
{
    internal ErrorIo? Next;
    internal ErrorIo? Previous;

    private ErrorInjection? _injection;
    private bool _held;

    // The changed byte of a write, whose own buffers are not ours to change. Made when first needed: this is for tests.
    private byte[]? _changed;

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        var channel = (ErrorChannel)Channel;
        var type = Io.Type;
        if (type == BdevIoType.Reset) { _ = ResetAsync(); return; }
        if (type == BdevIoType.Abort && AbortTarget() is ErrorIo { _held: true } target)
        {
            target.AbortNow();
            Complete(BdevIoResult.Of(BdevIoStatus.Success));
            return;
        }
        _injection = channel.Injections.Hit(type, Io.OffsetBlocks, Io.NumBlocks, channel.Outstanding);
        switch (_injection?.Kind ?? ErrorKind.None)
        {
            case ErrorKind.Failure:
                Complete(BdevIoResult.Of(BdevIoStatus.Failed));
                return;
            case ErrorKind.NoMemory:
                Complete(BdevIoResult.Of(BdevIoStatus.NoMemory));
                return;
            case ErrorKind.Pending:
                _held = true;
                channel.Hold(this);
                return;
        }
        channel.Outstanding++;
        Forward();
    }

    /// <inheritdoc/>
    [DataPath]
    protected override int Issue(IBdevChannel lower, BdevIoCallback completed) =>
        _injection is not null && Io.Type == BdevIoType.Write && _injection.CorruptOffset < Io.LengthBytes
            ? WriteChanged(lower, completed) : base.Issue(lower, completed);

    /// <summary>Writes the submitter's buffers with a byte of our own in the place of one of theirs.</summary>
    private unsafe int WriteChanged(IBdevChannel lower, BdevIoCallback completed)
    {
        var theirs = Io.Iovs;
        var ours = new IoVec[theirs.Length + 2];
        ulong at = _injection!.CorruptOffset;
        int count = 0;
        _changed ??= GC.AllocateArray<byte>(1, pinned: true);
        foreach (ref readonly var vector in theirs)
        {
            if (at >= vector.Length)
            {
                // Beyond this vector, or past the byte, when it wrapped to the largest number.
                ours[count++] = vector;
                if (at != ulong.MaxValue) at -= vector.Length;
                continue;
            }
            uint before = (uint)at, after = vector.Length - before - 1;
            if (before > 0) ours[count++] = vector.Slice(0, before);
            _changed[0] = (byte)(vector.Pointer[before] ^ _injection.CorruptValue);
            ours[count++] = new IoVec(Unsafe.AsPointer(ref _changed[0]), 1);
            if (after > 0) ours[count++] = vector.Slice(before + 1, after);
            at = ulong.MaxValue;
        }
        return lower.Write(ours.AsSpan(0, count), Io.OffsetBlocks, Io.NumBlocks, completed, this, (nint)Io.Metadata);
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnForwarded(in BdevIoResult result)
    {
        if (Io.Type != BdevIoType.Reset) ((ErrorChannel)Channel).Outstanding--;
        if (_injection is { Kind: ErrorKind.CorruptData } && Io.Type == BdevIoType.Read && result.IsSuccess) ChangeRead();
        Complete(in result);
    }

    [DataPath]
    private unsafe void ChangeRead()
    {
        ulong at = _injection!.CorruptOffset;
        foreach (ref readonly var vector in Io.Iovs)
        {
            if (at < vector.Length)
            {
                vector.Pointer[at] ^= _injection.CorruptValue;
                return;
            }
            at -= vector.Length;
        }
    }

    /// <summary>Ends a held I/O.</summary>
    [DataPath]
    internal void AbortNow()
    {
        ((ErrorChannel)Channel).Remove(this);
        _held = false;
        Complete(BdevIoResult.Of(BdevIoStatus.Aborted));
    }

    private async Task ResetAsync()
    {
        _injection = null;
        await ((ErrorBdev)Io.Bdev).AbortHeldAsync();
        Forward();
    }
}
