using System.Runtime.CompilerServices;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Io;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>An NVMe/TCP connection: one queue pair. It ties the ways in and out to the target and sees to an orderly end.</summary>
/// <remarks>The end: whoever finds it (peer closed, a fatal error, the target) calls <see cref="NvmfQueuePair.Disconnect"/>; commands that the target does not have yet are dropped, those
/// it has complete; then what is queued is sent, C2HTermReq last; then the host is told by the end of the stream and has a while to close its side; then the socket is shut down,
/// and closed when the ring holds nothing of it.</remarks>
internal class TcpConnection : NvmfQueuePair
{
    private enum Phase : byte
    {
        Accepted,
        Open,
        Draining,
        Closing,
        Closed,
    }

    // Namespaces share all code but the bdev's own.
    private const int MaxExercised = 4;

    private TcpPollGroup _group = null!;
    private Phase _phase;
    private bool _peerClosed;
    private bool _terminated;
    private bool _flushExpired;
    private bool _lingering;
    private bool _lingerExpired;
    private bool _shutDown;
    private bool _connected;

    /// <summary>The group's list of connections to look at in its next poll.</summary>
    internal TcpConnection? NextDirty;
    internal bool IsDirty;

    /// <summary>The group's list of connections that a time limit is set for.</summary>
    internal TcpConnection? NextSupervised;
    internal TcpConnection? PreviousSupervised;
    internal bool IsSupervised;
    internal long Deadline;

    /// <summary>The group's list of connections that wait for a reserve buffer.</summary>
    internal TcpConnection? NextStalled;
    internal bool IsStalledForBuffer;

    public TcpConnection(TcpTransport transport, NvmfTransportAddress listenAddress, NvmfTransportAddress peerAddress, RingSocket socket)
        : base(transport, listenAddress, peerAddress)
    {
        Transport = transport;
        Settings = transport.Settings;
        Socket = socket;
        Pool = new TcpRequestPool(this);
        Window = new TcpWriteWindow(this);
        Sender = new TcpSender(this);
        Receiver = new TcpReceiver(this);
    }

    public new TcpTransport Transport { get; }

    public TcpSettings Settings { get; }

    public RingSocket Socket { get; }

    public TcpRequestPool Pool { get; }

    public TcpSender Sender { get; }

    public TcpReceiver Receiver { get; }

    public TcpWriteWindow Window { get; }

    public IIoRing Ring { get; private set; } = null!;

    public TcpBufferPool Buffers => _group.Buffers;

    public TcpStatistics Statistics => _group.Statistics;

    /// <summary>Whether slots are in use only until their responses are sent: the host may know of their end before this side does.</summary>
    public bool SlotsWillReturn
    {
        get
        {
            foreach (TcpRequest request in Pool.All)
            {
                if (request.Stage is TcpRequestStage.Completing or TcpRequestStage.Sending) return true;
            }
            return false;
        }
    }

    /// <inheritdoc/>
    protected internal override void OnStart()
    {
        _group = (TcpPollGroup)TransportGroup;
        Ring = Group.Thread.Ring;
        _phase = Phase.Open;
        Statistics.Connections++;
        _group.Add(this);
        Supervise(Settings.HandshakeTimeout);
        Receiver.Start();
    }

    /// <inheritdoc/>
    protected internal override void OnConnected()
    {
        if (_phase != Phase.Open) return;
        _connected = true;
        Pool.Extend((int)QueueSize);
        if (Qid != 0)
        {
            Receiver.UseLargeBuffer();
            Exercise();
        }
        Transport.OnHandshakeEnded(this);
        _group.EndSupervision(this);
    }

    /// <summary>Goes the way of a read as far as it can without one, for each namespace twice: what runs for the first time, and calls that find their target
    /// at their first runs, take ten and more microseconds, better here than for the first command. There is no block of this number; nothing is counted.</summary>
    private void Exercise()
    {
        if (Namespaces is null || Pool.TryGet() is not { } request) return;
        for (int index = 0; index < Namespaces.All.Length && index < MaxExercised; index++)
        {
            if (Namespaces.All[index] is not { } channel) continue;
            var command = new SubmissionQueueEntry { Opcode = (byte)NvmOpcode.Read, Nsid = (uint)index + 1 };
            command.Sgl1.Length = channel.BlockSize;
            ref NvmIoCommand read = ref command.As<NvmIoCommand>();
            read.Slba = ulong.MaxValue;
            read.BlockCount = 1;
            for (int round = 0; round < 2; round++)
            {
                request.Begin(command);
                Arrive(request);
                _ = TcpSglCheck.Check(command.Sgl1, new NvmfDataTransfer(DataTransferDirection.ControllerToHost, channel.BlockSize, Transport.Options.MaxIoSize));
                request.TryReadInPlace();
            }
        }
        Pool.Put(request);
    }

