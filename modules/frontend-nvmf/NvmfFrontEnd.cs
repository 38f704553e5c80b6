using Microsoft.Extensions.DependencyInjection;
using Spindle.Frontend.Nvmf.Rpc;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf;

/// <summary>The NVMe over Fabrics target.</summary>
public sealed class NvmfFrontEnd : FrontEnd
{
    private readonly TargetHolder _holder = new();

    /// <inheritdoc/>
    public override string Name => "frontend-nvmf";

    /// <inheritdoc/>
    public override string Subsystem => "nvmf";

    internal TargetHolder Holder => _holder;

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton(_holder)
        .AddSingleton<ConfigurationRpc>().AddSingleton<TransportRpc>().AddSingleton<SubsystemRpc>().AddSingleton<NamespaceRpc>()
        .AddSingleton<ListenerRpc>().AddSingleton<HostRpc>().AddSingleton<QueryRpc>();

    /// <inheritdoc/>
    public override async Task StartAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        NvmfTarget target = new(context, _holder.Configuration);
        await target.StartAsync();
        _holder.Target = target;
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_holder.TargetOrNull is not { } target) return;
        await target.StopAsync(cancellationToken);
        _holder.Clear();
    }

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => SavedConfiguration.Write(_holder, writer);

    /// <inheritdoc/>
    public override IReadOnlyList<ServedEndpoint> Served => _holder.TargetOrNull is { } target
        ? [.. from subsystem in target.Subsystems
              from listener in subsystem.Listeners
              select Describe(subsystem, listener)]
        : [];

    /// <inheritdoc/>
    public override int ConnectionCount => _holder.TargetOrNull is { } target
        ? (int)target.PollGroups.Sum(group => group.Statistics.CurrentAdminQueuePairs + (long)group.Statistics.CurrentIoQueuePairs)
        : 0;

    private static ServedEndpoint Describe(NvmfSubsystem subsystem, SubsystemListener listener)
    {
        string type = listener.Address.TransportName.ToLowerInvariant();
        // Listening everywhere, it is reached from here at least.
        string address = listener.Address.Address switch
        {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            var given => given,
        };
        string where = $"-t {type} -a {address} -s {listener.Address.ServiceId}";
        string text = listener.Address.ToString();
        return new ServedEndpoint(
            $"NVMe/{listener.Address.TransportName}",
            text[(text.IndexOf(' ') + 1)..],
            subsystem.Nqn,
            subsystem.IsDiscovery ? "discovery" : Backing(subsystem),
            subsystem.IsDiscovery ? $"nvme discover {where}" : $"nvme connect {where} -n {subsystem.Nqn}");
    }

    private static string Backing(NvmfSubsystem subsystem) => subsystem.Namespaces.Count == 0
        ? "no namespace"
        : string.Join(", ", subsystem.Namespaces.Select(ns => $"{ns.Nsid}: {ns.Bdev.Name} {Size(ns.Bdev.BlockCount, ns.DataBlockSize)}"));

    private static string Size(ulong blocks, uint blockSize)
    {
        double bytes = (double)blocks * blockSize;
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        int unit = 0;
        while (bytes >= 1024 && unit < units.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes:0.##} {units[unit]}");
    }
}
