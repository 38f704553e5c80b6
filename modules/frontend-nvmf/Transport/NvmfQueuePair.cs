using Spindle.Frontend.Nvmf.Commands;
using Spindle.Frontend.Nvmf.Commands.Io;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Memory;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>A submission and completion queue pair, which over fabrics is a connection. A transport derives from it. Everything on its
/// poll group's thread, unless a member says otherwise.</summary>
/// <remarks><para>Life: accepted (any thread) → <see cref="INvmfTransportHost.Accept"/> → <see cref="OnStart"/> on the thread of its poll group →
/// the host's Connect command → commands … → <see cref="Disconnect"/>, by either side → <see cref="OnDisconnecting"/> → outstanding commands end →
/// <see cref="OnDrained"/> → <see cref="Closed"/>.</para></remarks>
public abstract class NvmfQueuePair
{
    private readonly FusedPairing _fused = new();
    private NvmfRequest? _first;
    private NvmfRequest? _last;
    private int _outstanding;
    private ushort _sqHead;
    private bool _drained;

    internal NvmfController? Controller;
    internal SubsystemChannel? Namespaces;
    internal bool SqFlowControlDisabled;

    /// <param name="transport">Its transport.</param>
    /// <param name="listenAddress">The address it was accepted at, as <see cref="NvmfTransport.ListenAsync"/> returned it.</param>
    /// <param name="peerAddress">The host's end.</param>
    protected NvmfQueuePair(NvmfTransport transport, NvmfTransportAddress listenAddress, NvmfTransportAddress peerAddress)
    {
        Transport = transport;
        ListenAddress = listenAddress;
        PeerAddress = peerAddress;
    }

    /// <summary>Its transport.</summary>
    public NvmfTransport Transport { get; }

    /// <summary>The address it was accepted at.</summary>
    public NvmfTransportAddress ListenAddress { get; }

    /// <summary>The host's end.</summary>
    public NvmfTransportAddress PeerAddress { get; }

    /// <summary>The poll group that serves it; set before <see cref="OnStart"/>.</summary>
    public NvmfPollGroup Group { get; internal set; } = null!;

    /// <summary>The transport's part of <see cref="Group"/>; set before <see cref="OnStart"/>.</summary>
    public NvmfTransportPollGroup TransportGroup { get; internal set; } = null!;

    /// <summary>Queue identifier; 0 is an admin queue. Meaningful once connected.</summary>
    public ushort Qid { get; internal set; }

    /// <summary>Entries of the submission queue, as many commands at most are outstanding. Before Connect: what a transport must be ready for, 32.</summary>
    public uint QueueSize { get; internal set; } = 32;

    /// <summary>Where it is in its life.</summary>
    public NvmfQueuePairState State { get; internal set; }

    /// <summary>Why it was disconnected; empty before.</summary>
    public string DisconnectReason { get; private set; } = "";

    /// <summary>Commands with the target: executed, not completed.</summary>
    public int Outstanding => _outstanding;

    internal NvmfRequest? FirstOutstanding => _first;

    /// <summary>Begin to serve: the poll group is chosen, this is its thread.</summary>
    protected internal abstract void OnStart();

    /// <summary>The host's Connect succeeded: <see cref="Qid"/> and <see cref="QueueSize"/> are known; make room for as many commands. Before Connect's <see cref="NvmfRequest.OnCompleted"/>.</summary>
    protected internal virtual void OnConnected() { }

    /// <summary>It is being disconnected: take no more commands, <see cref="NvmfRequest.Drop"/> those not yet executed. Completions still come for the others.</summary>
    protected internal abstract void OnDisconnecting();

    /// <summary>Nothing is outstanding any more: send what is queued if the connection still works, close it, give everything back, then call <see cref="Closed"/>.</summary>
    protected internal abstract void OnDrained();

    /// <summary>Tries to end a command that arrived and waits in the transport for a buffer or for data: <see cref="NvmfRequest.Reject"/> it with
    /// Command Abort Requested.</summary>
    /// <returns>False when the transport has no such command, or cannot end it now.</returns>
    protected internal virtual bool TryAbort(ushort cid) => false;

    /// <summary>Whether it holds memory that a namespace has lent (<see cref="NvmfRequest.TryReadInPlace"/>).</summary>
    internal virtual bool HasLent(NamespaceChannel channel) => false;

    /// <summary>Announces a command, once for each, in the order in which the capsules arrived (fused pairs are found by it), and tells what data it moves.
    /// The request's <see cref="NvmfRequest.Command"/> is filled.</summary>
    [DataPath]
    public NvmfDataTransfer Arrive(NvmfRequest request)
    {
        request.Begin();
        NvmfDataTransfer transfer = CommandDispatch.Describe(this, request);
        if (transfer.Length != 0 && request.Command.Psdt is PrpOrSgl.Prp or PrpOrSgl.Reserved)
        {
            // Over fabrics, SGLs alone describe data (NVMe Base Specification 2.0, Figure 86, PSDT).
            transfer = new NvmfDataTransfer(DataTransferDirection.None, 0, transfer.MaxLength);
            request.ForcedStatus = new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
        }
        request.Direction = transfer.Direction;
        request.Length = transfer.Length;
        if (Qid != 0) _fused.Arrive(request);
        return transfer;
    }