    /// <inheritdoc/>
    protected internal override void OnDisconnecting()
    {
        if (_phase == Phase.Accepted) return;
        _phase = Phase.Draining;
        if (!_connected) Transport.OnHandshakeEnded(this);
        _group.EndSupervision(this);
        Receiver.Stop();
        Window.Close();
        foreach (TcpRequest request in Pool.All)
        {
            switch (request.Stage)
            {
                case TcpRequestStage.WaitingForWindow:
                    Window.Remove(request);
                    break;
                case TcpRequestStage.WaitingForBuffers:
                    Buffers.CancelWait(request);
                    break;
                case TcpRequestStage.AwaitingData:
                    Sender.Remove(request);
                    break;
                case TcpRequestStage.InCapsule:
                    break;
                default:
                    continue;
            }
            request.Drop();
            if (!Receiver.Holds(request)) Free(request);
        }
    }

    /// <inheritdoc/>
    protected internal override void OnDrained()
    {
        if (_phase == Phase.Accepted)
        {
            // It never got to a reactor.
            _phase = Phase.Closed;
            Transport.OnHandshakeEnded(this);
            Socket.Shutdown();
            Socket.Dispose();
            Closed();
            return;
        }
        _phase = Phase.Closing;
        Supervise(Settings.FlushTimeout);
        MarkDirty();
    }

    /// <inheritdoc/>
    protected internal override bool TryAbort(ushort cid)
    {
        foreach (TcpRequest request in Pool.All)
        {
            if (request.Command.Cid != cid) continue;
            if (request.Stage == TcpRequestStage.WaitingForBuffers) Buffers.CancelWait(request);
            else if (request.Stage == TcpRequestStage.WaitingForWindow) Window.Remove(request);
            else continue;
            request.Stage = TcpRequestStage.Executing;
            request.Reject(new StatusField(GenericStatusCode.CommandAbortRequested));
            return true;
        }
        return false;
    }

    /// <inheritdoc/>
    internal override bool HasLent(NamespaceChannel channel)
    {
        foreach (TcpRequest request in Pool.All)
        {
            if (request.Lender == channel) return true;
        }
        return false;
    }

    /// <summary>A valid ICReq: answers it.</summary>
    internal void OnICReq(in ICReq request)
    {
        NvmfTransportOptions options = Transport.Options;
        bool headerDigest = (request.Dgst & DigestTypes.HeaderDigest) != 0;
        bool dataDigest = (request.Dgst & DigestTypes.DataDigest) != 0;
        // MAXR2T is 0's based.
        uint needed = (options.MaxIoSize + Settings.MaxR2TLength - 1) / Settings.MaxR2TLength;
        uint transfers = Math.Min(Math.Min(needed, Settings.MaxR2TsPerCommand), request.Maxr2t == uint.MaxValue ? uint.MaxValue : request.Maxr2t + 1);
        Pool.Configure((int)QueueSize, TcpBufferPool.MaxBuffers(options, Transport.LargeBufferSize), (int)transfers);
        Sender.Configure(headerDigest, dataDigest, request.Hpda);
        Sender.SendSetup(TcpSetup.BuildICResp(request.Dgst & (DigestTypes.HeaderDigest | DigestTypes.DataDigest), Settings.Cpda, options.MaxIoSize));
        // ICReq came in time; now Connect must.
        Supervise(Settings.HandshakeTimeout);
    }

    /// <summary>A command capsule without data.</summary>
    [DataPath]
    internal void OnCapsule(TcpRequest request, in NvmfDataTransfer transfer)
    {
        StatusField status = TcpSglCheck.Check(request.Command.Sgl1, transfer);
        request.Stage = TcpRequestStage.Executing;
        if (!status.IsSuccess) request.Reject(status);
        else if (transfer.Direction == DataTransferDirection.None) Run(request);
        else if (transfer.Direction == DataTransferDirection.ControllerToHost && TryReadInPlace(request)) return;
        else if (transfer.Direction == DataTransferDirection.HostToController) Window.Enter(request);
        else if (Buffers.TryGet(request)) request.OnBuffers();
    }

    /// <summary>Sends the bdev's own memory if it lends it. Not with data digests: what is sent must be what the digest was computed of, and a write
    /// of the same blocks may come in between.</summary>
    [DataPath]
    private bool TryReadInPlace(TcpRequest request)
    {
        if (Sender.HasDataDigest) return false;
        // Inside the call it may be queued to be sent, which looks at this.
        request.BufferSource = TcpBufferSource.Lent;
        if (request.TryReadInPlace()) return true;
        request.BufferSource = TcpBufferSource.None;
        return false;
    }

    /// <summary>Hands a command with all its data to the target. The one step between transport and target, replaced where a test plays the target.</summary>
    [DataPath]
    internal virtual void Run(TcpRequest request) => request.Execute();

