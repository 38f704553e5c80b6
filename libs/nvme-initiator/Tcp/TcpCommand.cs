using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;

namespace Spindle.Nvme.Initiator.Tcp;

/// <summary>Where a command of an NVMe/TCP queue is.</summary>
internal enum TcpCommandState : byte
{
    /// <summary>Not submitted.</summary>
    Free,
    /// <summary>Its capsule waits to be sent.</summary>
    Queued,
    /// <summary>Its capsule was sent, or is being sent.</summary>
    Sent,
    /// <summary>Data that the controller asked for waits to be sent.</summary>
    DataQueued,
    /// <summary>The controller has completed it; its data is still in a send.</summary>
    Finished,
}

/// <summary>One place in an NVMe/TCP queue.</summary>
internal sealed class TcpCommand(ushort index, int maxVectors, IoVec scratch) : NvmeCommand(index, maxVectors, scratch)
{
    internal TcpCommandState Status;
    internal ushort Identifier;          // index, and a number that changes with each use above it
    internal uint Transferred;           // bytes received, or asked for by R2Ts and sent
    internal uint TransferLeft;          // bytes of the R2T that are still to be sent
    internal ushort TransferTag;
    internal bool InBatch;               // the send under way has data of it
    internal CompletionQueueEntry Completion;
    internal TcpCommand? NextToSend;
    internal TcpCommand? NextInBatch;
}
