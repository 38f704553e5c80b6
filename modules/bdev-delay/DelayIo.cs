using Spindle.Bdevs;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>One I/O, and its place among the delayed ones after the base has done it.</summary>
internal sealed class DelayIo(BdevIo io) : VirtualIo(io)
{
    internal DelayIo? Next;
    internal DelayIo? Previous;
    internal long Deadline;

    private DelayKind _kind;
    private bool _delayed;
    private BdevIoResult _result;

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        var type = Io.Type;
        if (type == BdevIoType.Read) _kind = ((DelayChannel)Channel).Pick(DelayKind.AverageRead);
        else if (type is BdevIoType.Write or BdevIoType.ZoneAppend) _kind = ((DelayChannel)Channel).Pick(DelayKind.AverageWrite);
        else if (type == BdevIoType.Reset) { _ = ResetAsync(); return; }
        else if (type == BdevIoType.Abort && AbortTarget() is DelayIo { _delayed: true } target)
        {
            target.AbortNow();
            Complete(BdevIoResult.Of(BdevIoStatus.Success));
            return;
        }
        Forward();
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnForwarded(in BdevIoResult result)
    {
        // A shortage is the host's to retry, and must not be delayed.
        if (Io.Type is BdevIoType.Read or BdevIoType.Write or BdevIoType.ZoneAppend && result.Status != BdevIoStatus.NoMemory && ((DelayChannel)Channel).Delay(this, _kind))
        {
            _delayed = true;
            _result = result;
            return;
        }
        if (Io.Type == BdevIoType.Reset) _ = EndResetAsync(result);
        else Complete(in result);
    }

    /// <summary>Its time has come.</summary>
    [DataPath]
    internal void End()
    {
        Leave();
        Complete(in _result);
    }

    /// <summary>Ends it before its time.</summary>
    [DataPath]
    internal void AbortNow()
    {
        Leave();
        Complete(BdevIoResult.Of(BdevIoStatus.Aborted));
    }

    [DataPath]
    private void Leave()
    {
        ((DelayChannel)Channel).Remove(this, _kind);
        _delayed = false;
    }

    // A reset is control-plane work: what is delayed is done as far as the base knows, so it is ended here.
    private async Task ResetAsync()
    {
        await ((DelayBdev)Io.Bdev).AbortDelayedAsync();
        Forward();
    }

    private async Task EndResetAsync(BdevIoResult result)
    {
        // What the base aborted came back, and was delayed, meanwhile.
        await ((DelayBdev)Io.Bdev).AbortDelayedAsync();
        Complete(in result);
    }
}
