using Microsoft.Extensions.Logging;
using Spindle.Bdev.Nvme.Namespaces;
using Spindle.Bdev.Nvme.Transports;
using Spindle.Bdev.Nvme.Transports.Tcp;
using Spindle.Modules;
using Spindle.Nvme;
using Spindle.Nvme.Initiator.Admin;

namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>All controllers of the module, by the names they were attached under. On the app thread.</summary>
internal sealed class NvmeControllers(IModuleContext context)
{
    private readonly List<ControllerGroup> _groups = [];
    private readonly HashSet<string> _attaching = [];
    private readonly ILogger _log = context.Logging.CreateLogger("bdev-nvme");
    private readonly Guid _hostId = Guid.NewGuid();

    /// <summary>Who the host is where a call does not say.</summary>
    internal string DefaultHostNqn => Nqn.FromUuid(_hostId);

    /// <summary>What holds for controllers that are attached from now on.</summary>
    internal NvmeOptions Options { get; set; } = new();

    /// <summary>The options as they were given.</summary>
    internal Rpc.OptionsParameters OptionValues { get; set; } = Rpc.OptionValues.Defaults();
    internal IReadOnlyList<ControllerGroup> Groups => _groups;

    internal ControllerGroup? Find(string name) => _groups.Find(group => group.Name == name);

    /// <summary>Attaches a controller: the first of its name, a further path, or a further address of the one there is.</summary>
    /// <returns>The bdevs on its namespaces.</returns>
    /// <exception cref="SpindleException">It cannot be connected, or does not fit those of its name.</exception>
    internal async Task<IReadOnlyList<string>> AttachAsync(string name, PathOptions path, CancellationToken cancellationToken)
    {
        if (!_attaching.Add(name)) throw new SpindleException(Errno.EALREADY, $"A controller named {name} is being attached: wait until that has ended.");
        try
        {
            var group = Find(name);
            if (group is not null && !path.Multipath) return await AddAddressAsync(group, path, cancellationToken);
            return await AddControllerAsync(name, group, path, cancellationToken);
        }
        finally
        {
            _attaching.Remove(name);
        }
    }

    private async Task<IReadOnlyList<string>> AddControllerAsync(string name, ControllerGroup? group, PathOptions path, CancellationToken cancellationToken)
    {
        var controller = new NvmeController(context, path, Options, MakeTransport, _log);
        await controller.ConnectAsync(cancellationToken);
        // It may have gone while this one was connected.
        group = Find(name) ?? new ControllerGroup(name, context, Options, gone => _groups.Remove(gone), _log);
        try
        {
            group.Add(controller);
        }
        catch
        {
            await controller.AbandonAsync();
            throw;
        }
        if (!_groups.Contains(group)) _groups.Add(group);
        context.Threads.RegisterDevice(controller, $"nvme_{name}_{controller.Cntlid}");
        try
        {
            await controller.StartAsync();
            await NamespaceScan.RunAsync(controller, controller.Session ?? throw new SpindleException(Errno.ENOTCONN, $"{name} was lost as it was attached."), true, _log);
            await controller.WakeChannelsAsync();
        }
        catch
        {
            await group.DeleteAsync(controller);
            throw;
        }
        await context.Bdevs.WaitForExamineAsync();
        return [.. controller.Namespaces.Values.OrderBy(n => n.Nsid).Where(n => n.Bdev is not null).Select(n => n.Bdev!.Name)];
    }

    // "failover": another address of the same controller's subsystem, which is used when the present one fails. That it leads there is found out now.
    private async Task<IReadOnlyList<string>> AddAddressAsync(ControllerGroup group, PathOptions path, CancellationToken cancellationToken)
    {
        var controller = group.Controllers[0];
        var probe = new NvmeController(context, path, Options, MakeTransport, _log);
        await probe.ConnectAsync(cancellationToken);
        string serialNumber = probe.Session!.SerialNumber;
        await probe.AbandonAsync();
        if (controller.Session is { } session && session.SerialNumber != serialNumber)
            throw new SpindleException(Errno.EINVAL, $"{path.Address} has serial number '{serialNumber}', and {group.Name} has '{session.SerialNumber}': it is another subsystem.");
        controller.Addresses.Add(path.Address);
        return [.. controller.Namespaces.Values.OrderBy(n => n.Nsid).Where(n => n.Bdev is not null).Select(n => n.Bdev!.Name)];
    }

    private TcpTransport MakeTransport(PathOptions path, TransportAddress address)
    {
        // The identifier that the name has, where it has one: a host's connections are told from others' by both.
        var hostId = path.HostNqn.StartsWith(Nqn.UuidPrefix, StringComparison.Ordinal) && Guid.TryParse(path.HostNqn.AsSpan(Nqn.UuidPrefix.Length), out var named) ? named : _hostId;
        var timeout = path.FabricsConnectTimeoutUs != 0 ? TimeSpan.FromMicroseconds(path.FabricsConnectTimeoutUs)
            : Options.TcpConnectTimeoutMs != 0 ? TimeSpan.FromMilliseconds(Options.TcpConnectTimeoutMs) : TimeSpan.FromSeconds(10);
        return new TcpTransport(context, address, new FabricsIdentity(path.HostNqn, hostId, address.Subnqn), new TcpTransportOptions
        {
            HeaderDigest = path.HeaderDigest, DataDigest = path.DataDigest, KeepAliveMilliseconds = Options.KeepAliveTimeoutMs, ConnectTimeout = timeout,
        });
    }

    /// <summary>Detaches what fits: controllers, or addresses of one that has more of them.</summary>
    /// <returns>False when nothing fits.</returns>
    internal async Task<bool> DetachAsync(ControllerGroup group, Func<PathOptions, TransportAddress, bool> fits)
    {
        bool any = false;
        var deletions = new List<Task>();
        foreach (var controller in group.Controllers.ToArray())
        {
            var fitting = controller.Addresses.Where(address => fits(controller.Path, address)).ToArray();
            if (fitting.Length == 0) continue;
            any = true;
            if (fitting.Length == controller.Addresses.Count)
            {
                deletions.Add(group.DeleteAsync(controller));
                continue;
            }
            bool active = fitting.Contains(controller.Addresses[0]);
            controller.Addresses.RemoveAll(fitting.Contains);
            if (active) deletions.Add(controller.ResetAsync());
        }
        await Task.WhenAll(deletions);
        return any;
    }

    /// <summary>Detaches everything.</summary>
    internal async Task StopAsync()
    {
        foreach (var group in _groups.ToArray())
            foreach (var controller in group.Controllers.ToArray()) await group.DeleteAsync(controller);
    }
}
