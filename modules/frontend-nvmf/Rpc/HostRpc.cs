using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs on a subsystem's allowed hosts.</summary>
internal sealed class HostRpc(TargetHolder holder)
{
    [RpcMethod("nvmf_subsystem_add_host", Summary = "Lets a host connect to a subsystem.")]
    public bool Add(AddHostParameters parameters)
    {
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        if (parameters.Psk is not null) throw NvmfRpcErrors.InvalidParams("psk: TLS is not supported; leave it out.");
        if (parameters.DhchapKey is not null || parameters.DhchapCtrlrKey is not null)
            throw NvmfRpcErrors.InvalidParams("dhchap_key, dhchap_ctrlr_key: in-band authentication is not supported; leave them out.");
        try
        {
            subsystem.AddHost(parameters.Host);
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"Internal error: {e.Message}");
        }
        return true;
    }

    [RpcMethod("nvmf_subsystem_remove_host", Summary = "Stops letting a host connect to a subsystem; its connections are ended.")]
    public bool Remove(RemoveHostParameters parameters)
    {
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        if (!subsystem.RemoveHost(parameters.Host))
            throw new RpcException(RpcErrorCode.InternalError, $"Internal error: host '{parameters.Host}' was not added to {subsystem.Nqn}.");
        foreach (NvmfController controller in subsystem.Controllers)
        {
            if (controller.HostNqn == parameters.Host) controller.PostDisconnect("its host was removed from the allowed ones");
        }
        return true;
    }
}
