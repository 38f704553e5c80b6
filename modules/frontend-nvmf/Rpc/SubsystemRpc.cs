using System.Numerics;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs that create and delete subsystems.</summary>
internal sealed class SubsystemRpc(TargetHolder holder)
{
    private const int SerialNumberLength = 20;
    private const int ModelNumberLength = 40;

    [RpcMethod("nvmf_create_subsystem", Summary = "Creates a subsystem.")]
    public async Task<bool> Create(CreateSubsystemParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        SubsystemOptions options = Options(parameters);
        try
        {
            if (parameters.Nqn == Nqn.Discovery) throw new SpindleException(Errno.EEXIST, "the discovery subsystem is always there");
            NvmfSubsystem subsystem = await target.CreateSubsystemAsync(parameters.Nqn, isDiscovery: false, options);
            subsystem.AllowAnyHost = parameters.AllowAnyHost;
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"Unable to create subsystem {parameters.Nqn}: {e.Message}");
        }
        return true;
    }

    [RpcMethod("nvmf_delete_subsystem", Summary = "Deletes a subsystem; its hosts are disconnected.")]
    public async Task<bool> Delete(SubsystemParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        if (subsystem.IsDiscovery) throw NvmfRpcErrors.InvalidParams("nqn: the discovery subsystem cannot be deleted; remove its listeners instead.");
        await target.RemoveSubsystemAsync(subsystem, CancellationToken.None);
        return true;
    }

    [RpcMethod("nvmf_get_subsystems", Summary = "Shows the subsystems.")]
    public SubsystemList Get(GetSubsystemsParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        if (parameters.Nqn is null) return new SubsystemList(target.Subsystems);
        return new SubsystemList([target.FindSubsystem(parameters.Nqn) ?? throw new RpcException(-Errno.ENODEV, Errno.Message(Errno.ENODEV))]);
    }

    [RpcMethod("nvmf_subsystem_allow_any_host", Summary = "Lets any host connect to a subsystem, or only those added to it.")]
    public bool AllowAnyHost(AllowAnyHostParameters parameters)
    {
        holder.GetSubsystem(parameters.TgtName, parameters.Nqn).AllowAnyHost = parameters.AllowAnyHost;
        return true;
    }

    private static SubsystemOptions Options(CreateSubsystemParameters given)
    {
        SubsystemOptions options = new()
        {
            SerialNumber = given.SerialNumber ?? SubsystemOptions.DefaultSerialNumber,
            ModelNumber = given.ModelNumber ?? SubsystemOptions.DefaultModelNumber,
            MaxNamespaces = given.MaxNamespaces == 0 ? SubsystemOptions.DefaultMaxNamespaces : given.MaxNamespaces,
            AnaReporting = given.AnaReporting,
            MinControllerId = given.MinCntlid ?? 1,
            MaxControllerId = given.MaxCntlid ?? NvmeConstants.MaxControllerId,
            MaxDiscardSizeKib = given.MaxDiscardSizeKib,
            MaxWriteZeroesSizeKib = given.MaxWriteZeroesSizeKib,
        };
        if (!AsciiField.Fits(options.SerialNumber, SerialNumberLength))
            throw new RpcException(RpcErrorCode.InvalidParams, $"Invalid SN {options.SerialNumber}: serial_number is at most {SerialNumberLength} printable ASCII characters.");
        if (!AsciiField.Fits(options.ModelNumber, ModelNumberLength))
            throw new RpcException(RpcErrorCode.InvalidParams, $"Invalid MN {options.ModelNumber}: model_number is at most {ModelNumberLength} printable ASCII characters.");
        if (options.MinControllerId == 0 || options.MaxControllerId > NvmeConstants.MaxControllerId || options.MinControllerId > options.MaxControllerId)
        {
            throw new RpcException(RpcErrorCode.InvalidParams,
                $"Invalid cntlid range [{options.MinControllerId}-{options.MaxControllerId}]: min_cntlid and max_cntlid are 1 to {NvmeConstants.MaxControllerId}.");
        }
        if (options.MaxWriteZeroesSizeKib != 0 && (options.MaxWriteZeroesSizeKib < 4 || !BitOperations.IsPow2(options.MaxWriteZeroesSizeKib)))
        {
            throw new RpcException(RpcErrorCode.InvalidParams,
                $"Invalid max_write_zeroes_size_kib {options.MaxWriteZeroesSizeKib}: it is 0 or a power of two from 4.");
        }
        if (options.MaxNamespaces > MaxNamespacesLimit)
            throw NvmfRpcErrors.InvalidParams($"max_namespaces {options.MaxNamespaces} is above {MaxNamespacesLimit}.");
        if (given.Passthrough) throw NvmfRpcErrors.InvalidParams("passthrough: commands cannot be passed through; leave it false.");
        if (given.EnableNssr) throw NvmfRpcErrors.InvalidParams("enable_nssr: NVM subsystem reset is not supported; leave it false.");
        return options;
    }

    /// <summary>Namespaces that a poll group's table may hold; each takes a reference.</summary>
    private const uint MaxNamespacesLimit = 65536;
}
