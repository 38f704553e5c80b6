using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>What Get Features and Set Features check alike.</summary>
internal static class FeatureScope
{
    private const byte HighestTemperatureSensor = 8;
    private const byte AllTemperatureSensors = 15;

    /// <summary>Checks a command's NSID against its feature's scope and the namespace's ANA state.</summary>
    public static StatusField CheckNamespace(NvmfController controller, FeatureIdentifier feature, uint nsid, bool isSet)
    {
        if (nsid == 0) return StatusField.Success;
        bool broadcast = nsid == NvmeConstants.BroadcastNsid;
        if (!broadcast && nsid > controller.Subsystem.Options.MaxNamespaces) return AdminCommands.InvalidNamespace;
        bool ofNamespace = IsNamespaceSpecific(feature);
        if (isSet && !broadcast && !ofNamespace) return new StatusField(CommandSpecificStatusCode.FeatureNotNamespaceSpecific, dnr: true);
        if (!ofNamespace || broadcast) return StatusField.Success;
        NvmfNamespace? ns = controller.Subsystem.View.FindNamespace(nsid);
        if (ns is null || !controller.Shows(ns)) return AdminCommands.InvalidField;
        return AnaStatus(controller.GetAnaState(ns.AnaGroupId));
    }

    /// <summary>The path status of commands to a namespace in an ANA state; success where they may be carried out.</summary>
    [DataPath]
    public static StatusField AnaStatus(AnaState state) => state switch
    {
        AnaState.Optimized or AnaState.NonOptimized => StatusField.Success,
        AnaState.PersistentLoss => new StatusField(PathStatusCode.AsymmetricAccessPersistentLoss),
        AnaState.Change => new StatusField(PathStatusCode.AsymmetricAccessTransition),
        _ => new StatusField(PathStatusCode.AsymmetricAccessInaccessible),
    };

    /// <summary>Number of Queues, dword 0: as many as the transport allows, 0's based.</summary>
    public static uint NumberOfQueues(NvmfController controller)
    {
        ushort queues = (ushort)(controller.Transport.Options.MaxIoQueuePairsPerController - 1);
        return new NumberOfQueues(queues, queues).Raw;
    }

    /// <summary>Temperature Threshold's dword 11 names a sensor and a threshold that there may be.</summary>
    public static bool IsTemperatureSelectionValid(uint cdw11)
    {
        byte sensor = FeatureBits.TemperatureSensorSelect(cdw11);
        return (sensor <= HighestTemperatureSensor || sensor == AllTemperatureSensors) && FeatureBits.TemperatureThresholdType(cdw11) <= 1;
    }

    private static bool IsNamespaceSpecific(FeatureIdentifier feature) =>
        feature is FeatureIdentifier.ErrorRecovery or FeatureIdentifier.LbaRangeType or FeatureIdentifier.WriteAtomicityNormal
            or FeatureIdentifier.ReservationNotificationMask or FeatureIdentifier.ReservationPersistence or FeatureIdentifier.NamespaceWriteProtectionConfig;
}
