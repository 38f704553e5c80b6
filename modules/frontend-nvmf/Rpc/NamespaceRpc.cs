using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Nvme;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs on a subsystem's namespaces.</summary>
internal sealed class NamespaceRpc(TargetHolder holder)
{
    [RpcMethod("nvmf_subsystem_add_ns", Summary = "Adds a bdev to a subsystem as a namespace; returns its NSID.")]
    public async Task<uint> Add(AddNamespaceParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        NamespaceParameters wanted = Read(parameters.Namespace);
        NvmfNamespace ns = await subsystem.ChangeAsync(() => target.Namespaces.AddAsync(subsystem, wanted));
        return ns.Nsid;
    }

    [RpcMethod("nvmf_subsystem_remove_ns", Summary = "Removes a namespace from a subsystem.")]
    public async Task<bool> Remove(RemoveNamespaceParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        return await subsystem.ChangeAsync(async () =>
        {
            NvmfNamespace ns = subsystem.FindNamespace(parameters.Nsid)
                ?? throw NvmfRpcErrors.InvalidParams($"nsid {parameters.Nsid} is no namespace of {subsystem.Nqn}.");
            await target.Namespaces.RemoveAsync(subsystem, ns);
            return true;
        });
    }

    private static NamespaceParameters Read(NamespaceMember given)
    {
        if (given.Nsid == uint.MaxValue) throw NvmfRpcErrors.InvalidParams("namespace.nsid 4294967295 is reserved; use 1 to the subsystem's max_namespaces.");
        if (!string.IsNullOrEmpty(given.PtplFile)) throw NvmfRpcErrors.InvalidParams("namespace.ptpl_file: reservations are not supported; leave it out.");
        if (given.NoAutoVisible) throw NvmfRpcErrors.InvalidParams("namespace.no_auto_visible: namespaces are visible to all hosts of their subsystem; leave it false.");
        UuidBytes nguid = default;
        Bytes8 eui64 = default;
        if (given.Nguid is not null) ReadHex("namespace.nguid", given.Nguid, nguid);
        if (given.Eui64 is not null) ReadHex("namespace.eui64", given.Eui64, eui64);
        return new NamespaceParameters(given.BdevName, given.Nsid, nguid, eui64, given.Uuid ?? Guid.Empty, given.Anagrpid, given.HideMetadata);

        static void ReadHex(string member, string text, Span<byte> target)
        {
            if (text.Length != target.Length * 2 || Convert.FromHexString(text, target, out _, out _) != System.Buffers.OperationStatus.Done)
                throw NvmfRpcErrors.InvalidParams($"{member} '{text}' is not {target.Length * 2} hexadecimal digits.");
        }
    }
}
