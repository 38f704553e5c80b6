using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The Abort command (NVMe Base Specification 2.0, section 5.1): goes to the thread of the queue that is named, tries there, comes back.
/// Bit 0 of the result is cleared when the command was aborted.</summary>
internal static class AbortCommands
{
    /// <summary>Abort commands that a host may have outstanding (ACL + 1).</summary>
    public const int Limit = 4;

    private const uint NotAborted = 1;

    private static readonly StorageMessage s_onQueueThread = static state => ((Operation)state!).OnQueueThread();
    private static readonly StorageMessage s_finish = static state => ((Operation)state!).Finish();
    private static readonly BdevIoCallback s_bdevAborted = static (object? state, in BdevIoResult result) => ((Operation)state!).End(result.IsSuccess);

    /// <summary>Carries it out.</summary>
    public static void Execute(NvmfController controller, NvmfRequest request)
    {
        ref AbortCommand command = ref request.Command.As<AbortCommand>();
        if (controller.AbortsOutstanding >= Limit)
        {
            request.Complete(new StatusField(CommandSpecificStatusCode.AbortCommandLimitExceeded));
            return;
        }
        NvmfQueuePair? queuePair = controller.Queues.Find(command.AbortSqid);
        if (queuePair is null)
        {
            Answer(request, aborted: false);
        }
        else if (queuePair.Qid == 0)
        {
            Answer(request, controller.Events.Abort(command.AbortCid));
        }
        else
        {
            controller.AbortsOutstanding++;
            queuePair.Group.Thread.Send(s_onQueueThread, new Operation(controller, request, queuePair, command.AbortCid));
        }
    }

    private static void Answer(NvmfRequest request, bool aborted)
    {
        request.Completion.Cdw0 = aborted ? 0 : NotAborted;
        request.Complete(StatusField.Success);
    }

    /// <summary>An Abort under way.</summary>
    private sealed class Operation(NvmfController controller, NvmfRequest abort, NvmfQueuePair queuePair, ushort cid)
    {
        private bool _aborted;

        public void OnQueueThread()
        {
            NvmfRequest? target = Find();
            if (target is null)
            {
                End(queuePair.State == NvmfQueuePairState.Enabled && queuePair.TryAbort(cid));
                return;
            }
            if (target.State == NvmfRequestState.HeldForFused)
            {
                target.Complete(new StatusField(GenericStatusCode.CommandAbortRequested));
                End(true);
                return;
            }
            if (target.Namespace is not { } channel || channel.Channel.Abort(target, s_bdevAborted, this) != 0) End(false);
        }

        public void End(bool aborted)
        {
            _aborted = aborted;
            controller.Thread.Send(s_finish, this);
        }

        public void Finish()
        {
            controller.AbortsOutstanding--;
            Answer(abort, _aborted);
        }

        private NvmfRequest? Find()
        {
            for (NvmfRequest? request = queuePair.FirstOutstanding; request is not null; request = request.Next)
            {
                if (request.Command.Cid == cid) return request;
            }
            return null;
        }
    }
}
