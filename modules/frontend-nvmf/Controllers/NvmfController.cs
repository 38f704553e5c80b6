using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>A controller: one host's association with a subsystem. Its state is used on <see cref="Thread"/> only, that of its admin queue's poll group;
/// the constant members and those that say so on any.</summary>
/// <remarks>Life: made on the app thread by Connect of an admin queue → <see cref="Start"/> → I/O queues come and go → the admin queue ends, which ends
/// the I/O queues → with the last queue the subsystem forgets it.</remarks>
internal sealed class NvmfController
{
    private readonly ILogger _log;
    private readonly AssociationTimers _timers;
    private ControllerTransition _transition;
    private bool _ended;

    public NvmfController(NvmfTarget target, NvmfSubsystem subsystem, ushort cntlid, NvmfQueuePair adminQueue, ControllerIdentity identity)
    {
        Target = target;
        Subsystem = subsystem;
        Cntlid = cntlid;
        Transport = adminQueue.Transport;
        Thread = adminQueue.Group.Thread;
        HostNqn = identity.HostNqn;
        HostId = identity.HostId;
        Listener = identity.Listener;
        ListenAddress = identity.ListenAddress;
        _log = target.Log;

        NvmfTransportOptions options = Transport.Options;
        Registers = new ControllerRegisters(options.MaxQueueDepth, Array.Exists(subsystem.View.Namespaces, static ns => ns.IsZoned));
        Queues = new ControllerQueues(adminQueue, options.MaxIoQueuePairsPerController);
        _timers = new AssociationTimers(Thread, this, Disconnect);
        KeepAliveTimeout = KeepAlive.Round(identity.KeepAliveTimeout, options.KeepAliveGranularity, options.MinKeepAliveTimeout);
        Features.Events = AsynchronousEventConfiguration.NamespaceAttributeNotices;
        if (subsystem.Options.AnaReporting) Features.Events |= AsynchronousEventConfiguration.AsymmetricNamespaceAccessChangeNotices;
        if (subsystem.IsDiscovery)
        {
            // A discovery connection asks for change notices by a keep alive timeout (NVMe over Fabrics 1.1, section 1.5.2).
            Features.Events = KeepAliveTimeout == 0 ? AsynchronousEventConfiguration.None : AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification;
            if (KeepAliveTimeout == 0) KeepAliveTimeout = KeepAlive.DiscoveryTimeout;
        }
    }

    /// <summary>The target.</summary>
    public NvmfTarget Target { get; }

    /// <summary>The subsystem.</summary>
    public NvmfSubsystem Subsystem { get; }

    /// <summary>The controller ID, unique in the subsystem.</summary>
    public ushort Cntlid { get; }

    /// <summary>The transport by which it was connected.</summary>
    public NvmfTransport Transport { get; }

    /// <summary>The thread that serves it.</summary>
    public IStorageThread Thread { get; }

    /// <summary>The host's name.</summary>
    public string HostNqn { get; }

    /// <summary>The host identifier.</summary>
    public UuidBytes HostId { get; }

    /// <summary>Where the host came in; null at a discovery subsystem that does not have the address itself.</summary>
    public SubsystemListener? Listener { get; }

    /// <summary>The address where the host came in.</summary>
    public NvmfTransportAddress ListenAddress { get; }

    /// <summary>Milliseconds; what the host asked for at first, rounded.</summary>
    public uint KeepAliveTimeout { get; }

    /// <summary>Its kind.</summary>
    public ControllerType Type => Subsystem.IsDiscovery ? ControllerType.Discovery : ControllerType.Io;

    /// <summary>The properties.</summary>
    public ControllerRegisters Registers { get; }

    /// <summary>Its queue pairs.</summary>
    public ControllerQueues Queues { get; }

    /// <summary>Features that are values.</summary>
    public ControllerFeatures Features { get; } = new();

    /// <summary>Asynchronous Event Requests and events.</summary>
    public AsynchronousEventQueue Events { get; } = new();

    /// <summary>Namespaces that changed.</summary>
    public ChangedNamespaceList ChangedNamespaces { get; } = new();

