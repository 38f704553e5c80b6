using System.Collections.Frozen;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>An NVM subsystem, or the discovery subsystem: what a host names when it connects. Everything on the app thread, except
/// the constant members and <see cref="View"/>.</summary>
internal sealed class NvmfSubsystem
{
    private readonly SortedDictionary<uint, NvmfNamespace> _namespaces = [];
    private readonly List<string> _hosts = [];
    private readonly List<SubsystemListener> _listeners = [];
    private readonly Dictionary<ushort, NvmfController> _controllers = [];
    private readonly Action _discoveryChanged;
    private volatile SubsystemView _view = SubsystemView.Empty;
    private bool _allowAnyHost;
    private ushort _nextControllerId;
    private TaskCompletionSource? _controllersGone;

    public NvmfSubsystem(int id, string nqn, bool isDiscovery, SubsystemOptions options, Action discoveryChanged)
    {
        Id = id;
        Nqn = nqn;
        IsDiscovery = isDiscovery;
        Options = options;
        _discoveryChanged = discoveryChanged;
        _nextControllerId = options.MinControllerId;
    }

    /// <summary>Names it in the poll groups; never reused.</summary>
    public int Id { get; }

    /// <summary>Its NVMe qualified name.</summary>
    public string Nqn { get; }

    /// <summary>True for the discovery subsystem.</summary>
    public bool IsDiscovery { get; }

    /// <summary>What it was created with.</summary>
    public SubsystemOptions Options { get; }

    /// <summary>What other threads see of it. On any thread.</summary>
    public SubsystemView View => _view;

    /// <summary>One change at a time: changes wait for the poll groups.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>True once it is being deleted: no new connections.</summary>
    public bool IsDeleting { get; set; }

    /// <summary>Any host may connect.</summary>
    public bool AllowAnyHost
    {
        get => _allowAnyHost;
        set
        {
            if (_allowAnyHost == value) return;
            _allowAnyHost = value;
            Publish();
            _discoveryChanged();
        }
    }

    /// <summary>The allowed hosts, in the order added.</summary>
    public IReadOnlyList<string> Hosts => _hosts;

    /// <summary>The listeners, in the order added.</summary>
    public IReadOnlyList<SubsystemListener> Listeners => _listeners;

    /// <summary>The namespaces, by NSID.</summary>
    public IReadOnlyCollection<NvmfNamespace> Namespaces => _namespaces.Values;

    /// <summary>The controllers.</summary>
    public IReadOnlyCollection<NvmfController> Controllers => _controllers.Values;

    /// <summary>Allows a host; harmless when it is allowed already.</summary>
    /// <exception cref="SpindleException">EINVAL: not an NQN.</exception>
    public void AddHost(string hostNqn)
    {
        if (!Nvme.Nqn.TryValidate(hostNqn, out string? error)) throw new SpindleException(Errno.EINVAL, $"host '{hostNqn}': {error}.");
        if (_hosts.Contains(hostNqn)) return;
        _hosts.Add(hostNqn);
        Publish();
        _discoveryChanged();
    }

    /// <summary>Takes a host off the list. Its connections are the caller's to end.</summary>
    /// <returns>False when it was not on it.</returns>
    public bool RemoveHost(string hostNqn)
    {
        if (!_hosts.Remove(hostNqn)) return false;
        Publish();
        _discoveryChanged();
        return true;
    }

    /// <summary>Adds a listener.</summary>
    public void AddListener(SubsystemListener listener)
    {
        _listeners.Add(listener);
        Publish();
        _discoveryChanged();
    }

    /// <summary>Takes a listener away. Its connections are the caller's to end.</summary>
    public void RemoveListener(SubsystemListener listener)
    {
        listener.IsActive = false;
        _listeners.Remove(listener);
        Publish();
        _discoveryChanged();
    }

    /// <summary>The listener at an address; null when there is none.</summary>
    public SubsystemListener? FindListener(NvmfTransportAddress address) => _view.FindListener(address);

    /// <summary>A port ID that no listener of this subsystem has.</summary>
    public ushort NextPortId()
    {
        ushort id = 0;
        while (_listeners.Exists(l => l.PortId == id)) id++;
        return id;
    }

    /// <summary>The namespace with an NSID; null when there is none.</summary>
    public NvmfNamespace? FindNamespace(uint nsid) => _namespaces.GetValueOrDefault(nsid);

    /// <summary>The smallest NSID that is free; 0 when all are taken.</summary>
    public uint FindFreeNsid()
    {
        for (uint nsid = 1; nsid <= Options.MaxNamespaces; nsid++)
        {
            if (!_namespaces.ContainsKey(nsid)) return nsid;
        }
        return 0;
    }

    /// <summary>Makes a namespace active: hosts see it, and are told.</summary>
    public void AddNamespace(NvmfNamespace ns)
    {
        _namespaces.Add(ns.Nsid, ns);
        Publish();
        NotifyNamespaceChanged(ns.Nsid);
    }

    /// <summary>Takes a namespace away: hosts do not see it any more, and are told.</summary>
    /// <returns>False when it is not there (any more).</returns>
    public bool RemoveNamespace(NvmfNamespace ns)
    {
        if (!_namespaces.TryGetValue(ns.Nsid, out NvmfNamespace? current) || current != ns) return false;
        _namespaces.Remove(ns.Nsid);
        Publish();
        NotifyNamespaceChanged(ns.Nsid);
        return true;
    }

    /// <summary>Tells all hosts that a namespace is not what it was.</summary>
    public void NotifyNamespaceChanged(uint nsid)
    {
        foreach (NvmfController controller in _controllers.Values) controller.PostNamespaceChanged(nsid);
    }

    /// <summary>Takes a free controller ID for a new controller; false when none is left. IDs are used in turn, so that one just freed stays free for long.</summary>
    public bool TryAllocateControllerId(out ushort id)
    {
        ushort min = Options.MinControllerId;
        ushort max = Options.MaxControllerId;
        for (int tries = max - min + 1; tries > 0; tries--)
        {
            id = _nextControllerId;
            _nextControllerId = id >= max ? min : (ushort)(id + 1);
            if (!_controllers.ContainsKey(id)) return true;
        }
        id = 0;
        return false;
    }

    /// <summary>The controller with an ID; null when there is none.</summary>
    public NvmfController? FindController(ushort id) => _controllers.GetValueOrDefault(id);

    /// <summary>A controller begins.</summary>
    public void AddController(NvmfController controller) => _controllers.Add(controller.Cntlid, controller);

    /// <summary>A controller has ended.</summary>
    public void RemoveController(NvmfController controller)
    {
        if (_controllers.TryGetValue(controller.Cntlid, out NvmfController? current) && current == controller) _controllers.Remove(controller.Cntlid);
        if (_controllers.Count == 0) _controllersGone?.TrySetResult();
    }

    /// <summary>Returns when there is no controller; the caller has told them to end, and lets no new one begin.</summary>
    public Task WaitForNoControllersAsync()
    {
        if (_controllers.Count == 0) return Task.CompletedTask;
        _controllersGone ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _controllersGone.Task;
    }

    private void Publish() =>
        _view = new SubsystemView([.. _namespaces.Values], _hosts.ToFrozenSet(StringComparer.Ordinal), _allowAnyHost, [.. _listeners]);
}
