using Microsoft.Extensions.Logging;
using Spindle.Bdev.Nvme.Namespaces;
using Spindle.Bdev.Nvme.Transports;
using Spindle.Modules;
using Spindle.Nvme.Events;
using Spindle.Threading;

namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>One path to a subsystem: a controller, its association and its namespaces, through losses and reconnects. It is the I/O device whose channels
/// are the threads' I/O queues. On the app thread, but for what says otherwise.</summary>
internal sealed partial class NvmeController : IoDevice
{
    private readonly IModuleContext _context;
    private readonly Func<PathOptions, TransportAddress, NvmeTransport> _transports;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1); // connecting, scanning and ending, one at a time
    private readonly CancellationTokenSource _deleting = new();
    private int _state = (int)ControllerState.Resetting;
    private int _failsIo;
    private CancellationTokenSource? _delay;
    private long? _lostAt;
    private bool _scanWanted, _anaWanted, _scanning, _noQueueSaid;

    internal NvmeController(IModuleContext context, PathOptions path, NvmeOptions options, Func<PathOptions, TransportAddress, NvmeTransport> transports, ILogger log)
    {
        _context = context;
        Path = path;
        Options = options;
        _transports = transports;
        _log = log;
        Addresses.Add(path.Address);
    }

    internal PathOptions Path { get; }
    internal NvmeOptions Options { get; }

    /// <summary>The ways to it, the present one first.</summary>
    internal List<TransportAddress> Addresses { get; } = [];

    /// <summary>The group that it is in.</summary>
    internal ControllerGroup Group { get; set; } = null!;

    /// <summary>The association; null while it is lost.</summary>
    internal ControllerSession? Session { get; private set; }

    /// <summary>The last association's identifier.</summary>
    internal ushort Cntlid { get; private set; }

    internal Dictionary<uint, NvmeNamespace> Namespaces { get; } = [];
    internal Retirements Retirements { get; } = new();

    /// <summary>On any thread.</summary>
    internal ControllerState State
    {
        get => (ControllerState)Volatile.Read(ref _state);
        private set => Volatile.Write(ref _state, (int)value);
    }

    /// <summary>It may come back by itself, and I/O waits for that. On any thread.</summary>
    internal bool MayReturn => (State is ControllerState.Resetting or ControllerState.ReconnectIsDelayed) && Volatile.Read(ref _failsIo) == 0;

    internal NvmeTransport? Transport => Session?.Transport;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread)
    {
        var channel = new ControllerChannel(this, thread);
        // When it is known as a channel: from then on either this or the end of a recovery connects it, whichever comes last.
        thread.Send(static state => ((ControllerChannel)state!).ConnectIfMissing(), channel);
        return channel;
    }

    /// <summary>Connects for the first time.</summary>
    /// <exception cref="SpindleException">EIO: it could not be connected; the text says why.</exception>
    internal async Task ConnectAsync(CancellationToken cancellationToken)
    {
        try
        {
            Session = await OpenSessionAsync(cancellationToken);
        }
        catch (SpindleException e)
        {
            // SPDK's one code for all that may stand against it.
            throw new SpindleException(Errno.EIO, $"Input/output error: {Addresses[0]} cannot be attached: {e.Message}");
        }
        Cntlid = Session.Terms.Cntlid;
    }

    private Task<ControllerSession> OpenSessionAsync(CancellationToken cancellationToken) =>
        ControllerSession.ConnectAsync(_context, _transports(Path, Addresses[0]), Options, Path.IoQueues, cancellationToken);

    /// <summary>Its device is registered and its namespaces may be looked at: I/O may come.</summary>
    internal async Task StartAsync()
    {
        var session = Session!;
        await BeginAsync(session);
        State = ControllerState.Enabled;
    }

    private async Task BeginAsync(ControllerSession session)
    {
        session.Lost = OnSessionLost;
        session.EventReported = OnEvent;
        await session.StartAsync();
    }

    /// <summary>Closes an association that was not put to use.</summary>
    internal async Task AbandonAsync()
    {
        if (Session is { } session) await session.DisposeAsync();
        Session = null;
    }

    private void OnEvent(AsynchronousEvent what)
    {
        if (what.Type != AsynchronousEventType.Notice) return;
        if (what.Information == (byte)NoticeEvent.NamespaceAttributeChanged) _scanWanted = true;
        else if (what.Information == (byte)NoticeEvent.AsymmetricNamespaceAccessChange) _anaWanted = true;
        else return;
        _ = ScanAsync();
    }

    /// <summary>A command was refused because of the namespace's access state. On any thread.</summary>
    internal void OnAnaRefused() => _context.Threads.AppThread.Send(static state =>
    {
        var self = (NvmeController)state!;
        self._anaWanted = true;
        _ = self.ScanAsync();
    }, this);

    /// <summary>Looks at what the controller said has changed. What comes meanwhile is looked at after.</summary>
    private async Task ScanAsync()
    {
        if (_scanning) return;
        _scanning = true;
        try
        {
            await _turn.WaitAsync();
            try
            {
                while ((_scanWanted || _anaWanted) && State == ControllerState.Enabled && Session is { } session)
                {
                    bool namespaces = _scanWanted;
                    _scanWanted = _anaWanted = false;
                    if (namespaces) await NamespaceScan.AcknowledgeAsync(session);
                    await NamespaceScan.RunAsync(this, session, namespaces, _log);
                    await WakeChannelsAsync();
                }
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (SpindleException e)
        {
            if (State != ControllerState.Deleting) _log.LogWarning("{Controller}: what it reported could not be read: {Reason}", this, e.Message);
        }
        finally
        {
            _scanning = false;
        }
    }

    internal Task WakeChannelsAsync() => _context.Threads.ForEachChannelAsync(this, static (channel, _) =>
    {
        ((ControllerChannel)channel).WakeUsers();
        return 0;
    }, null);

    /// <summary>All I/O queues that the controller granted are taken; said once. On any thread.</summary>
    internal void OnNoQueueLeft(string thread)
    {
        if (_noQueueSaid) return;
        _noQueueSaid = true;
        _log.LogWarning("{Controller} has no I/O queue left for thread {Thread}: raise the target's max_qpairs, or num_io_queues", this, thread);
    }

    /// <summary>A command has not ended in time. On any thread.</summary>
    internal void OnCommandTimeout(ControllerSession session, ushort qid, ushort identifier)
    {
        _log.LogWarning("{Controller}: command {Identifier} of queue {Qid} has not ended in {Timeout} us", this, identifier, qid, Options.TimeoutUs);
        if (Options.ActionOnTimeout != TimeoutAction.None) _ = _context.Threads.AppThread.InvokeAsync(() => ActOnTimeoutAsync(session, qid, identifier));
    }

    private async Task ActOnTimeoutAsync(ControllerSession session, ushort qid, ushort identifier)
    {
        if (session != Session || State != ControllerState.Enabled) return;
        if (Options.ActionOnTimeout == TimeoutAction.Abort && await TryAbortAsync(session, qid, identifier)) return;
        if (session == Session) await ResetAsync();
    }

    private static async Task<bool> TryAbortAsync(ControllerSession session, ushort qid, ushort identifier)
    {
        try
        {
            return await session.AbortAsync(qid, identifier);
        }
        catch (SpindleException)
        {
            return false;
        }
    }

    /// <summary>Asks the controller to abort a command.</summary>
    internal Task<bool> AbortAsync(ushort qid, ushort identifier) => Session is { } session ? TryAbortAsync(session, qid, identifier) : Task.FromResult(false);

    public override string ToString() => $"{Group?.Name} ({Addresses[0]})";
}
