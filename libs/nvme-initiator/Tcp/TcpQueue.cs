using System.Net;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.Tcp;
using Spindle.Threading;

namespace Spindle.Nvme.Initiator.Tcp;

/// <summary>A queue of an NVMe/TCP controller: one connection, on its storage thread's ring. What is submitted in a turn leaves in one send; what
/// comes is taken as far as it has come. A PDU that breaks the specification ends the queue with a terminate request.</summary>
public sealed partial class TcpQueue : NvmeQueue, IDisposable
{
    private const int IdentifierIndexBits = 12;
    private static readonly TimeSpan s_terminationTimeout = TimeSpan.FromMilliseconds(200);

    private readonly RingSocket _socket;
    private readonly DmaBuffer _memory;
    private readonly TcpCommand[] _commands;
    private readonly SendOperation _send;
    private readonly ReceiveOperation _receive;
    private readonly TerminationTimer _terminationTimer;
    private readonly TaskCompletionSource<ICResp> _initialized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DigestTypes _askedDigests;
    private PduRules _rules;
    private bool _stopping, _terminating, _shutDown;
    private PduCheck _violation;

    private unsafe TcpQueue(IStorageThread thread, IDmaMemory memory, RingSocket socket, TcpQueueOptions options) : base(thread)
    {
        _socket = socket;
        _receiveBytes = options.ReceiveBytes;
        _memory = memory.Allocate(options.ReceiveBytes + TcpSendBatch.StagingSize + (nuint)options.Depth * NvmeCommand.ScratchSize);
        _in = _memory.Slice(0, options.ReceiveBytes);
        _batch = new TcpSendBatch(_memory.Slice(options.ReceiveBytes, TcpSendBatch.StagingSize));
        _commands = new TcpCommand[options.Depth];
        nuint scratch = options.ReceiveBytes + TcpSendBatch.StagingSize;
        for (int i = 0; i < options.Depth; i++)
            _commands[i] = new TcpCommand((ushort)i, options.MaxVectors, _memory.Slice(scratch + (nuint)i * NvmeCommand.ScratchSize, NvmeCommand.ScratchSize));
        _direct = new IoVec[options.MaxVectors + 1];
        SetCommands(_commands);
        _send = new SendOperation(this);
        _receive = new ReceiveOperation(this);
        _terminationTimer = new TerminationTimer(this);
        _askedDigests = (options.HeaderDigest ? DigestTypes.HeaderDigest : 0) | (options.DataDigest ? DigestTypes.DataDigest : 0);
        _rules = new PduRules { Receiver = PduReceiver.Host, Phase = ConnectionPhase.Initializing, MaxData = uint.MaxValue };
    }

    /// <summary>Bytes of data that may go with a command in its capsule.</summary>
    public uint InCapsuleBytes { get; set; } = PduLayout.AdminInCapsuleDataSize;

    /// <summary>Sends and receives that have ended.</summary>
    public ulong SocketCompletions { get; private set; }

    /// <summary>Commands that waited in the queue for a send under way.</summary>
    public ulong QueuedCount { get; private set; }

