using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;

namespace Spindle.Bdev.Nvme.Namespaces;

/// <summary>Finds out what namespaces a controller has now, and what has become of those it had. On the app thread.</summary>
internal static class NamespaceScan
{
    private const int MaxNamespaces = 8192;
    private const uint AnaPiece = 4096, MaxAnaLog = 256 * 1024;

    /// <summary>Reads the Changed Namespace List, which lets the controller report the next change.</summary>
    internal static async Task AcknowledgeAsync(ControllerSession session)
    {
        try
        {
            await session.GetLogPageAsync(LogPageIdentifier.ChangedNamespaceList, 0, ChangedNamespaceListLogPage.Size);
        }
        catch (Spindle.Nvme.Initiator.Admin.NvmeStatusException)
        {
            // A controller without that log page; all namespaces are looked at anyway.
        }
    }

    /// <summary>Looks at all namespaces, or at the access states alone.</summary>
    internal static async Task RunAsync(NvmeController controller, ControllerSession session, bool namespaces, ILogger log)
    {
        if (namespaces)
        {
            var active = await ListAsync(session);
            foreach (var gone in controller.Namespaces.Values.Where(n => !active.Contains(n.Nsid)).ToArray()) controller.Group.RemoveNamespace(gone);
            foreach (uint nsid in active) await LookAtAsync(controller, session, nsid, log);
        }
        if (session.HasAna) await ReadAnaAsync(controller, session);
    }

    private static async Task<SortedSet<uint>> ListAsync(ControllerSession session)
    {
        var found = new SortedSet<uint>();
        uint last = 0;
        while (found.Count < MaxNamespaces)
        {
            byte[] list = await session.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, last);
            for (int i = 0; i < NvmeConstants.NamespaceListEntries; i++)
            {
                uint nsid = BinaryPrimitives.ReadUInt32LittleEndian(list.AsSpan(i * 4));
                if (nsid == 0) return found;
                // In ascending order (NVMe Base Specification 2.0, 5.17.2.2); anything else would go round for ever.
                if (nsid <= last || nsid == NvmeConstants.BroadcastNsid) throw new SpindleException(Errno.EPROTO, $"Its list of namespaces has {nsid} after {last}.");
                found.Add(last = nsid);
            }
        }
        return found;
    }

    private static async Task LookAtAsync(NvmeController controller, ControllerSession session, uint nsid, ILogger log)
    {
        byte[] data = await session.IdentifyAsync(IdentifyCns.Namespace, nsid);
        byte[] descriptors = [];
        try
        {
            descriptors = await session.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, nsid);
        }
        catch (Spindle.Nvme.Initiator.Admin.NvmeStatusException)
        {
            // From before they were mandatory (1.3).
        }
        var info = NamespaceInfo.Parse(nsid, data, descriptors, out string why);
        if (info is null)
        {
            log.LogWarning("{Controller}: namespace {Nsid} is passed over: {Why}", controller, nsid, why);
            if (controller.Namespaces.TryGetValue(nsid, out var before)) controller.Group.RemoveNamespace(before);
            return;
        }
        controller.Group.AddNamespace(controller, info);
    }

    private static async Task ReadAnaAsync(NvmeController controller, ControllerSession session)
    {
        // The page's length is not told; it is read to the bytes that its largest form has (NVMe Base Specification 2.0, 5.16.1.13).
        ulong most = 16 + (ulong)session.Identify.Nanagrpid * 32 + (ulong)Math.Max(session.Identify.Nn, session.Identify.Mnan) * 4;
        uint length = (uint)Math.Min((most + 3) / 4 * 4, MaxAnaLog);
        byte[] log = new byte[length];
        for (uint at = 0; at < length; at += AnaPiece)
        {
            uint part = Math.Min(AnaPiece, length - at);
            (await session.GetLogPageAsync(LogPageIdentifier.AsymmetricNamespaceAccess, at, part, retain: at > 0)).CopyTo(log, at);
            // What is all zero ends it: descriptors have an identifier.
            if (at > 0 && log.AsSpan((int)at, (int)part).IndexOfAnyExcept((byte)0) < 0) break;
        }
        foreach (var (nsid, state) in AnaLog.Parse(log))
            if (controller.Namespaces.TryGetValue(nsid, out var path)) path.AnaState = state;
        foreach (var path in controller.Namespaces.Values) path.AnaIsStale = false;
    }
}
