using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Discovery;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Modules;
using Spindle.Nvme;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Target;

/// <summary>The NVMe-oF target: its poll groups, transports, listeners and subsystems. Everything on the app thread, except <see cref="FindSubsystem"/>,
/// <see cref="Accept"/> and what is said to be.</summary>
internal sealed class NvmfTarget : INvmfTransportHost
{
    private readonly ILogger _log;
    private readonly PollGroupSet _groups;
    private readonly ListenerSet _listeners;
    private readonly List<NvmfTransport> _transports = [];
    private readonly List<NvmfSubsystem> _subsystems = [];
    private volatile FrozenDictionary<string, NvmfSubsystem> _byNqn = FrozenDictionary<string, NvmfSubsystem>.Empty;
    private int _nextSubsystemId;

    public NvmfTarget(IModuleContext context, TargetConfiguration configuration)
    {
        Context = context;
        Configuration = configuration;
        _log = context.Logging.CreateLogger(context.ModuleName);
        _groups = new PollGroupSet(context.Threads, _log);
        _listeners = new ListenerSet();
        Discovery = new DiscoveryService(this);
        Namespaces = new NamespaceAttachment(context.Bdevs, () => _groups.All, _log);
    }

    /// <inheritdoc/>
    public IModuleContext Context { get; }

    /// <summary>What applies to the whole target. The app thread changes it only before the target runs.</summary>
    public TargetConfiguration Configuration { get; }

    /// <summary>The discovery log page and its change notices.</summary>
    public DiscoveryService Discovery { get; }

    /// <summary>Adds and removes namespaces.</summary>
    public NamespaceAttachment Namespaces { get; }

    /// <inheritdoc/>
    public IReadOnlyList<NvmfPollGroup> PollGroups => _groups.All;

    /// <summary>The transports, in the order created.</summary>
    public IReadOnlyList<NvmfTransport> Transports => _transports;

    /// <summary>The subsystems, in the order created; the discovery subsystem is the first.</summary>
    public IReadOnlyList<NvmfSubsystem> Subsystems => _subsystems;

    /// <summary>True once the target is stopping.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>The log.</summary>
    public ILogger Log => _log;

    /// <summary>The app thread. On any thread.</summary>
    public IStorageThread AppThread => Context.Threads.AppThread;

    /// <summary>Starts the poll groups and the discovery subsystem.</summary>
    public async Task StartAsync()
    {
        Configuration.IsRunning = true;
        _groups.Start(Configuration.PollGroupCores ?? Context.Threads.Cores);
        NvmfSubsystem discovery = await CreateSubsystemAsync(Nqn.Discovery, isDiscovery: true, new SubsystemOptions { MaxNamespaces = 0 });
        discovery.AllowAnyHost = true;
    }

    /// <summary>Stops listening, lets outstanding commands end, disconnects all hosts, closes the bdevs, ends the poll groups.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (IsStopping) return;
        IsStopping = true;
        await _listeners.StopAllAsync();
        bool drained = await _groups.DisconnectAllAsync("the target is stopping", cancellationToken);
        foreach (NvmfSubsystem subsystem in _subsystems.ToArray())
        {
            try
            {
                if (subsystem.IsDeleting) await WaitForRemovalAsync(subsystem, cancellationToken);
                else await RemoveSubsystemAsync(subsystem, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                _log.LogWarning("{Nqn}: outstanding commands did not end in time", subsystem.Nqn);
                drained = false;
            }
        }
        // What commands still use must not be taken from under them; it goes with the process.
        if (!drained) return;
        await _groups.StopAsync();
        foreach (NvmfTransport transport in _transports) await transport.StopAsync();
        _transports.Clear();
    }

    /// <summary>Creates a transport on all poll groups.</summary>
    /// <exception cref="SpindleException">EEXIST: there is one of its type. EINVAL: an option, named.</exception>
    public async Task CreateTransportAsync(INvmfTransportFactory factory, NvmfTransportOptions options)
    {
        if (FindTransport(factory.Name) is not null) throw new SpindleException(Errno.EEXIST, $"Transport type '{factory.Name}' already exists");
        factory.Validate(options);
        await AddTransportAsync(factory.Create(options));
    }

    /// <summary>Takes a transport into use.</summary>
    public async Task AddTransportAsync(NvmfTransport transport)
    {
        transport.Host = this;
        await transport.StartAsync(CancellationToken.None);
        await _groups.AddTransportAsync(transport);
        _transports.Add(transport);
    }