    /// <summary>Connects and exchanges ICReq and ICResp. On the storage thread that will use it.</summary>
    /// <exception cref="SpindleException">It cannot be reached, or its answer is not valid. ETIMEDOUT: it did not answer.</exception>
    public static async Task<TcpQueue> ConnectAsync(IIoPlatform io, IDmaMemory memory, EndPoint address, TcpQueueOptions options, CancellationToken cancellationToken = default)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(options.ConnectTimeout);
        RingSocket socket;
        try
        {
            socket = await io.ConnectAsync(address, timeout.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SpindleException(Errno.ETIMEDOUT, $"{address} does not answer.");
        }
        TcpQueue queue;
        try
        {
            queue = new TcpQueue(StorageThread.Required, memory, socket, options);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        try
        {
            await queue.InitializeAsync(timeout.Token, cancellationToken);
            return queue;
        }
        catch
        {
            await queue.CloseAsync();
            queue.Dispose();
            throw;
        }
    }

    private async Task InitializeAsync(CancellationToken timeout, CancellationToken cancellationToken)
    {
        StageIcReq();
        Receive();
        Flush();
        try
        {
            // Its digests and alignment are in force from here on; what follows it in the stream was parsed by them.
            await _initialized.Task.WaitAsync(timeout);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SpindleException(Errno.ETIMEDOUT, $"{_socket.RemoteEndPoint} does not answer as an NVMe/TCP target.");
        }
    }

    private unsafe void StageIcReq()
    {
        var request = new ICReq { Header = PduLayout.Header(PduType.ICReq, PduFlags.None, false), Dgst = _askedDigests };
        new Span<byte>(_batch.Stage(ICReq.Size), ICReq.Size).Clear();
        _batch.Reset();
        *(ICReq*)_batch.Stage(ICReq.Size) = request;
    }

    /// <summary>The controller's answer to the ICReq (NVMe TCP Transport Specification 1.0, 3.6.2.3).</summary>
    private void Established(in ICResp response)
    {
        var check = PduValidator.CheckICResp(response, _askedDigests);
        if (!check.IsValid)
        {
            Violation(check, "its ICResp is not valid");
            return;
        }
        if (response.Dgst != _askedDigests)
        {
            Fail("the target does not do the digests that were asked for");
            return;
        }
        _rules.Phase = ConnectionPhase.Established;
        _rules.HeaderDigest = (response.Dgst & DigestTypes.HeaderDigest) != 0;
        _rules.DataDigest = (response.Dgst & DigestTypes.DataDigest) != 0;
        _cpda = response.Cpda;
        _maxH2CData = response.Maxh2cdata;
        _initialized.TrySetResult(response);
    }

    /// <inheritdoc/>
    public override ushort IdentifierOf(NvmeCommand command) => ((TcpCommand)command).Identifier;

    /// <summary>The controller broke the protocol: tells it how, and ends the queue.</summary>
    private void Violation(PduCheck check, string what)
    {
        _violation = check;
        Fail($"{_socket.RemoteEndPoint} broke the protocol: {what}");
    }

    /// <inheritdoc/>
    private protected override void Stop()
    {
        _stopping = true;
        _initialized.TrySetException(new SpindleException(Errno.EIO, Failure ?? "The connection was closed."));
        if (!_violation.IsValid && !_send.IsPending) Terminate();
        if (!_terminating) ShutDown();
        EndIfQuiet();
    }

    // H2CTermReq, then the end of the connection: at once when it was sent, or when the target does not take it (3.6.2.4).
    private unsafe void Terminate()
    {
        _batch.Reset();
        var request = new TermReq
        {
            Header = new PduHeader { PduType = PduType.H2CTermReq, Hlen = TermReq.Size, Plen = TermReq.Size },
            Fes = _violation.Fes,
            Fei = _violation.Fei,
        };
        *(TermReq*)_batch.Stage(TermReq.Size) = request;
        if (Thread.Ring.Send(_socket, _batch.Vectors, _send) != 0) return;
        _terminating = true;
        if (Thread.Ring.Timeout(s_terminationTimeout, _terminationTimer) != 0) ShutDown();
    }

    private void ShutDown()
    {
        if (_shutDown) return;
        _shutDown = true;
        _socket.Shutdown();
        if (_terminationTimer.IsPending) Thread.Ring.Cancel(_terminationTimer);
        if (_receive.IsPending) Thread.Ring.Cancel(_receive);
        if (_send.IsPending && !_terminating) Thread.Ring.Cancel(_send);
    }

    private void EndIfQuiet()
    {
        if (!_stopping || _send.IsPending || _receive.IsPending || _terminationTimer.IsPending) return;
        _sendHead = _sendTail = null;
        _batchCommands = null;
        foreach (var command in _commands)
        {
            command.Status = TcpCommandState.Free;
            command.InBatch = false;
            command.NextToSend = command.NextInBatch = null;
        }
        End();
    }

    /// <summary>Frees the socket and the memory; the queue has ended.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        _memory.Dispose();
    }

    private sealed class SendOperation(TcpQueue queue) : RingOperation
    {
        protected override void OnCompleted(int result) => queue.OnSent(result);
    }

    private sealed class ReceiveOperation(TcpQueue queue) : RingOperation
    {
        protected override void OnCompleted(int result) => queue.OnReceived(result);
    }

    private sealed class TerminationTimer(TcpQueue queue) : RingOperation
    {
        protected override void OnCompleted(int result)
        {
            queue.ShutDown();
            queue.EndIfQuiet();
        }
    }
}
