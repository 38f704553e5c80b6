using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>Get Features (NVMe Base Specification 2.0, section 5.15).</summary>
internal static class GetFeatures
{
    /// <summary>Carries it out.</summary>
    /// <returns>The status.</returns>
    public static StatusField Execute(NvmfController controller, NvmfRequest request)
    {
        ref GetFeaturesCommand command = ref request.Command.As<GetFeaturesCommand>();
        // Select is not supported (ONCS bit 4), so that only the current value can be asked for.
        if (command.Sel != FeatureSelect.Current) return AdminCommands.InvalidField;
        StatusField status = FeatureScope.CheckNamespace(controller, command.Fid, request.Command.Nsid, isSet: false);
        return status.IsSuccess ? Read(controller, request, command.Fid) : status;
    }

    private static StatusField Read(NvmfController controller, NvmfRequest request, FeatureIdentifier feature)
    {
        ControllerFeatures features = controller.Features;
        switch (feature)
        {
            case FeatureIdentifier.KeepAliveTimer:
                return Result(request, controller.KeepAlive.Timeout);
            case FeatureIdentifier.AsynchronousEventConfiguration:
                return Result(request, (uint)features.Events);
            case var _ when controller.Subsystem.IsDiscovery:
                return AdminCommands.InvalidField;
            case FeatureIdentifier.Arbitration:
                return Result(request, features.Arbitration);
            case FeatureIdentifier.PowerManagement:
                return Result(request, features.PowerManagement);
            case FeatureIdentifier.TemperatureThreshold:
                // There is no sensor, hence no threshold.
                return FeatureScope.IsTemperatureSelectionValid(request.Command.Cdw11) ? Result(request, 0) : AdminCommands.InvalidField;
            case FeatureIdentifier.ErrorRecovery:
                return Result(request, features.ErrorRecovery);
            case FeatureIdentifier.VolatileWriteCache:
                return Result(request, features.WriteCacheEnabled ? FeatureBits.VolatileWriteCacheEnable : 0);
            case FeatureIdentifier.NumberOfQueues:
                return Result(request, FeatureScope.NumberOfQueues(controller));
            case FeatureIdentifier.WriteAtomicityNormal:
                return Result(request, features.WriteAtomicity);
            case FeatureIdentifier.HostIdentifier:
                return HostIdentifier(controller, request);
            case FeatureIdentifier.HostBehaviorSupport:
                return HostBehavior(features, request);
            default:
                return AdminCommands.InvalidField;
        }
    }

    private static StatusField Result(NvmfRequest request, uint value)
    {
        request.Completion.Cdw0 = value;
        return StatusField.Success;
    }

    private static StatusField HostIdentifier(NvmfController controller, NvmfRequest request)
    {
        // Over fabrics host identifiers have 16 bytes (NVMe Base Specification 2.0, section 5.27.1.25).
        bool extended = (request.Command.Cdw11 & FeatureBits.EnableExtendedHostIdentifier) != 0;
        UuidBytes id = controller.HostId;
        if (!extended || request.Length < 16) return AdminCommands.InvalidField;
        RequestData.Write(request, id);
        return StatusField.Success;
    }

    private static StatusField HostBehavior(ControllerFeatures features, NvmfRequest request)
    {
        if (request.Length < HostBehaviorSupport.Size) return AdminCommands.InvalidField;
        Span<byte> data = stackalloc byte[HostBehaviorSupport.Size];
        data.Clear();
        data[HostBehaviorSupport.AcreOffset] = features.AdvancedCommandRetry ? (byte)1 : (byte)0;
        data[HostBehaviorSupport.LbafeeOffset] = features.LbaFormatExtension ? (byte)1 : (byte)0;
        RequestData.Write(request, data);
        return StatusField.Success;
    }
}
