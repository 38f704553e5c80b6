using Spindle.Bdevs;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <content>Resets and aborts, which go by the admin queue: on the app thread, and back by a message.</content>
internal sealed partial class NvmeIo
{
    private Controllers.NvmeController? _abortAt;
    private ushort _abortQid, _abortIdentifier;
    private BdevIoStatus _outcome;

    private void StartReset() => _ = _channel.AppThread.InvokeAsync(ResetAsync);

    private async Task ResetAsync()
    {
        bool came = await _bdev.ResetControllersAsync();
        Tell(came ? BdevIoStatus.Success : BdevIoStatus.Failed);
    }

    private void StartAbort()
    {
        var target = _io.AbortTarget?.Context as NvmeIo;
        if (target is null || _io.AbortTarget!.Generation != _io.AbortGeneration)
        {
            _io.Complete(_generation, BdevIoStatus.Success); // it has ended
        }
        else if (target._isWaiting)
        {
            target.Cancel();
            _io.Complete(_generation, BdevIoStatus.Success);
        }
        else if (target._command is { IsOutstanding: true } command && target._path.Channel.Queue is { } queue)
        {
            target._abortRequested = true;
            _abortAt = target._path.Namespace.Controller;
            _abortQid = target._path.Channel.Qid;
            _abortIdentifier = queue.IdentifierOf(command);
            // The controller must have the command to abort it.
            queue.Flush();
            _ = _channel.AppThread.InvokeAsync(AbortAsync);
        }
        else
        {
            _io.Complete(_generation, BdevIoStatus.Failed);
        }
    }

    private async Task AbortAsync()
    {
        bool aborted = await _abortAt!.AbortAsync(_abortQid, _abortIdentifier);
        _abortAt = null;
        Tell(aborted ? BdevIoStatus.Success : BdevIoStatus.Failed);
    }

    private void Tell(BdevIoStatus status)
    {
        _outcome = status;
        _channel.OwnThread.Send(static state =>
        {
            var self = (NvmeIo)state!;
            self._io.Complete(self._generation, self._outcome);
        }, this);
    }

    private void Cancel()
    {
        _channel.Unlink(this);
        End(BdevIoResult.Of(BdevIoStatus.Aborted));
    }
}
