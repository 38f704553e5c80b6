using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Zoned;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>Identify (NVMe Base Specification 2.0, section 5.17). The request's data is zeroed before.</summary>
internal static class IdentifyCommands
{
    private const uint HighestListStart = 0xFFFF_FFFD;

    /// <summary>Carries it out.</summary>
    /// <returns>The status.</returns>
    public static StatusField Execute(NvmfController controller, NvmfRequest request)
    {
        ref IdentifyCommand command = ref request.Command.As<IdentifyCommand>();
        if (request.Length < NvmeConstants.IdentifyDataSize) return AdminCommands.InvalidField;
        if (controller.Subsystem.IsDiscovery && command.Cns != IdentifyCns.Controller) return AdminCommands.InvalidField;
        switch (command.Cns)
        {
            case IdentifyCns.Controller:
                IdentifyController data = default;
                IdentifyControllerData.Fill(controller, ref data);
                Write(request, ref data);
                return StatusField.Success;
            case IdentifyCns.Namespace:
                return Namespace(controller, request);
            case IdentifyCns.ActiveNamespaceIdList:
                return ActiveList(controller, request, null);
            case IdentifyCns.IoCommandSetSpecificActiveNamespaceIdList:
                return IsEnabled(controller, command.Csi) ? ActiveList(controller, request, command.Csi) : AdminCommands.InvalidField;
            case IdentifyCns.NamespaceIdentificationDescriptorList:
                return Descriptors(controller, request);
            case IdentifyCns.IoCommandSetSpecificNamespace:
                return CommandSetNamespace(controller, request, command.Csi);
            case IdentifyCns.IoCommandSetSpecificController:
                return CommandSetController(controller, request, command.Csi);
            case IdentifyCns.IoCommandSetIndependentNamespace:
                return IndependentNamespace(controller, request);
            case IdentifyCns.IoCommandSet:
                return CommandSets(controller, request, command.Cntid);
            default:
                return AdminCommands.InvalidField;
        }
    }

    private static StatusField Namespace(NvmfController controller, NvmfRequest request)
    {
        StatusField status = Find(controller, request.Command.Nsid, out NvmfNamespace? ns);
        if (ns is null) return status;
        IdentifyNamespace data = default;
        IdentifyNamespaceData.Fill(controller, ns, ref data);
        Write(request, ref data);
        return status;
    }

    private static StatusField ActiveList(NvmfController controller, NvmfRequest request, CommandSetIdentifier? csi)
    {
        uint after = request.Command.Nsid;
        if (after > HighestListStart) return AdminCommands.InvalidNamespace;
        Span<uint> list = stackalloc uint[NvmeConstants.NamespaceListEntries];
        list.Clear();
        int count = 0;
        foreach (NvmfNamespace ns in controller.Subsystem.View.Namespaces)
        {
            if (ns.Nsid <= after || !controller.Shows(ns) || (csi is not null && csi != CommandSetOf(ns))) continue;
            list[count++] = ns.Nsid;
            if (count == list.Length) break;
        }
        RequestData.Write(request, MemoryMarshal.AsBytes(list));
        return StatusField.Success;
    }

    private static StatusField Descriptors(NvmfController controller, NvmfRequest request)
    {
        StatusField status = Find(controller, request.Command.Nsid, out NvmfNamespace? ns);
        if (ns is null) return status.IsSuccess ? AdminCommands.InvalidField : status;
        Span<byte> data = stackalloc byte[NvmeConstants.IdentifyDataSize];
        NamespaceIdentificationDescriptorWriter writer = new(data);
        Bytes8 eui64 = ns.Eui64;
        UuidBytes nguid = ns.Nguid;
        if (HasValue(eui64)) writer.TryAdd(NamespaceIdentifierType.Eui64, eui64);
        if (HasValue(nguid)) writer.TryAdd(NamespaceIdentifierType.Nguid, nguid);
        if (ns.Uuid != Guid.Empty) writer.TryAdd(ns.Uuid);
        writer.TryAdd(CommandSetOf(ns));
        RequestData.Write(request, data);
        return StatusField.Success;
    }

