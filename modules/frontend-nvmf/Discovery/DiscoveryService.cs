using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Discovery;

/// <summary>The discovery log page: which subsystems a host may connect to, and where. On the app thread.</summary>
internal sealed class DiscoveryService(NvmfTarget target)
{
    private const int EntrySize = 1024;

    /// <summary>Generation counter: one more with each change.</summary>
    public ulong Generation { get; private set; }

    /// <summary>What hosts may see has changed: those who listen are told.</summary>
    public void OnChanged()
    {
        Generation++;
        foreach (NvmfSubsystem subsystem in target.Subsystems)
        {
            if (!subsystem.IsDiscovery) continue;
            foreach (NvmfController controller in subsystem.Controllers) controller.PostDiscoveryChanged();
        }
    }

    /// <summary>Makes the whole log page for a host that asks at an address.</summary>
    public byte[] Build(string hostNqn, NvmfTransportAddress askedAt)
    {
        List<(NvmfSubsystem Subsystem, SubsystemListener Listener)> visible = [];
        foreach (NvmfSubsystem subsystem in target.Subsystems)
        {
            if (subsystem.IsDeleting || !subsystem.View.AllowsHost(hostNqn)) continue;
            foreach (SubsystemListener listener in subsystem.Listeners)
            {
                if (listener.IsActive && IsShown(listener.Address, askedAt)) visible.Add((subsystem, listener));
            }
        }

        byte[] page = new byte[EntrySize * (1 + visible.Count)];
        DiscoveryLogPageHeader header = new() { Genctr = Generation, Numrec = (ulong)visible.Count };
        WireBuffer.Write(page, in header);
        for (int i = 0; i < visible.Count; i++) Write(page.AsSpan(EntrySize * (i + 1), EntrySize), visible[i].Subsystem, visible[i].Listener);
        return page;
    }

    private bool IsShown(NvmfTransportAddress listener, NvmfTransportAddress askedAt)
    {
        DiscoveryFilter filter = target.Configuration.DiscoveryFilter;
        if ((filter & DiscoveryFilter.Transport) != 0 && listener.TransportType != askedAt.TransportType) return false;
        if ((filter & DiscoveryFilter.Address) != 0
            && (listener.AddressFamily != askedAt.AddressFamily || !string.Equals(listener.Address, askedAt.Address, StringComparison.OrdinalIgnoreCase))) return false;
        return (filter & DiscoveryFilter.ServiceId) == 0 || string.Equals(listener.ServiceId, askedAt.ServiceId, StringComparison.OrdinalIgnoreCase);
    }

    private static void Write(Span<byte> target, NvmfSubsystem subsystem, SubsystemListener listener)
    {
        ref DiscoveryLogPageEntry entry = ref WireBuffer.Ref<DiscoveryLogPageEntry>(target);
        entry.Trtype = listener.Address.TransportType;
        entry.Adrfam = listener.Address.AddressFamily;
        entry.Subtype = subsystem.IsDiscovery ? SubsystemType.CurrentDiscovery : SubsystemType.NvmSubsystem;
        entry.Treq = listener.SecureChannel ? TransportRequirements.SecureChannelRequired : TransportRequirements.SecureChannelNotRequired;
        entry.Portid = listener.PortId;
        entry.Cntlid = Nvme.Commands.NvmeConstants.DynamicControllerId;
        entry.Asqsz = (ushort)Math.Min(listener.Transport.Options.MaxAdminQueueDepth, ushort.MaxValue);
        if (subsystem.IsDiscovery) entry.Eflags = DiscoveryEntryFlags.DuplicateReturnedInformation | DiscoveryEntryFlags.ExplicitPersistentConnection;
        AsciiField.Write(entry.Trsvcid, listener.Address.ServiceId);
        AsciiField.Write(entry.Traddr, listener.Address.Address);
        Nqn.Write(entry.Subnqn, subsystem.Nqn);
    }
}