    /// <summary>Abort commands under way.</summary>
    public int AbortsOutstanding { get; set; }

    /// <summary>The keep alive timer.</summary>
    public KeepAlive KeepAlive => _timers.KeepAlive;

    /// <summary>True once it is ending: no more queues.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>Whether a namespace is there for this host: a zoned one only when it has enabled all command sets. On any thread.</summary>
    public bool Shows(NvmfNamespace ns) => !ns.IsZoned || Registers.AllCommandSets;

    /// <summary>The ANA state of a group as this host sees it. On any thread.</summary>
    [DataPath]
    public AnaState GetAnaState(uint group)
    {
        if (!Subsystem.Options.AnaReporting || Listener is not { } listener) return AnaState.Optimized;
        return listener.IsActive ? listener.GetAnaState(group) : AnaState.Inaccessible;
    }

    /// <summary>The admin queue is connected.</summary>
    public void Start() => KeepAlive.Start(KeepAliveTimeout);

    /// <summary>Carries out what a write to CC started.</summary>
    public void Begin(ControllerTransition transition)
    {
        switch (transition)
        {
            case ControllerTransition.Enable:
                _timers.Association.Stop();
                break;
            case ControllerTransition.Shutdown:
                KeepAlive.Stop();
                BeginDraining(transition, "the host shut the controller down");
                break;
            case ControllerTransition.Reset:
                BeginDraining(transition, "the host reset the controller");
                break;
        }
    }

    /// <summary>A new I/O queue: takes its place.</summary>
    /// <returns>The status of Connect, and its result.</returns>
    public StatusField AddIoQueue(NvmfQueuePair queuePair, ushort qid, out uint result)
    {
        result = Nvme.Fabrics.ConnectResponse.InvalidParameters(Nvme.Fabrics.ConnectResponse.IpoQid, inData: false);
        StatusField invalid = new(FabricsStatusCode.ConnectInvalidParameters, dnr: true);
        if (IsEnding || _transition != ControllerTransition.None || Subsystem.IsDiscovery || !Registers.IsEnabled) return invalid;
        if (Registers.Configuration is not { Iosqes: 6, Iocqes: 4 }) return invalid;
        if (!Queues.TryAdd(queuePair, qid))
        {
            result = 0;
            return new StatusField(CommandSpecificStatusCode.InvalidQueueIdentifier, dnr: true);
        }
        result = Nvme.Fabrics.ConnectResponse.Success(Cntlid);
        return StatusField.Success;
    }

    /// <summary>Ends the association: all queues are disconnected.</summary>
    public void Disconnect(string reason)
    {
        if (IsEnding) return;
        IsEnding = true;
        _log.LogInformation("Controller {Cntlid} of {Nqn}, host {Host}: disconnecting, {Reason}", Cntlid, Subsystem.Nqn, HostNqn, reason);
        Queues.PostDisconnect(reason, includeAdmin: true);
    }

    /// <summary>From the admin queue, on its thread: it is being disconnected, so its event requests end.</summary>
    public void AbandonEvents(NvmfQueuePair queuePair)
    {
        if (queuePair.Qid == 0) Events.EndAll();
    }

    /// <summary>From a queue, on its thread: nothing of it is outstanding any more.</summary>
    public void OnQueuePairDrained(NvmfQueuePair queuePair) => Thread.Send(s_removeQueue, new QueueMessage(this, queuePair));

    /// <summary>A namespace came, went or changed. On any thread.</summary>
    public void PostNamespaceChanged(uint nsid) => Thread.Send(s_namespaceChanged, new NamespaceMessage(this, nsid));

    /// <summary>The discovery log page changed. On any thread.</summary>
    public void PostDiscoveryChanged() => Thread.Send(s_discoveryChanged, this);

    /// <summary>An ANA state changed. On any thread.</summary>
    public void PostAnaChanged() => Thread.Send(s_anaChanged, this);

    /// <summary>Ends the association. On any thread.</summary>
    public void PostDisconnect(string reason) => Thread.Send(s_disconnect, new DisconnectMessage(this, reason));

