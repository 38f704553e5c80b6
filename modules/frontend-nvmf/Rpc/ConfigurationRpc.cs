using Spindle.Frontend.Nvmf.Target;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs that shape the whole target, most of them before it runs.</summary>
internal sealed class ConfigurationRpc(TargetHolder holder, IStorageThreads threads)
{
    private static readonly string[] s_digests = ["sha256", "sha384", "sha512"];
    private static readonly string[] s_groups = ["null", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"];

    [RpcMethod("nvmf_set_config", Phase = RpcPhase.Startup, Summary = "Sets what applies to the whole target.")]
    public bool SetConfig(SetConfigParameters parameters)
    {
        if (parameters.AdminCmdPassthru?.AsksForAny() == true)
            throw NvmfRpcErrors.InvalidParams("admin_cmd_passthru: admin commands cannot be passed through; set all its members to false.");
        CheckNames("dhchap_digests", parameters.DhchapDigests, s_digests);
        CheckNames("dhchap_dhgroups", parameters.DhchapDhgroups, s_groups);
        DiscoveryFilter filter = DiscoveryFilterText.Parse(parameters.DiscoveryFilter);
        IReadOnlyList<int>? cores = CoreMask.Parse(parameters.PollGroupsMask, threads.Cores);
        holder.Configuration.DiscoveryFilter = filter;
        holder.Configuration.PollGroupCores = cores;
        return true;
    }

    [RpcMethod("nvmf_set_max_subsystems", Phase = RpcPhase.Startup, Summary = "Sets how many subsystems there may be.")]
    public bool SetMaxSubsystems(SetMaxSubsystemsParameters parameters)
    {
        if (holder.Configuration.MaxSubsystems is not null) throw new RpcException(RpcErrorCode.InternalError, "Must not call more than once");
        if (parameters.MaxSubsystems != 0) holder.Configuration.MaxSubsystems = parameters.MaxSubsystems;
        return true;
    }

    [RpcMethod("nvmf_set_crdt", Phase = RpcPhase.Startup, Summary = "Sets the command retry delay times.")]
    public bool SetCrdt(SetCrdtParameters parameters)
    {
        ushort[] delays = holder.Configuration.RetryDelays;
        delays[0] = parameters.Crdt1;
        delays[1] = parameters.Crdt2;
        delays[2] = parameters.Crdt3;
        return true;
    }

    [RpcMethod("nvmf_get_targets", Summary = "Names the targets.")]
    public string[] GetTargets() => [TargetConfiguration.TargetName];

    private static void CheckNames(string member, string[]? given, string[] known)
    {
        string? unknown = given?.FirstOrDefault(name => !known.Contains(name, StringComparer.OrdinalIgnoreCase));
        if (unknown is not null) throw NvmfRpcErrors.InvalidParams($"{member}: '{unknown}' is none of {string.Join(", ", known)}.");
    }
}
