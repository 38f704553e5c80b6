using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Discovery;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>Get Log Page (NVMe Base Specification 2.0, section 5.16). The request's data is zeroed before.</summary>
internal static class LogPageCommands
{
    /// <summary>Carries it out.</summary>
    public static void Execute(NvmfController controller, NvmfRequest request)
    {
        ref GetLogPageCommand command = ref request.Command.As<GetLogPageCommand>();
        LogPageIdentifier page = command.Lid;
        ulong length = command.LengthInBytes;
        ulong offset = command.Lpo;
        uint nsid = request.Command.Nsid;
        // Offsets count bytes here (index offsets are not announced), in dwords; all pages belong to the controller or the subsystem.
        if (request.Direction == DataTransferDirection.None || length > request.Length || (offset & 3) != 0 || command.OffsetType
            || (nsid != 0 && nsid != NvmeConstants.BroadcastNsid))
        {
            request.Complete(AdminCommands.InvalidField);
            return;
        }
        if (page == LogPageIdentifier.Discovery && controller.Subsystem.IsDiscovery)
        {
            DiscoveryLogRequest.Start(controller, request, offset, length, command.RetainAsynchronousEvent);
            return;
        }
        // One that is enabled; others have no commands here.
        CommandSetIdentifier csi = CommandSet(controller, ref command);
        if (page == LogPageIdentifier.CommandsSupportedAndEffects && csi is not (CommandSetIdentifier.Nvm or CommandSetIdentifier.ZonedNamespace))
        {
            request.Complete(AdminCommands.InvalidField);
            return;
        }
        byte[]? contents = controller.Subsystem.IsDiscovery ? BuildForDiscovery(controller, page) : Build(controller, page, command.Lsp, csi);
        if (contents is null || offset >= (ulong)contents.Length)
        {
            request.Complete(contents is null ? new StatusField(CommandSpecificStatusCode.InvalidLogPage, dnr: true) : AdminCommands.InvalidField);
            return;
        }
        RequestData.WritePart(request, contents, offset, length);
        OnRead(controller, page, command.RetainAsynchronousEvent);
        request.Complete(StatusField.Success);
    }

    /// <summary>The command set that a page is asked for; the field means nothing to a host that has not enabled all of them.</summary>
    private static CommandSetIdentifier CommandSet(NvmfController controller, ref GetLogPageCommand command) =>
        controller.Registers.AllCommandSets ? command.Csi : CommandSetIdentifier.Nvm;

    private static void OnRead(NvmfController controller, LogPageIdentifier page, bool retain)
    {
        switch (page)
        {
            case LogPageIdentifier.ChangedNamespaceList:
                controller.ChangedNamespaces.Clear();
                if (!retain) controller.Events.Clear(AsynchronousEvent.NamespaceAttributeChanged);
                break;
            case LogPageIdentifier.AsymmetricNamespaceAccess when !retain:
                controller.Events.Clear(AsynchronousEvent.AsymmetricNamespaceAccessChange);
                break;
        }
    }

    private static byte[]? BuildForDiscovery(NvmfController controller, LogPageIdentifier page) => page switch
    {
        LogPageIdentifier.SupportedLogPages => EffectsLogs.SupportedPages(controller),
        LogPageIdentifier.FeatureIdentifiersSupportedAndEffects => EffectsLogs.SupportedFeatures(controller),
        _ => null,
    };

    private static byte[]? Build(NvmfController controller, LogPageIdentifier page, byte parameter, CommandSetIdentifier csi) => page switch
    {
        LogPageIdentifier.SupportedLogPages => EffectsLogs.SupportedPages(controller),
        // No entry is in use: every error is told in the completion of its command.
        LogPageIdentifier.ErrorInformation => new byte[128 * 64],
        LogPageIdentifier.SmartHealthInformation => Health(),
        LogPageIdentifier.FirmwareSlotInformation => FirmwareSlots(),
        LogPageIdentifier.ChangedNamespaceList => ChangedNamespaces(controller),
        LogPageIdentifier.CommandsSupportedAndEffects => EffectsLogs.Commands(controller, csi),
        LogPageIdentifier.AsymmetricNamespaceAccess when controller.Subsystem.Options.AnaReporting =>
            AnaLog.Build(controller, groupsOnly: (parameter & AnaLogSpecificParameter.ReturnGroupsOnly) != 0),
        LogPageIdentifier.FeatureIdentifiersSupportedAndEffects => EffectsLogs.SupportedFeatures(controller),
        LogPageIdentifier.NvmeMiCommandsSupportedAndEffects => new byte[4096],
        _ => null,
    };

    private static byte[] Health()
    {
        // There is no drive whose health could be told; spare 100% keeps hosts from warning of a worn one.
        SmartHealthInformationLogPage health = default;
        health.AvailableSpare = 100;
        return WireBuffer.AsBytes(ref health).ToArray();
    }

    private static byte[] FirmwareSlots()
    {
        FirmwareSlotInformationLogPage slots = default;
        slots.Afi = 1;
        AsciiField.Write(slots.Frs[0], IdentifyControllerData.FirmwareRevision);
        return WireBuffer.AsBytes(ref slots).ToArray();
    }

    private static byte[] ChangedNamespaces(NvmfController controller)
    {
        byte[] page = new byte[ChangedNamespaceListLogPage.Size];
        controller.ChangedNamespaces.Write(MemoryMarshal.Cast<byte, uint>(page.AsSpan()));
        return page;
    }
}
