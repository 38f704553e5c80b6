using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>What the module's RPCs check alike, with SPDK's codes and words.</summary>
internal static class NvmfRpcErrors
{
    /// <summary>-32602: the parameters are not valid; <paramref name="why"/> names the member and the remedy.</summary>
    public static RpcException InvalidParams(string why) => new(RpcErrorCode.InvalidParams, $"Invalid parameters: {why}");

    /// <summary>The target, whose name, where one is given, must be its own.</summary>
    public static NvmfTarget GetTarget(this TargetHolder holder, string? name)
    {
        if (name is not null && name != TargetConfiguration.TargetName)
            throw new RpcException(RpcErrorCode.InternalError, $"Unable to find a target. tgt_name '{name}' is not '{TargetConfiguration.TargetName}', the only one.");
        return holder.Target;
    }

    /// <summary>The subsystem with a name.</summary>
    public static NvmfSubsystem GetSubsystem(this TargetHolder holder, string? targetName, string nqn) =>
        holder.GetTarget(targetName).FindSubsystem(nqn) ?? throw InvalidParams($"nqn '{nqn}' is no subsystem; see nvmf_get_subsystems.");

    /// <summary>Runs a change of a subsystem while no other one does.</summary>
    public static async Task<T> ChangeAsync<T>(this NvmfSubsystem subsystem, Func<Task<T>> change)
    {
        await subsystem.Gate.WaitAsync();
        try
        {
            if (subsystem.IsDeleting) throw InvalidParams($"nqn '{subsystem.Nqn}' is being deleted.");
            return await change();
        }
        catch (SpindleException e)
        {
            throw InvalidParams(e.Message);
        }
        finally
        {
            subsystem.Gate.Release();
        }
    }
}
