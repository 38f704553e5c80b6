using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The log pages that say what a controller supports: commands, log pages, features.</summary>
internal static class EffectsLogs
{
    private const CommandEffects Supported = CommandEffects.CommandSupported;
    private const CommandEffects Writes = CommandEffects.CommandSupported | CommandEffects.LogicalBlockContentChange | CommandEffects.NamespaceScope;
    private const CommandEffects Reads = CommandEffects.CommandSupported | CommandEffects.NamespaceScope;

    private static readonly AdminOpcode[] s_adminCommands =
    [
        AdminOpcode.GetLogPage, AdminOpcode.Identify, AdminOpcode.Abort, AdminOpcode.SetFeatures, AdminOpcode.GetFeatures,
        AdminOpcode.AsynchronousEventRequest, AdminOpcode.KeepAlive,
    ];

    private static readonly LogPageIdentifier[] s_pages =
    [
        LogPageIdentifier.SupportedLogPages, LogPageIdentifier.ErrorInformation, LogPageIdentifier.SmartHealthInformation,
        LogPageIdentifier.FirmwareSlotInformation, LogPageIdentifier.ChangedNamespaceList, LogPageIdentifier.CommandsSupportedAndEffects,
        LogPageIdentifier.FeatureIdentifiersSupportedAndEffects, LogPageIdentifier.NvmeMiCommandsSupportedAndEffects,
    ];

    private static readonly LogPageIdentifier[] s_discoveryPages =
        [LogPageIdentifier.SupportedLogPages, LogPageIdentifier.FeatureIdentifiersSupportedAndEffects, LogPageIdentifier.Discovery];

    private static readonly FeatureIdentifier[] s_features =
    [
        FeatureIdentifier.Arbitration, FeatureIdentifier.PowerManagement, FeatureIdentifier.TemperatureThreshold, FeatureIdentifier.VolatileWriteCache,
        FeatureIdentifier.NumberOfQueues, FeatureIdentifier.HostIdentifier, FeatureIdentifier.HostBehaviorSupport,
    ];

    private static readonly FeatureIdentifier[] s_namespaceFeatures = [FeatureIdentifier.ErrorRecovery, FeatureIdentifier.WriteAtomicityNormal];
    private static readonly FeatureIdentifier[] s_discoveryFeatures = [FeatureIdentifier.KeepAliveTimer, FeatureIdentifier.AsynchronousEventConfiguration];

    /// <summary>Commands Supported and Effects of a command set.</summary>
    public static byte[] Commands(NvmfController controller, CommandSetIdentifier csi)
    {
        bool zoned = csi == CommandSetIdentifier.ZonedNamespace;
        byte[] page = new byte[4096];
        ref CommandsSupportedAndEffectsLogPage log = ref WireBuffer.Ref<CommandsSupportedAndEffectsLogPage>(page);
        foreach (AdminOpcode opcode in s_adminCommands) log.Acs[(int)opcode] = Supported | CommandEffects.ControllerScope;
        log.Iocs[(int)NvmOpcode.Flush] = Writes;
        log.Iocs[(int)NvmOpcode.Write] = Writes;
        log.Iocs[(int)NvmOpcode.Read] = Reads;
        OptionalNvmCommandSupport optional = IdentifyControllerData.SupportedCommands(controller.Subsystem);
        if ((optional & OptionalNvmCommandSupport.Compare) != 0) log.Iocs[(int)NvmOpcode.Compare] = Reads;
        if ((optional & OptionalNvmCommandSupport.WriteZeroes) != 0) log.Iocs[(int)NvmOpcode.WriteZeroes] = Writes;
        if ((optional & OptionalNvmCommandSupport.DatasetManagement) != 0) log.Iocs[(int)NvmOpcode.DatasetManagement] = Writes;
        if (!zoned) return page;
        log.Iocs[(int)ZonedOpcode.ZoneManagementSend] = Writes;
        log.Iocs[(int)ZonedOpcode.ZoneManagementReceive] = Reads;
        if (IdentifyZonedData.SupportsAppend(controller.Subsystem)) log.Iocs[(int)ZonedOpcode.ZoneAppend] = Writes;
        return page;
    }

    /// <summary>Supported Log Pages.</summary>
    public static byte[] SupportedPages(NvmfController controller)
    {
        byte[] page = new byte[1024];
        ref SupportedLogPagesLogPage log = ref WireBuffer.Ref<SupportedLogPagesLogPage>(page);
        foreach (LogPageIdentifier id in controller.Subsystem.IsDiscovery ? s_discoveryPages : s_pages) log[(int)id] = LogPageSupport.Supported;
        if (controller.Subsystem.Options.AnaReporting) log[(int)LogPageIdentifier.AsymmetricNamespaceAccess] = LogPageSupport.Supported;
        return page;
    }

    /// <summary>Feature Identifiers Supported and Effects.</summary>
    public static byte[] SupportedFeatures(NvmfController controller)
    {
        byte[] page = new byte[1024];
        ref FeatureIdentifiersEffectsLogPage log = ref WireBuffer.Ref<FeatureIdentifiersEffectsLogPage>(page);
        foreach (FeatureIdentifier id in s_discoveryFeatures) log[(int)id] = FeatureEffects.FeatureSupported | FeatureEffects.ControllerScope;
        if (controller.Subsystem.IsDiscovery) return page;
        foreach (FeatureIdentifier id in s_features) log[(int)id] = FeatureEffects.FeatureSupported | FeatureEffects.ControllerScope;
        foreach (FeatureIdentifier id in s_namespaceFeatures) log[(int)id] = FeatureEffects.FeatureSupported | FeatureEffects.NamespaceScope;
        return page;
    }
}