    /// <summary>Ends the queues that came in at an address, and with its admin queue the association. On any thread.</summary>
    public void PostDisconnectListener(NvmfTransportAddress address) => Thread.Send(s_disconnectListener, new ListenerMessage(this, address));

    private static readonly StorageMessage s_removeQueue = static state => ((QueueMessage)state!).Run();
    private static readonly StorageMessage s_namespaceChanged = static state => ((NamespaceMessage)state!).Run();
    private static readonly StorageMessage s_disconnect = static state => ((DisconnectMessage)state!).Run();
    private static readonly StorageMessage s_disconnectListener = static state => ((ListenerMessage)state!).Run();
    private static readonly StorageMessage s_discoveryChanged = static state =>
        ((NvmfController)state!).Notify(AsynchronousEvent.DiscoveryLogPageChange, AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification);
    private static readonly StorageMessage s_anaChanged = static state => ((NvmfController)state!).Notify(
        AsynchronousEvent.AsymmetricNamespaceAccessChange, AsynchronousEventConfiguration.AsymmetricNamespaceAccessChangeNotices);
    private static readonly StorageMessage s_forget = static state => ((NvmfController)state!).Subsystem.RemoveController((NvmfController)state!);

    private void OnNamespaceChanged(uint nsid)
    {
        ChangedNamespaces.Add(nsid);
        Notify(AsynchronousEvent.NamespaceAttributeChanged, AsynchronousEventConfiguration.NamespaceAttributeNotices);
    }

    private void Notify(AsynchronousEvent notice, AsynchronousEventConfiguration enabledBy)
    {
        if (!IsEnding && Registers.Configuration.En && (Features.Events & enabledBy) != 0) Events.Raise(notice);
    }

    private void BeginDraining(ControllerTransition transition, string reason)
    {
        if (_transition != ControllerTransition.None)
        {
            // A reset while a shutdown is under way: the reset has the last word.
            if (transition == ControllerTransition.Reset) _transition = transition;
            return;
        }
        _transition = transition;
        _timers.StartDrainLimit(Registers.SetFatal);
        Queues.PostDisconnect(reason, includeAdmin: false);
        EndDrainingIfDone();
    }

    private void EndDrainingIfDone()
    {
        if (_transition == ControllerTransition.None || Queues.IoCount != 0) return;
        if (_transition == ControllerTransition.Reset)
        {
            Registers.OnResetDone();
            Events.Reset();
            ChangedNamespaces.Clear();
        }
        else
        {
            Registers.OnShutdownDone();
        }
        _transition = ControllerTransition.None;
        _timers.StopDrainLimit();
        // The association is kept for two minutes after CC.EN is cleared (NVMe over Fabrics 1.1, section 2.2.1).
        _timers.Association.Start(KeepAlive.DiscoveryTimeout);
    }

    private void RemoveQueue(NvmfQueuePair queuePair)
    {
        Queues.Remove(queuePair);
        if (queuePair == Queues.Admin)
        {
            Queues.AdminGone = true;
            IsEnding = true;
            Queues.PostDisconnect("the admin queue was disconnected", includeAdmin: false);
        }
        EndDrainingIfDone();
        if (_ended || !Queues.AdminGone || Queues.IoCount != 0) return;
        _ended = true;
        _timers.StopAll();
        Target.AppThread.Send(s_forget, this);
    }

    private void DisconnectListener(NvmfTransportAddress address)
    {
        if (ListenAddress.Matches(address)) Disconnect("its listener was removed");
        else Queues.PostDisconnectListener(address, "its listener was removed");
    }

    private sealed record QueueMessage(NvmfController Controller, NvmfQueuePair QueuePair)
    {
        public void Run() => Controller.RemoveQueue(QueuePair);
    }

    private sealed record NamespaceMessage(NvmfController Controller, uint Nsid)
    {
        public void Run() => Controller.OnNamespaceChanged(Nsid);
    }

    private sealed record DisconnectMessage(NvmfController Controller, string Reason)
    {
        public void Run() => Controller.Disconnect(Reason);
    }

    private sealed record ListenerMessage(NvmfController Controller, NvmfTransportAddress Address)
    {
        public void Run() => Controller.DisconnectListener(Address);
    }
}