    /// <summary>Ends the connection, from the transport (the peer went away, a fatal error) or the target. Calling it again is harmless.</summary>
    /// <param name="reason">For the log: a phrase.</param>
    public void Disconnect(string reason)
    {
        if (State is NvmfQueuePairState.Disconnecting or NvmfQueuePairState.Closed) return;
        State = NvmfQueuePairState.Disconnecting;
        DisconnectReason = reason;
        Group.OnDisconnecting(this);
        OnDisconnecting();
        _fused.Abandon();
        Controller?.AbandonEvents(this);
        DrainIfIdle();
    }

    /// <summary>The transport has closed the connection and holds nothing of it any more. The last call of its life.</summary>
    protected void Closed()
    {
        if (State == NvmfQueuePairState.Closed) return;
        State = NvmfQueuePairState.Closed;
        Group.Remove(this);
    }

    [DataPath]
    internal void Execute(NvmfRequest request)
    {
        request.State = NvmfRequestState.Executing;
        Link(request);
        if (request.ForcedStatus != default) request.Complete(request.ForcedStatus);
        else if (State == NvmfQueuePairState.Disconnecting) request.Complete(new StatusField(GenericStatusCode.CommandAbortedDueToSqDeletion));
        else CommandDispatch.Execute(this, request);
    }

    [DataPath]
    internal bool TryReadInPlace(NvmfRequest request)
    {
        if (State != NvmfQueuePairState.Enabled || Qid == 0 || request.ForcedStatus != default) return false;
        NamespaceChannel? channel = IoCommands.TryReadInPlace(this, request, out IoVec data);
        if (channel is null) return false;
        channel.OnRequestBegun();
        request.Lender = channel;
        request.AddBuffer(data);
        CompleteAtOnce(request);
        return true;
    }

    [DataPath]
    internal bool TryWriteAtOnce(NvmfRequest request, ReadOnlySpan<byte> data)
    {
        if (State != NvmfQueuePairState.Enabled || Qid == 0 || request.ForcedStatus != default || !IoCommands.TryWriteAtOnce(this, request, data)) return false;
        CompleteAtOnce(request);
        return true;
    }

    /// <summary>Ends a command well that was never begun.</summary>
    [DataPath]
    private void CompleteAtOnce(NvmfRequest request)
    {
        request.Completion.Cid = request.Command.Cid;
        request.Completion.Status = StatusField.Success;
        request.State = NvmfRequestState.Free;
        Group.CountCompletion();
        if (!SqFlowControlDisabled) request.Completion.Sqhd = NextSqHead();
        request.OnCompleted();
    }

    [DataPath]
    internal void Reject(NvmfRequest request, StatusField status)
    {
        request.State = NvmfRequestState.Executing;
        Link(request);
        request.Complete(status);
    }

    internal void Drop(NvmfRequest request)
    {
        if (request.State != NvmfRequestState.Arrived) return;
        request.State = NvmfRequestState.Free;
        _fused.Ended(request);
    }

    [DataPath]
    internal void Complete(NvmfRequest request)
    {
        request.Completion.Cid = request.Command.Cid;
        request.State = NvmfRequestState.Free;
        Unlink(request);
        if (request.Namespace is { } channel)
        {
            request.Namespace = null;
            channel.OnRequestEnded();
        }
        if (Qid != 0)
        {
            Group.CountCompletion();
            if (request.FusedPeer is not null || request.Command.Fuse != 0) _fused.Ended(request);
        }
        // Last of all: a fused peer, or a command that waited for the namespace, may have completed inside this call, and SQHD must not go back.
        if (!SqFlowControlDisabled) request.Completion.Sqhd = NextSqHead();
        request.OnCompleted();
        if (State == NvmfQueuePairState.Disconnecting) DrainIfIdle();
    }

    private ushort NextSqHead()
    {
        // SQHD wraps at the queue's size (NVMe over Fabrics 1.1, 2.4): it counts entries, not commands.
        _sqHead = (ushort)(_sqHead + 1u >= QueueSize ? 0 : _sqHead + 1);
        return _sqHead;
    }

    internal void DrainIfIdle()
    {
        if (_outstanding != 0 || _drained || State != NvmfQueuePairState.Disconnecting) return;
        _drained = true;
        Controller?.OnQueuePairDrained(this);
        OnDrained();
    }

    private void Link(NvmfRequest request)
    {
        request.Next = null;
        request.Previous = _last;
        if (_last is null) _first = request;
        else _last.Next = request;
        _last = request;
        _outstanding++;
    }

    private void Unlink(NvmfRequest request)
    {
        if (request.Previous is null) _first = request.Next;
        else request.Previous.Next = request.Next;
        if (request.Next is null) _last = request.Previous;
        else request.Next.Previous = request.Previous;
        request.Next = null;
        request.Previous = null;
        _outstanding--;
    }
}

/// <summary>Where a queue pair is in its life.</summary>
public enum NvmfQueuePairState
{
    /// <summary>A connection without an NVMe queue yet.</summary>
    Uninitialized,
    /// <summary>Its Connect command is being carried out.</summary>
    Connecting,
    /// <summary>Connected to a controller.</summary>
    Enabled,
    /// <summary>No more commands; outstanding ones end.</summary>
    Disconnecting,
    /// <summary>Gone.</summary>
    Closed,
}
