using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>Admin commands: those of every controller, and those that discovery controllers do not have. On the controller's thread.</summary>
internal static class AdminCommands
{
    /// <summary>Invalid Field in Command, do not retry.</summary>
    public static StatusField InvalidField { get; } = new(GenericStatusCode.InvalidFieldInCommand, dnr: true);

    /// <summary>Invalid Namespace or Format, do not retry.</summary>
    public static StatusField InvalidNamespace { get; } = new(GenericStatusCode.InvalidNamespaceOrFormat, dnr: true);

    /// <summary>Carries out an admin command.</summary>
    public static void Execute(NvmfController controller, NvmfRequest request)
    {
        ref SubmissionQueueEntry command = ref request.Command;
        AdminOpcode opcode = (AdminOpcode)command.Opcode;
        if (command.Fuse != FusedOperation.Normal || (IsControllerScoped(opcode) && command.Nsid != 0))
        {
            request.Complete(InvalidField);
            return;
        }
        if (!controller.Registers.Configuration.En)
        {
            request.Complete(new StatusField(GenericStatusCode.CommandSequenceError, dnr: true));
            return;
        }
        if (request.Direction == DataTransferDirection.ControllerToHost) RequestData.Clear(request);
        if (controller.Subsystem.IsDiscovery) controller.KeepAlive.Touch();

        switch (opcode)
        {
            case AdminOpcode.Identify:
                request.Complete(IdentifyCommands.Execute(controller, request));
                break;
            case AdminOpcode.GetLogPage:
                LogPageCommands.Execute(controller, request);
                break;
            case AdminOpcode.GetFeatures:
                request.Complete(GetFeatures.Execute(controller, request));
                break;
            case AdminOpcode.SetFeatures:
                request.Complete(SetFeatures.Execute(controller, request));
                break;
            case AdminOpcode.AsynchronousEventRequest:
                controller.Events.Add(request);
                break;
            case AdminOpcode.KeepAlive:
                controller.KeepAlive.Touch();
                request.Complete(StatusField.Success);
                break;
            case AdminOpcode.Abort when !controller.Subsystem.IsDiscovery:
                AbortCommands.Execute(controller, request);
                break;
            default:
                request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
                break;
        }
    }

    private static bool IsControllerScoped(AdminOpcode opcode) =>
        opcode is AdminOpcode.Abort or AdminOpcode.AsynchronousEventRequest or AdminOpcode.KeepAlive;
}
