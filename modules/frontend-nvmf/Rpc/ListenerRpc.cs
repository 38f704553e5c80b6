using System.Text;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs on a subsystem's listeners.</summary>
internal sealed class ListenerRpc(TargetHolder holder)
{
    // TRADDR and TRSVCID have 256 and 32 bytes in a discovery entry.
    private const int MaxAddressLength = 255;
    private const int MaxServiceLength = 31;

    [RpcMethod("nvmf_subsystem_add_listener", Summary = "Makes a subsystem reachable at an address.")]
    public async Task<bool> Add(AddListenerParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        NvmfTransportAddress address = Read(parameters.ListenAddress);
        AnaState state = parameters.AnaState is null ? AnaState.Optimized : ReadState(parameters.AnaState);
        if (parameters.SecureChannel) throw NvmfRpcErrors.InvalidParams("secure_channel: TLS is not supported; leave it false.");
        return await subsystem.ChangeAsync(async () =>
        {
            await target.AddListenerAsync(subsystem, address, state);
            return true;
        });
    }

    [RpcMethod("nvmf_subsystem_remove_listener", Summary = "Ends a subsystem's reachability at an address; hosts that came in there are disconnected.")]
    public async Task<bool> Remove(RemoveListenerParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        NvmfTransportAddress address = Read(parameters.ListenAddress);
        return await subsystem.ChangeAsync(async () =>
        {
            await target.RemoveListenerAsync(subsystem, Find(subsystem, address));
            return true;
        });
    }

    [RpcMethod("nvmf_subsystem_listener_set_ana_state", Summary = "Sets the ANA state of a subsystem's groups at an address.")]
    public bool SetAnaState(SetAnaStateParameters parameters)
    {
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        SubsystemListener listener = Find(subsystem, Read(parameters.ListenAddress));
        AnaState state = ReadState(parameters.AnaState);
        if (!subsystem.Options.AnaReporting) throw NvmfRpcErrors.InvalidParams($"nqn: {subsystem.Nqn} was created without ana_reporting.");
        if (parameters.Anagrpid > listener.AnaGroups) throw NvmfRpcErrors.InvalidParams($"anagrpid {parameters.Anagrpid} is above {listener.AnaGroups}.");
        listener.SetAnaState(parameters.Anagrpid, state);
        foreach (NvmfController controller in subsystem.Controllers)
        {
            if (controller.Listener == listener) controller.PostAnaChanged();
        }
        return true;
    }

    private static SubsystemListener Find(NvmfSubsystem subsystem, NvmfTransportAddress address) =>
        subsystem.FindListener(address) ?? throw NvmfRpcErrors.InvalidParams($"listen_address: {subsystem.Nqn} has no listener at {address}.");

    private static NvmfTransportAddress Read(ListenAddressMember given)
    {
        TransportType type = given.Trtype?.ToUpperInvariant() switch
        {
            "TCP" => TransportType.Tcp,
            "RDMA" => TransportType.Rdma,
            "FC" => TransportType.FibreChannel,
            null => throw NvmfRpcErrors.InvalidParams("listen_address.trtype is missing; use TCP."),
            _ => throw NvmfRpcErrors.InvalidParams($"listen_address.trtype '{given.Trtype}' is no transport type; use TCP."),
        };
        AddressFamily family = given.Adrfam?.ToUpperInvariant() switch
        {
            null or "IPV4" => AddressFamily.Ipv4,
            "IPV6" => AddressFamily.Ipv6,
            "IB" => AddressFamily.InfiniBand,
            "FC" => AddressFamily.FibreChannel,
            _ => throw NvmfRpcErrors.InvalidParams($"listen_address.adrfam '{given.Adrfam}' is no address family; use IPv4 or IPv6."),
        };
        string service = given.Trsvcid ?? "";
        if (Encoding.UTF8.GetByteCount(given.Traddr) > MaxAddressLength) throw NvmfRpcErrors.InvalidParams($"listen_address.traddr has more than {MaxAddressLength} bytes.");
        if (Encoding.UTF8.GetByteCount(service) > MaxServiceLength) throw NvmfRpcErrors.InvalidParams($"listen_address.trsvcid has more than {MaxServiceLength} bytes.");
        return new NvmfTransportAddress(type, family, given.Traddr, service);
    }

    private static AnaState ReadState(string text) => text switch
    {
        "optimized" => AnaState.Optimized,
        "non_optimized" => AnaState.NonOptimized,
        "inaccessible" => AnaState.Inaccessible,
        _ => throw NvmfRpcErrors.InvalidParams($"ana_state '{text}' is none of optimized, non_optimized, inaccessible."),
    };
}
