using Spindle.Frontend.Nvmf.Transport;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>The transport in one poll group. Once per loop it visits the connections on which something changed, so that all that became ready in the
/// loop goes out in one send per connection, and all sends and receives in one system call. Its poller needs no spinning: what makes a connection
/// dirty is always a completion of the ring, a message, or another poller of this reactor.</summary>
internal sealed class TcpPollGroup : NvmfTransportPollGroup
{
    private readonly TcpTransport _transport;
    private readonly IStorageThread _thread;
    private readonly IPoller _poller;
    private readonly IPoller _supervisor;
    private TcpConnection? _dirtyHead;
    private TcpConnection? _dirtyTail;
    private TcpConnection? _supervisedHead;
    private TcpConnection? _stalledHead;
    private TcpConnection? _stalledTail;

    public TcpPollGroup(TcpTransport transport, NvmfPollGroup group) : base(group)
    {
        _transport = transport;
        _thread = group.Thread;
        Buffers = new TcpBufferPool(transport.Host.Context.Iobuf, transport.Host.Context.Memory, transport.Options, transport.Host.PollGroups.Count, Statistics)
        {
            ReserveReturned = ResumeStalled,
        };
        _poller = _thread.RegisterPoller("nvmf_tcp_send", static state => ((TcpPollGroup)state!).Poll(), this, default, PollerWake.Events);
        _supervisor = _thread.RegisterPoller("nvmf_tcp_timeouts", static state => ((TcpPollGroup)state!).CheckDeadlines(), this,
            transport.Settings.SupervisionPeriod, PollerWake.Events);
        _supervisor.Pause();
    }

    public TcpBufferPool Buffers { get; }

    public TcpStatistics Statistics { get; } = new();

    /// <summary>Connections.</summary>
    public int Count { get; private set; }

    internal void Add(TcpConnection connection) => Count++;

    internal void Remove(TcpConnection connection)
    {
        EndSupervision(connection);
        RemoveStalled(connection);
        Count--;
    }

    [DataPath]
    internal void AddDirty(TcpConnection connection)
    {
        connection.IsDirty = true;
        connection.NextDirty = null;
        if (_dirtyTail is null) _dirtyHead = connection;
        else _dirtyTail.NextDirty = connection;
        _dirtyTail = connection;
    }

    internal void Supervise(TcpConnection connection, TimeSpan limit)
    {
        connection.Deadline = System.Diagnostics.Stopwatch.GetTimestamp() + (long)(limit.TotalSeconds * System.Diagnostics.Stopwatch.Frequency);
        if (connection.IsSupervised) return;
        connection.IsSupervised = true;
        connection.PreviousSupervised = null;
        connection.NextSupervised = _supervisedHead;
        if (_supervisedHead is null) _supervisor.Resume();
        else _supervisedHead.PreviousSupervised = connection;
        _supervisedHead = connection;
    }

    internal void EndSupervision(TcpConnection connection)
    {
        if (!connection.IsSupervised) return;
        connection.IsSupervised = false;
        if (connection.PreviousSupervised is null) _supervisedHead = connection.NextSupervised;
        else connection.PreviousSupervised.NextSupervised = connection.NextSupervised;
        if (connection.NextSupervised is not null) connection.NextSupervised.PreviousSupervised = connection.PreviousSupervised;
        connection.NextSupervised = null;
        connection.PreviousSupervised = null;
        if (_supervisedHead is null) _supervisor.Pause();
    }

    internal void AddStalled(TcpConnection connection)
    {
        if (connection.IsStalledForBuffer) return;
        connection.IsStalledForBuffer = true;
        connection.NextStalled = null;
        if (_stalledTail is null) _stalledHead = connection;
        else _stalledTail.NextStalled = connection;
        _stalledTail = connection;
        Statistics.BufferWaits++;
    }

    /// <summary>Gives up its part: all connections are closed.</summary>
    public override void Dispose()
    {
        _poller.Unregister();
        _supervisor.Unregister();
        Buffers.Dispose();
        _transport.OnGroupDisposed(this);
    }

    /// <summary>A reserve buffer is there again: the connection that waits longest may have it.</summary>
    private void ResumeStalled()
    {
        if (_stalledHead is not { } connection) return;
        _stalledHead = connection.NextStalled;
        if (_stalledHead is null) _stalledTail = null;
        connection.NextStalled = null;
        connection.IsStalledForBuffer = false;
        connection.MarkDirty();
    }

    private void RemoveStalled(TcpConnection connection)
    {
        if (!connection.IsStalledForBuffer) return;
        TcpConnection? previous = null;
        for (TcpConnection? at = _stalledHead; at is not null; previous = at, at = at.NextStalled)
        {
            if (at != connection) continue;
            if (previous is null) _stalledHead = at.NextStalled;
            else previous.NextStalled = at.NextStalled;
            if (_stalledTail == at) _stalledTail = previous;
            break;
        }
        connection.NextStalled = null;
        connection.IsStalledForBuffer = false;
    }

    [DataPath]
    private PollResult Poll()
    {
        TcpConnection? connection = _dirtyHead;
        if (connection is null) return PollResult.Idle;
        // What gets dirty meanwhile has its turn in the next loop.
        _dirtyHead = null;
        _dirtyTail = null;
        while (connection is not null)
        {
            TcpConnection? next = connection.NextDirty;
            connection.NextDirty = null;
            connection.IsDirty = false;
            connection.Poll();
            connection = next;
        }
        return PollResult.Busy;
    }

    private PollResult CheckDeadlines()
    {
        long now = System.Diagnostics.Stopwatch.GetTimestamp();
        TcpConnection? connection = _supervisedHead;
        // Busy when it made connections dirty, so that the reactor does not sleep before they had their turn.
        PollResult result = PollResult.Idle;
        while (connection is not null)
        {
            TcpConnection? next = connection.NextSupervised;
            if (connection.Deadline <= now)
            {
                connection.OnDeadline();
                result = PollResult.Busy;
            }
            connection = next;
        }
        return result;
    }
}
