using Spindle.Frontend.Nvmf.Commands.Io;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Memory;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>One command on its way through the target; a transport derives from it and pools one for each slot of a queue. On its queue pair's
/// thread only.</summary>
/// <remarks><para>The transport: fills <see cref="Command"/> → <see cref="NvmfQueuePair.Arrive"/>, in the order in which capsules arrived →
/// gets buffers (and the data, when the host sends any) → <see cref="Execute"/>. Or it gives up with <see cref="Reject"/>.
/// Either is answered by exactly one <see cref="OnCompleted"/>, now or later: send the capsule with <see cref="Completion"/> (and, on success, data to the host), then
/// use the slot again. In place of Execute or Reject it may <see cref="Drop"/> the request when its queue pair is disconnecting.</para>
/// <para>The buffers belong to the target between Execute and OnCompleted.</para></remarks>
public abstract class NvmfRequest
{
    private readonly IoVec[] _buffers;
    private int _bufferCount;

    /// <summary>The submission queue entry, copied from the capsule.</summary>
    public SubmissionQueueEntry Command;

    /// <summary>The completion queue entry, complete when <see cref="OnCompleted"/> is called.</summary>
    public CompletionQueueEntry Completion;

    internal NvmfRequest? Next;
    internal NvmfRequest? Previous;
    internal NvmfRequestState State;
    internal NvmfRequest? FusedPeer;
    internal StatusField ForcedStatus;
    internal NamespaceChannel? Namespace;
    internal NamespaceChannel? Lender;
    internal readonly NamespaceIoWait IoWait;
    internal int Pending;
    internal uint Progress;
    internal bool AbortAsked;
    internal object? Context;

    /// <param name="queuePair">The queue pair whose slot it is.</param>
    /// <param name="maxBuffers">Data buffers that it may have, 1 or more.</param>
    protected NvmfRequest(NvmfQueuePair queuePair, int maxBuffers)
    {
        QueuePair = queuePair;
        _buffers = new IoVec[maxBuffers];
        IoWait = new NamespaceIoWait(this);
    }

    /// <summary>The queue pair.</summary>
    public NvmfQueuePair QueuePair { get; }

    /// <summary>Where its data goes; set by <see cref="NvmfQueuePair.Arrive"/>.</summary>
    public DataTransferDirection Direction { get; internal set; }

    /// <summary>Bytes of data: all buffers together hold exactly this many. Set by <see cref="NvmfQueuePair.Arrive"/>.</summary>
    public uint Length { get; internal set; }

    /// <summary>The data buffers.</summary>
    public ReadOnlySpan<IoVec> Buffers => new(_buffers, 0, _bufferCount);

    /// <summary>Adds a data buffer, cut to what of <see cref="Length"/> it is to hold.</summary>
    /// <returns>False when there are as many as there may be.</returns>
    public bool AddBuffer(in IoVec buffer)
    {
        if (_bufferCount == _buffers.Length) return false;
        _buffers[_bufferCount++] = buffer;
        return true;
    }

    /// <summary>Forgets the buffers; the transport does so before it gives them back.</summary>
    public void ClearBuffers() => _bufferCount = 0;

    /// <summary>Carries the command out. Its data from the host is in the buffers; for data to the host, the buffers are there.</summary>
    [DataPath]
    public void Execute() => QueuePair.Execute(this);

    /// <summary>Instead of getting buffers and <see cref="Execute"/>: carries out a read whose data the bdev has in memory. The one buffer is then the bdev's own, only
    /// to be read, and is given back by <see cref="ReturnLent"/>; <see cref="OnCompleted"/> is called inside. Not for a transport that needs the data unchanged
    /// between two looks at it, for a digest say: a write of the same blocks may come in between.</summary>
    /// <returns>False: nothing was done; go the usual way.</returns>
    [DataPath]
    public bool TryReadInPlace() => QueuePair.TryReadInPlace(this);

    /// <summary>Instead of getting buffers and <see cref="Execute"/>: carries out a write whose data is all there, by a bdev that takes it at once; <see cref="OnCompleted"/>
    /// is called inside. The data, <see cref="Length"/> bytes of it, is the transport's again afterwards.</summary>
    /// <returns>False: nothing was done; go the usual way.</returns>
    [DataPath]
    public bool TryWriteAtOnce(ReadOnlySpan<byte> data) => QueuePair.TryWriteAtOnce(this, data);

    /// <summary>Gives back what <see cref="TryReadInPlace"/> lent. Without it the namespace cannot be removed.</summary>
    [DataPath]
    public void ReturnLent()
    {
        if (Lender is not { } lender) return;
        Lender = null;
        ClearBuffers();
        lender.OnRequestEnded();
    }

    /// <summary>Ends a command that arrived but cannot be executed (a bad SGL, for example) with a status; <see cref="OnCompleted"/> is called inside.</summary>
    [DataPath]
    public void Reject(StatusField status) => QueuePair.Reject(this, status);

    /// <summary>Forgets a command that arrived and was neither executed nor rejected; no completion follows. For a queue pair that is disconnecting.</summary>
    public void Drop() => QueuePair.Drop(this);

    /// <summary>The command has ended. Called once on the queue pair's thread, possibly inside <see cref="Execute"/>. Nothing is to be sent when
    /// <see cref="NvmfQueuePair.State"/> is <see cref="NvmfQueuePairState.Disconnecting"/> and the transport cannot send any more.</summary>
    protected internal abstract void OnCompleted();

    /// <summary>Ends the command with a status.</summary>
    [DataPath]
    internal void Complete(StatusField status)
    {
        Completion.Status = status;
        QueuePair.Complete(this);
    }

    /// <summary>Ends the command; the completion's result and status are set.</summary>
    [DataPath]
    internal void Complete() => QueuePair.Complete(this);

    internal void Begin()
    {
        Completion = default;
        ForcedStatus = default;
        FusedPeer = null;
        Namespace = null;
        Pending = 0;
        Progress = 0;
        AbortAsked = false;
        Context = null;
        State = NvmfRequestState.Arrived;
    }
}

/// <summary>Where a request is.</summary>
internal enum NvmfRequestState : byte
{
    /// <summary>With the transport, unused.</summary>
    Free,
    /// <summary>With the transport: its capsule arrived, its data may be missing.</summary>
    Arrived,
    /// <summary>The first of a fused pair, executed before the second was.</summary>
    HeldForFused,
    /// <summary>With the target.</summary>
    Executing,
}