    private static StatusField CommandSetNamespace(NvmfController controller, NvmfRequest request, CommandSetIdentifier csi)
    {
        if (!IsEnabled(controller, csi)) return AdminCommands.InvalidField;
        StatusField status = Find(controller, request.Command.Nsid, out NvmfNamespace? ns);
        if (ns is null) return status.IsSuccess ? AdminCommands.InvalidNamespace : status;
        if (csi == CommandSetIdentifier.ZonedNamespace)
        {
            if (!ns.IsZoned) return new StatusField(CommandSpecificStatusCode.InvalidIoCommandSet, dnr: true);
            IdentifyNamespaceZoned zoned = default;
            IdentifyZonedData.Fill(ns, ref zoned);
            Write(request, ref zoned);
            return status;
        }
        // The zoned command set includes this one.
        IdentifyNamespaceNvm data = default;
        IdentifyNamespaceData.Fill(ns, ref data);
        Write(request, ref data);
        return status;
    }

    private static StatusField CommandSetController(NvmfController controller, NvmfRequest request, CommandSetIdentifier csi)
    {
        if (!IsEnabled(controller, csi)) return AdminCommands.InvalidField;
        if (csi == CommandSetIdentifier.ZonedNamespace)
        {
            IdentifyControllerZoned zoned = default;
            IdentifyZonedData.Fill(controller, ref zoned);
            Write(request, ref zoned);
            return StatusField.Success;
        }
        IdentifyControllerNvm data = default;
        IdentifyControllerData.Fill(controller.Subsystem.Options, ref data);
        Write(request, ref data);
        return StatusField.Success;
    }

    private static StatusField IndependentNamespace(NvmfController controller, NvmfRequest request)
    {
        StatusField status = Find(controller, request.Command.Nsid, out NvmfNamespace? ns);
        if (ns is null) return status;
        IdentifyNamespaceIndependent data = default;
        data.Nmic = NamespaceSharing.Shared;
        data.Anagrpid = controller.Subsystem.Options.AnaReporting ? ns.AnaGroupId : 0;
        data.Nstat = 1;
        Write(request, ref data);
        return status;
    }

    private static StatusField CommandSets(NvmfController controller, NvmfRequest request, ushort cntid)
    {
        if (cntid != ushort.MaxValue && cntid != controller.Cntlid) return AdminCommands.InvalidField;
        // The one combination that there is, of what CAP.CSS offers.
        IoCommandSetVector vector = IoCommandSetVector.Nvm;
        if (controller.Registers.OffersAllCommandSets) vector |= IoCommandSetVector.ZonedNamespace;
        RequestData.Write(request, MemoryMarshal.AsBytes(new Span<IoCommandSetVector>(ref vector)));
        return StatusField.Success;
    }

    /// <summary>Finds a namespace: none and success for an NSID that is valid and not active, whose data is all zeroes.</summary>
    private static StatusField Find(NvmfController controller, uint nsid, out NvmfNamespace? ns)
    {
        ns = null;
        if (nsid == 0 || nsid > controller.Subsystem.Options.MaxNamespaces) return AdminCommands.InvalidNamespace;
        ns = controller.Subsystem.View.FindNamespace(nsid);
        if (ns is not null && !controller.Shows(ns)) ns = null;
        return StatusField.Success;
    }

    private static CommandSetIdentifier CommandSetOf(NvmfNamespace ns) => ns.IsZoned ? CommandSetIdentifier.ZonedNamespace : CommandSetIdentifier.Nvm;

    private static bool IsEnabled(NvmfController controller, CommandSetIdentifier csi) =>
        csi == CommandSetIdentifier.Nvm || (csi == CommandSetIdentifier.ZonedNamespace && controller.Registers.AllCommandSets);

    private static bool HasValue(ReadOnlySpan<byte> bytes) => bytes.ContainsAnyExcept((byte)0);

    private static void Write<T>(NvmfRequest request, ref T data) where T : unmanaged =>
        RequestData.Write(request, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref data)));
}
