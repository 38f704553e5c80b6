using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>The result of <c>nvmf_get_subsystems</c>.</summary>
internal sealed class SubsystemList(IReadOnlyList<NvmfSubsystem> subsystems) : IRpcResult
{
    /// <inheritdoc/>
    public void Write(IRpcWriter writer)
    {
        writer.BeginArray();
        foreach (NvmfSubsystem subsystem in subsystems) Write(writer, subsystem);
        writer.EndArray();
    }

    private static void Write(IRpcWriter writer, NvmfSubsystem subsystem)
    {
        writer.BeginObject();
        writer.Member("nqn", subsystem.Nqn);
        writer.Member("subtype", subsystem.IsDiscovery ? "Discovery" : "NVMe");
        writer.Name("listen_addresses");
        writer.BeginArray();
        foreach (SubsystemListener listener in subsystem.Listeners) writer.Address(listener.Address);
        writer.EndArray();
        writer.Member("allow_any_host", subsystem.AllowAnyHost);
        writer.Name("hosts");
        writer.BeginArray();
        foreach (string host in subsystem.Hosts)
        {
            writer.BeginObject();
            writer.Member("nqn", host);
            writer.EndObject();
        }
        writer.EndArray();
        if (!subsystem.IsDiscovery) WriteNvm(writer, subsystem);
        writer.EndObject();
    }

    private static void WriteNvm(IRpcWriter writer, NvmfSubsystem subsystem)
    {
        writer.Member("serial_number", subsystem.Options.SerialNumber);
        writer.Member("model_number", subsystem.Options.ModelNumber);
        writer.Member("max_namespaces", subsystem.Options.MaxNamespaces);
        writer.Member("passthrough", false);
        writer.Member("min_cntlid", subsystem.Options.MinControllerId);
        writer.Member("max_cntlid", subsystem.Options.MaxControllerId);
        writer.Name("namespaces");
        writer.BeginArray();
        foreach (NvmfNamespace ns in subsystem.Namespaces)
        {
            writer.BeginObject();
            writer.Member("nsid", ns.Nsid);
            writer.Member("bdev_name", ns.Bdev.Name);
            writer.Member("name", ns.Bdev.Name);
            WriteIdentifiers(writer, ns);
            if (subsystem.Options.AnaReporting) writer.Member("anagrpid", ns.AnaGroupId);
            writer.EndObject();
        }
        writer.EndArray();
    }

    /// <summary>The members nguid, eui64 and uuid, where a namespace has them.</summary>
    public static void WriteIdentifiers(IRpcWriter writer, NvmfNamespace ns)
    {
        UuidBytes nguid = ns.Nguid;
        Bytes8 eui64 = ns.Eui64;
        Hex(writer, "nguid", nguid);
        Hex(writer, "eui64", eui64);
        if (ns.Uuid != Guid.Empty) writer.Member("uuid", ns.Uuid.ToString("D"));
    }

    private static void Hex(IRpcWriter writer, string name, ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAnyExcept((byte)0)) writer.Member(name, Convert.ToHexString(bytes));
    }
}