    /// <summary>The transport of a type, by name in any case; null when it was not created.</summary>
    public NvmfTransport? FindTransport(string name) => _transports.Find(t => string.Equals(t.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The subsystem with a name, while it lives; null when there is none. On any thread.</summary>
    public NvmfSubsystem? FindSubsystem(string nqn) => _byNqn.GetValueOrDefault(nqn);

    /// <summary>Creates a subsystem.</summary>
    /// <exception cref="SpindleException">EINVAL: not an NQN. EEXIST: the name is taken. ENOSPC: there are as many as there may be.</exception>
    public async Task<NvmfSubsystem> CreateSubsystemAsync(string nqn, bool isDiscovery, SubsystemOptions options)
    {
        if (!Nqn.TryValidate(nqn, out string? error)) throw new SpindleException(Errno.EINVAL, $"nqn '{nqn}': {error}");
        if (_subsystems.Exists(s => s.Nqn == nqn)) throw new SpindleException(Errno.EEXIST, $"there is a subsystem {nqn}");
        uint max = Configuration.MaxSubsystems ?? TargetConfiguration.DefaultMaxSubsystems;
        if (_subsystems.Count >= max) throw new SpindleException(Errno.ENOSPC, $"there are {max} subsystems; raise it by nvmf_set_max_subsystems before start-up ends");
        if (IsStopping) throw new SpindleException(Errno.EBUSY, "the target is stopping");

        NvmfSubsystem subsystem = new(_nextSubsystemId++, nqn, isDiscovery, options, Discovery.OnChanged);
        _subsystems.Add(subsystem);
        await _groups.ForEachAsync(group => group.AddSubsystem(subsystem.Id, new SubsystemChannel()));
        Publish();
        Discovery.OnChanged();
        return subsystem;
    }

    /// <summary>Deletes a subsystem: ends its connections, gives its bdevs back.</summary>
    public async Task RemoveSubsystemAsync(NvmfSubsystem subsystem, CancellationToken cancellationToken)
    {
        if (subsystem.IsDeleting) throw new SpindleException(Errno.EBUSY, $"{subsystem.Nqn} is being deleted");
        subsystem.IsDeleting = true;
        Publish();
        Discovery.OnChanged();
        await subsystem.Gate.WaitAsync(cancellationToken);
        try
        {
            foreach (SubsystemListener listener in subsystem.Listeners.ToArray()) await RemoveListenerAsync(subsystem, listener);
            foreach (NvmfController controller in subsystem.Controllers) controller.PostDisconnect("its subsystem is being deleted");
            await subsystem.WaitForNoControllersAsync().WaitAsync(cancellationToken);
            foreach (NvmfNamespace ns in subsystem.Namespaces.ToArray()) await Namespaces.RemoveAsync(subsystem, ns).WaitAsync(cancellationToken);
            await _groups.ForEachAsync(group => group.RemoveSubsystem(subsystem.Id));
            _subsystems.Remove(subsystem);
        }
        finally
        {
            subsystem.Gate.Release();
        }
    }

    /// <summary>Makes a subsystem reachable at an address. The caller holds the subsystem's gate.</summary>
    /// <exception cref="SpindleException">ENOENT: the transport was not created. EEXIST: it is reachable there. EADDRINUSE …</exception>
    public async Task AddListenerAsync(NvmfSubsystem subsystem, NvmfTransportAddress address, Spindle.Nvme.LogPages.AnaState state)
    {
        NvmfTransport transport = FindTransport(address.TransportName)
            ?? throw new SpindleException(Errno.ENOENT, $"There is no {address.TransportName} transport; create it by nvmf_create_transport first.");
        if (subsystem.FindListener(address) is not null) throw new SpindleException(Errno.EEXIST, $"{subsystem.Nqn} is reachable at {address} already.");
        NvmfTransportAddress bound = await _listeners.AddAsync(transport, address);
        subsystem.AddListener(new SubsystemListener(subsystem.NextPortId(), transport, bound, subsystem.Options.MaxNamespaces, state));
    }

    /// <summary>Ends what <see cref="AddListenerAsync"/> began, with the subsystem's connections that came in there. The caller holds the subsystem's gate.</summary>
    public async Task RemoveListenerAsync(NvmfSubsystem subsystem, SubsystemListener listener)
    {
        subsystem.RemoveListener(listener);
        foreach (NvmfController controller in subsystem.Controllers) controller.PostDisconnectListener(listener.Address);
        await _listeners.RemoveAsync(listener.Transport, listener.Address);
    }

    /// <inheritdoc/>
    public void Accept(NvmfQueuePair queuePair) => _groups.Assign(queuePair);

    private static async Task WaitForRemovalAsync(NvmfSubsystem subsystem, CancellationToken cancellationToken)
    {
        // The removal that is under way holds the gate to its end.
        await subsystem.Gate.WaitAsync(cancellationToken);
        subsystem.Gate.Release();
    }

    private void Publish() => _byNqn = _subsystems.Where(s => !s.IsDeleting).ToFrozenDictionary(s => s.Nqn, StringComparer.Ordinal);
}