    /// <summary>The target has ended a command.</summary>
    [DataPath]
    internal void OnRequestCompleted(TcpRequest request)
    {
        // What is not sent to the host is of no use any more.
        if (request.Direction != DataTransferDirection.ControllerToHost || request.Completion.Status.Raw != 0) Buffers.Release(request);
        if (_terminated || _peerClosed || Sender.HasFailed) Free(request);
        else Sender.EnqueueCompletion(request);
    }

    /// <summary>Gives a slot back with all that it has.</summary>
    [DataPath]
    internal void Free(TcpRequest request)
    {
        Buffers.Release(request);
        Window.Leave(request);
        request.ResetTransfers();
        Pool.Put(request);
        if (Receiver.IsStalled) MarkDirty();
    }

    /// <summary>Parsing cannot go on.</summary>
    internal void OnStalled(bool needsBuffer)
    {
        if (needsBuffer) _group.AddStalled(this);
    }

    /// <summary>Has <see cref="Poll"/> called at the group's next poll.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void MarkDirty()
    {
        if (!IsDirty) _group.AddDirty(this);
    }

    /// <summary>Once in a loop of the reactor, when something changed: sends, and takes up again what had to wait.</summary>
    [DataPath]
    internal void Poll()
    {
        if (_phase == Phase.Closed) return;
        if (Receiver.IsStalled && !IsStalledForBuffer) Receiver.Resume();
        Sender.Flush();
        if (_phase == Phase.Closing) TryClose();
    }

    /// <summary>A send ended well.</summary>
    [DataPath]
    internal void OnSent()
    {
        if (_phase == Phase.Closing) MarkDirty();
    }

    /// <summary>Nothing can be sent any more.</summary>
    internal void OnSendFailed(int error)
    {
        _peerClosed = true;
        Sender.Abandon();
        Disconnect($"send failed: {Errno.Message(error)}");
        if (_phase == Phase.Closing) MarkDirty();
    }

    /// <summary>The peer closed its side, or the connection broke.</summary>
    internal void OnReceiveFailed(int result)
    {
        _peerClosed = true;
        Sender.Abandon();
        Disconnect(result == 0 ? "the host closed the connection" : $"receive failed: {Errno.Message(result)}");
    }

    /// <summary>A receive ended after parsing had been stopped.</summary>
    internal void OnDiscarded(int result)
    {
        if (result <= 0 && result != -Errno.ECANCELED) _peerClosed = true;
        else if ((_terminated || _lingering) && _phase is Phase.Draining or Phase.Closing && !_shutDown) Receiver.Discard();
        if (_phase == Phase.Closing) MarkDirty();
    }

    /// <summary>A fatal error of the host: tells it so by C2HTermReq, and ends the connection.</summary>
    internal void Terminate(FatalErrorStatus fes, uint fei, ReadOnlySpan<byte> header)
    {
        if (_terminated) return;
        _terminated = true;
        Statistics.Terminations++;
        Sender.SendTermination(TcpSetup.BuildTermReq(fes, fei, header));
        Disconnect($"C2HTermReq sent: {fes}, FEI {fei}");
    }

    /// <summary>The host found a fatal error of this side.</summary>
    internal void OnTerminatedByHost(FatalErrorStatus fes, uint fei)
    {
        _peerClosed = true;
        Sender.Abandon();
        Disconnect($"H2CTermReq received: FES {(ushort)fes:X2}h, FEI {fei}");
    }

    /// <summary>Its time limit is over.</summary>
    internal void OnDeadline()
    {
        _group.EndSupervision(this);
        switch (_phase)
        {
            case Phase.Open:
                Statistics.HandshakeTimeouts++;
                Disconnect("no Connect within the time limit");
                break;
            case Phase.Closing when !_flushExpired && Sender.HasWork:
                _flushExpired = true;
                TryClose();
                break;
            case Phase.Closing:
                _lingerExpired = true;
                TryClose();
                break;
        }
    }

    private void Supervise(TimeSpan limit) => _group.Supervise(this, limit);

    private void TryClose()
    {
        if (!_flushExpired && !_peerClosed && Sender.HasWork) return;
        if (!_peerClosed && !_flushExpired && !_lingerExpired)
        {
            if (_lingering) return;
            _lingering = true;
            // After C2HTermReq the host closes first (NVMe TCP Transport Specification 1.0, C2HTermReq).
            if (!_terminated) Socket.ShutdownSend();
            Supervise(_terminated ? Settings.TerminationLinger : Settings.CloseLinger);
            Receiver.Discard();
            return;
        }
        if (!_shutDown)
        {
            _shutDown = true;
            Socket.Shutdown();
            if (Receiver.IsPending) Ring.Cancel(Receiver);
            if (Sender.IsPending) Ring.Cancel(Sender);
        }
        // Each of them comes back here.
        if (Receiver.IsPending || Sender.IsPending) return;
        Sender.Abandon();
        _phase = Phase.Closed;
        _group.Remove(this);
        Sender.Release();
        Receiver.Release();
        Socket.Dispose();
        Closed();
    }
}
