using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;

namespace Spindle.Frontend.Nvmf.Commands.Fabrics;

/// <summary>Fabrics commands, on every kind of queue.</summary>
internal static class FabricsCommands
{
    /// <summary>Carries out a fabrics command.</summary>
    public static void Execute(NvmfQueuePair queuePair, NvmfRequest request)
    {
        ref SubmissionQueueEntry command = ref request.Command;
        if (command.Fuse != FusedOperation.Normal)
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true));
            return;
        }
        bool isConnect = command.Fctype == FabricsCommandType.Connect;
        if (queuePair.State != (isConnect ? NvmfQueuePairState.Uninitialized : NvmfQueuePairState.Enabled))
        {
            request.Complete(new StatusField(GenericStatusCode.CommandSequenceError, dnr: true));
            return;
        }
        switch (command.Fctype)
        {
            case FabricsCommandType.Connect:
                ConnectCommandHandler.Execute(queuePair, request);
                break;
            case FabricsCommandType.PropertyGet when queuePair.Qid == 0:
                PropertyCommands.Get(queuePair.Controller!, request);
                break;
            case FabricsCommandType.PropertySet when queuePair.Qid == 0:
                PropertyCommands.Set(queuePair.Controller!, request);
                break;
            case FabricsCommandType.Disconnect:
                Disconnect(queuePair, request);
                break;
            default:
                request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
                break;
        }
    }

    private static void Disconnect(NvmfQueuePair queuePair, NvmfRequest request)
    {
        if (queuePair.Qid == 0)
        {
            request.Complete(new StatusField(FabricsStatusCode.InvalidQueueType, dnr: true));
            return;
        }
        if (request.Command.As<DisconnectCommand>().Recfmt != 0)
        {
            request.Complete(new StatusField(FabricsStatusCode.ConnectIncompatibleFormat, dnr: true));
            return;
        }
        request.Complete(StatusField.Success);
        queuePair.Disconnect("the host asked for it");
    }
}
