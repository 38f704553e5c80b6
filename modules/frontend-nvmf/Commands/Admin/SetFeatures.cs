using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>Set Features (NVMe Base Specification 2.0, section 5.27).</summary>
internal static class SetFeatures
{
    private const AsynchronousEventConfiguration SupportedEvents = AsynchronousEventConfiguration.SmartCriticalWarningMask
        | AsynchronousEventConfiguration.NamespaceAttributeNotices | AsynchronousEventConfiguration.AsymmetricNamespaceAccessChangeNotices
        | AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification;

    private const uint PowerStateMask = 0x1F;
    private const uint ArbitrationReservedMask = 0xF8;

    /// <summary>Carries it out.</summary>
    /// <returns>The status.</returns>
    public static StatusField Execute(NvmfController controller, NvmfRequest request)
    {
        ref SetFeaturesCommand command = ref request.Command.As<SetFeaturesCommand>();
        if (command.Sv) return new StatusField(CommandSpecificStatusCode.FeatureIdentifierNotSaveable, dnr: true);
        StatusField status = FeatureScope.CheckNamespace(controller, command.Fid, request.Command.Nsid, isSet: true);
        return status.IsSuccess ? Write(controller, request, command.Fid, request.Command.Cdw11) : status;
    }

    private static StatusField Write(NvmfController controller, NvmfRequest request, FeatureIdentifier feature, uint value)
    {
        ControllerFeatures features = controller.Features;
        switch (feature)
        {
            case FeatureIdentifier.KeepAliveTimer:
                return KeepAliveTimer(controller, value);
            case FeatureIdentifier.AsynchronousEventConfiguration:
                features.Events = (AsynchronousEventConfiguration)value & SupportedEvents;
                return StatusField.Success;
            case var _ when controller.Subsystem.IsDiscovery:
                return AdminCommands.InvalidField;
            case FeatureIdentifier.Arbitration:
                features.Arbitration = value & ~ArbitrationReservedMask;
                return StatusField.Success;
            case FeatureIdentifier.PowerManagement when (value & PowerStateMask) == 0:
                // There is one power state (NPSS 0).
                features.PowerManagement = value & 0xFF;
                return StatusField.Success;
            case FeatureIdentifier.TemperatureThreshold when FeatureScope.IsTemperatureSelectionValid(value):
                // There is no sensor: a threshold is never crossed.
                return StatusField.Success;
            case FeatureIdentifier.ErrorRecovery when (value & FeatureBits.DeallocatedOrUnwrittenErrorEnable) == 0:
                features.ErrorRecovery = value & 0xFFFF;
                return StatusField.Success;
            case FeatureIdentifier.VolatileWriteCache:
                features.WriteCacheEnabled = (value & FeatureBits.VolatileWriteCacheEnable) != 0;
                return StatusField.Success;
            case FeatureIdentifier.NumberOfQueues:
                return NumberOfQueues(controller, request, value);
            case FeatureIdentifier.WriteAtomicityNormal:
                features.WriteAtomicity = value & FeatureBits.DisableNormal;
                return StatusField.Success;
            case FeatureIdentifier.HostIdentifier:
                // Connect has set it (NVMe Base Specification 2.0, section 5.27.1.25).
                return new StatusField(GenericStatusCode.CommandSequenceError, dnr: true);
            case FeatureIdentifier.HostBehaviorSupport:
                return HostBehavior(features, request);
            default:
                return AdminCommands.InvalidField;
        }
    }

    private static StatusField KeepAliveTimer(NvmfController controller, uint milliseconds)
    {
        if (milliseconds == 0) return new StatusField(GenericStatusCode.KeepAliveTimeoutInvalid, dnr: true);
        NvmfTransportOptions options = controller.Transport.Options;
        controller.KeepAlive.Start(KeepAlive.Round(milliseconds, options.KeepAliveGranularity, options.MinKeepAliveTimeout));
        return StatusField.Success;
    }

    private static StatusField NumberOfQueues(NvmfController controller, NvmfRequest request, uint value)
    {
        NumberOfQueues asked = new(value);
        if (asked.SubmissionQueues == ushort.MaxValue || asked.CompletionQueues == ushort.MaxValue) return AdminCommands.InvalidField;
        if (controller.Queues.IoCount != 0) return new StatusField(GenericStatusCode.CommandSequenceError, dnr: true);
        request.Completion.Cdw0 = FeatureScope.NumberOfQueues(controller);
        return StatusField.Success;
    }

    private static StatusField HostBehavior(ControllerFeatures features, NvmfRequest request)
    {
        Span<byte> data = stackalloc byte[HostBehaviorSupport.Size];
        if (!RequestData.TryRead(request, data)) return AdminCommands.InvalidField;
        byte retry = data[HostBehaviorSupport.AcreOffset];
        byte formats = data[HostBehaviorSupport.LbafeeOffset];
        if (retry > 1 || formats > 1) return AdminCommands.InvalidField;
        features.AdvancedCommandRetry = retry == 1;
        features.LbaFormatExtension = formats == 1;
        return StatusField.Success;
    }
}
