using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Io;
using Spindle.Nvme.LogPages;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>A listening address: accepts connections one after another on the ring of the app thread's reactor, and hands them to the target, which chooses their
/// poll groups; nothing is received from a connection before it is on its own reactor.</summary>
internal sealed class TcpListener : AcceptOperation
{
    private static readonly TimeSpan s_retryDelay = TimeSpan.FromMilliseconds(100);

    private readonly TcpTransport _transport;
    private readonly RingListener _listener;
    private readonly IStorageThread _thread;
    private readonly RetryTimer _retry;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _stopping;

    public TcpListener(TcpTransport transport, NvmfTransportAddress address, RingListener listener, IStorageThread thread)
    {
        _transport = transport;
        _listener = listener;
        _thread = thread;
        _retry = new RetryTimer(this);
        Address = address;
    }

    /// <summary>With the port that it has.</summary>
    public NvmfTransportAddress Address { get; }

    /// <summary>Starts to accept. On the app thread.</summary>
    public void Start() => Arm();

    /// <summary>Stops, and closes the socket. On the app thread.</summary>
    public async Task StopAsync()
    {
        _stopping = true;
        if (IsPending) _thread.Ring.Cancel(this);
        if (_retry.IsPending) _thread.Ring.Cancel(_retry);
        EndIfIdle();
        await _stopped.Task;
        _listener.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnCompleted(int result)
    {
        RingSocket? socket = Accepted;
        Accepted = null;
        if (_stopping)
        {
            socket?.Dispose();
            EndIfIdle();
            return;
        }
        if (result < 0 || socket is null)
        {
            // Out of file descriptors, most likely; a connection that was reset before it was accepted, possibly.
            if (result != -Errno.ECONNRESET) _transport.Log.LogWarning("Accepting at {Address} failed: {Error}", Address, Errno.Message(result));
            Retry();
            return;
        }
        _transport.OnAccepted(this, socket);
        Arm();
    }

    private void Arm()
    {
        if (_stopping) return;
        if (!_transport.MayAccept)
        {
            Retry();
            return;
        }
        int result = _thread.Ring.Accept(_listener, this);
        if (result < 0) Retry();
    }

    private void Retry()
    {
        if (_retry.IsPending) return;
        int result = _thread.Ring.Timeout(s_retryDelay, _retry);
        if (result < 0) _transport.Log.LogError("Stopped accepting at {Address}: {Error}", Address, Errno.Message(result));
    }

    private void EndIfIdle()
    {
        if (!IsPending && !_retry.IsPending) _stopped.TrySetResult();
    }

    private sealed class RetryTimer(TcpListener listener) : RingOperation
    {
        protected override void OnCompleted(int result)
        {
            if (listener._stopping) listener.EndIfIdle();
            else listener.Arm();
        }
    }
}
