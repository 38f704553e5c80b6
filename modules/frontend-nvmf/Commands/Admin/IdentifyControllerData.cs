using System.Numerics;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The contents of Identify Controller.</summary>
internal static class IdentifyControllerData
{
    private const uint PageSize = 4096;
    private const byte ErrorLogEntries = 128;
    private const byte AnaTransitionSeconds = 10;
    // Thresholds that the specification recommends to controllers without sensors of their own: 343 K and 373 K.
    private const ushort WarningTemperature = 0x0157;
    private const ushort CriticalTemperature = 0x0175;

    /// <summary>The firmware revision: the module's version, at most 8 characters.</summary>
    public static string FirmwareRevision { get; } = Revision();

    /// <summary>Fills the structure, which is zeroed before.</summary>
    public static void Fill(NvmfController controller, ref IdentifyController data)
    {
        NvmfSubsystem subsystem = controller.Subsystem;
        NvmfTransportOptions options = controller.Transport.Options;
        AsciiField.Write(data.Fr, FirmwareRevision);
        data.Mdts = (byte)BitOperations.Log2(Math.Max(options.MaxIoSize / PageSize, 1));
        data.Cntlid = controller.Cntlid;
        data.Ver = ControllerRegisters.Version.Raw;
        data.Cntrltype = controller.Type;
        data.Aerl = AsynchronousEventQueue.Limit - 1;
        data.Lpa = LogPageAttributes.ExtendedData;
        data.Elpe = ErrorLogEntries - 1;
        data.Maxcmd = (ushort)Math.Min(options.MaxQueueDepth, ushort.MaxValue);
        data.Sgls = SglSupport.Supported | SglSupport.OffsetAddress | SglSupport.TransportDataBlockDescriptor;
        data.Kas = options.KeepAliveGranularity;
        data.Ioccsz = (SubmissionQueueEntrySize + options.InCapsuleDataSize) / 16;
        data.Iorcsz = NvmeConstants.CompletionQueueEntrySize / 16;
        data.Msdbd = 1;
        data.Ofcs = OptionalFabricsCommands.Disconnect;
        Nqn.Write(data.Subnqn, subsystem.Nqn);
        if (subsystem.IsDiscovery) data.Oaes = AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification;
        else FillIo(controller, subsystem, ref data);
        controller.Transport.DescribeController(ref data);
    }

    /// <summary>Fills the NVM command set's own structure.</summary>
    public static void Fill(SubsystemOptions options, ref IdentifyControllerNvm data)
    {
        // WZSL is a power of two of 4 KiB pages; DMRSL counts logical blocks, of 512 bytes at least.
        if (options.MaxWriteZeroesSizeKib != 0) data.Wzsl = (byte)BitOperations.Log2(Math.Max(options.MaxWriteZeroesSizeKib / 4, 1));
        data.Dmrsl = (uint)Math.Min(options.MaxDiscardSizeKib * 2, uint.MaxValue);
        data.Dmrl = 0;
    }

    /// <summary>The optional I/O commands that the subsystem's namespaces carry out, all of them.</summary>
    public static OptionalNvmCommandSupport SupportedCommands(NvmfSubsystem subsystem)
    {
        OptionalNvmCommandSupport supported = OptionalNvmCommandSupport.Compare | OptionalNvmCommandSupport.WriteZeroes | OptionalNvmCommandSupport.DatasetManagement;
        foreach (NvmfNamespace ns in subsystem.View.Namespaces)
        {
            if (!ns.Bdev.Supports(BdevIoType.Unmap)) supported &= ~OptionalNvmCommandSupport.DatasetManagement;
        }
        return supported;
    }

    private const uint SubmissionQueueEntrySize = NvmeConstants.SubmissionQueueEntrySize;

    private static void FillIo(NvmfController controller, NvmfSubsystem subsystem, ref IdentifyController data)
    {
        AsciiField.Write(data.Sn, subsystem.Options.SerialNumber);
        AsciiField.Write(data.Mn, subsystem.Options.ModelNumber);
        data.Rab = 6;
        data.Cmic = ControllerMultiPathCapabilities.MultiplePorts | ControllerMultiPathCapabilities.MultipleControllers;
        data.Oaes = AsynchronousEventConfiguration.NamespaceAttributeNotices;
        data.Ctratt = ControllerAttributes.HostIdentifier128Bit;
        data.Crdt1 = controller.Target.Configuration.RetryDelays[0];
        data.Crdt2 = controller.Target.Configuration.RetryDelays[1];
        data.Crdt3 = controller.Target.Configuration.RetryDelays[2];
        data.Acl = AbortCommands.Limit - 1;
        // One firmware slot, read only.
        data.Frmw = 1 | 1 << 1;
        data.Lpa |= LogPageAttributes.CommandsSupportedAndEffects | LogPageAttributes.SupportedLogPages;
        data.Wctemp = WarningTemperature;
        data.Cctemp = CriticalTemperature;
        data.Sqes = 0x66;
        data.Cqes = 0x44;
        data.Nn = subsystem.Options.MaxNamespaces;
        data.Oncs = SupportedCommands(subsystem);
        data.Fuses = FusedOperationSupport.CompareAndWrite;
        data.Vwc = VolatileWriteCacheAttributes.Present | VolatileWriteCacheAttributes.FlushBroadcastNotSupported;
        if (!subsystem.Options.AnaReporting) return;
        data.Mnan = subsystem.Options.MaxNamespaces;
        data.Cmic |= ControllerMultiPathCapabilities.AsymmetricNamespaceAccessReporting;
        data.Oaes |= AsynchronousEventConfiguration.AsymmetricNamespaceAccessChangeNotices;
        data.Anatt = AnaTransitionSeconds;
        data.Anacap = AsymmetricNamespaceAccessCapabilities.Optimized | AsymmetricNamespaceAccessCapabilities.NonOptimized
            | AsymmetricNamespaceAccessCapabilities.Inaccessible | AsymmetricNamespaceAccessCapabilities.AnagrpidDoesNotChange;
        data.Anagrpmax = subsystem.Options.MaxNamespaces;
        data.Nanagrpid = subsystem.Options.MaxNamespaces;
    }

    private static string Revision()
    {
        string version = typeof(IdentifyControllerData).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
        return version.Length > 8 ? version[..8] : version;
    }
}
