using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>The calls that make the target anew, in an order in which they load.</summary>
internal static class SavedConfiguration
{
    /// <summary>Writes them.</summary>
    public static void Write(TargetHolder holder, IConfigWriter config)
    {
        TargetConfiguration configuration = holder.Configuration;
        config.Call("nvmf_set_config", writer =>
        {
            writer.Member("discovery_filter", DiscoveryFilterText.Format(configuration.DiscoveryFilter));
            if (configuration.PollGroupCores is { } cores) writer.Member("poll_groups_mask", $"[{string.Join(',', cores)}]");
        });
        config.Call("nvmf_set_max_subsystems", writer => writer.Member("max_subsystems", configuration.MaxSubsystems ?? TargetConfiguration.DefaultMaxSubsystems));
        config.Call("nvmf_set_crdt", writer =>
        {
            writer.Member("crdt1", configuration.RetryDelays[0]);
            writer.Member("crdt2", configuration.RetryDelays[1]);
            writer.Member("crdt3", configuration.RetryDelays[2]);
        });
        if (holder.TargetOrNull is not { } target) return;
        foreach (NvmfTransport transport in target.Transports) config.Call("nvmf_create_transport", writer => TransportOptionsJson.Write(writer, transport));
        foreach (NvmfSubsystem subsystem in target.Subsystems.OrderBy(s => s.IsDiscovery)) Write(config, subsystem);
    }

    private static void Write(IConfigWriter config, NvmfSubsystem subsystem)
    {
        if (subsystem.IsDeleting) return;
        if (!subsystem.IsDiscovery) config.Call("nvmf_create_subsystem", writer => WriteOptions(writer, subsystem));
        foreach (string host in subsystem.Hosts)
        {
            config.Call("nvmf_subsystem_add_host", writer =>
            {
                writer.Member("nqn", subsystem.Nqn);
                writer.Member("host", host);
            });
        }
        foreach (NvmfNamespace ns in subsystem.Namespaces) config.Call("nvmf_subsystem_add_ns", writer => WriteNamespace(writer, subsystem, ns));
        foreach (SubsystemListener listener in subsystem.Listeners) Write(config, subsystem, listener);
    }

    private static void WriteOptions(IRpcWriter writer, NvmfSubsystem subsystem)
    {
        SubsystemOptions options = subsystem.Options;
        writer.Member("nqn", subsystem.Nqn);
        writer.Member("allow_any_host", subsystem.AllowAnyHost);
        writer.Member("serial_number", options.SerialNumber);
        writer.Member("model_number", options.ModelNumber);
        writer.Member("max_namespaces", options.MaxNamespaces);
        writer.Member("min_cntlid", options.MinControllerId);
        writer.Member("max_cntlid", options.MaxControllerId);
        writer.Member("ana_reporting", options.AnaReporting);
        writer.Member("max_discard_size_kib", options.MaxDiscardSizeKib);
        writer.Member("max_write_zeroes_size_kib", options.MaxWriteZeroesSizeKib);
        writer.Member("passthrough", false);
        writer.Member("enable_nssr", false);
    }

    private static void WriteNamespace(IRpcWriter writer, NvmfSubsystem subsystem, NvmfNamespace ns)
    {
        writer.Member("nqn", subsystem.Nqn);
        writer.Name("namespace");
        writer.BeginObject();
        writer.Member("nsid", ns.Nsid);
        writer.Member("bdev_name", ns.Bdev.Name);
        SubsystemList.WriteIdentifiers(writer, ns);
        if (subsystem.Options.AnaReporting) writer.Member("anagrpid", ns.AnaGroupId);
        writer.Member("no_auto_visible", false);
        if (ns.Descriptor.HidesMetadata) writer.Member("hide_metadata", true);
        writer.EndObject();
    }

    private static void Write(IConfigWriter config, NvmfSubsystem subsystem, SubsystemListener listener)
    {
        config.Call("nvmf_subsystem_add_listener", writer =>
        {
            writer.Member("nqn", subsystem.Nqn);
            writer.Member("listen_address", listener.Address);
            writer.Member("secure_channel", listener.SecureChannel);
        });
        if (!subsystem.Options.AnaReporting) return;
        // One call for all groups where they agree with the first, and one for each that does not.
        AnaState common = listener.GetAnaState(1);
        if (common != AnaState.Optimized) WriteState(config, subsystem, listener, 0, common);
        for (uint group = 1; group <= listener.AnaGroups; group++)
        {
            if (listener.GetAnaState(group) != common) WriteState(config, subsystem, listener, group, listener.GetAnaState(group));
        }
    }

    private static void WriteState(IConfigWriter config, NvmfSubsystem subsystem, SubsystemListener listener, uint group, AnaState state) =>
        config.Call("nvmf_subsystem_listener_set_ana_state", writer =>
        {
            writer.Member("nqn", subsystem.Nqn);
            writer.Member("listen_address", listener.Address);
            writer.Member("ana_state", state.Name());
            if (group != 0) writer.Member("anagrpid", group);
        });
}
