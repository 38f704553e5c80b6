using Spindle.Memory;
using Spindle.Nvme.Commands;

namespace Spindle.Tool.NvmePerf.Initiator;

/// <summary>Called when a command of a slot has ended, on the connection's storage thread.</summary>
internal delegate void SlotCompletion(InitiatorSlot slot, in CompletionQueueEntry completion);

/// <summary>One place in a queue: its index is the command identifier, its memory holds the command's PDU headers and data.</summary>
internal sealed class InitiatorSlot(ushort cid, IoVec headers, IoVec data)
{
    /// <summary>Bytes of PDU headers: the capsule first, then one H2CData header for each piece that a target asks for.</summary>
    internal const uint HeaderBytes = 128 + MaxPieces * 32;

    /// <summary>H2CData PDUs that one command may need.</summary>
    internal const int MaxPieces = 64;

    internal readonly ushort Cid = cid;
    internal readonly IoVec Headers = headers;
    internal readonly IoVec Data = data;
    internal SubmissionQueueEntry Command;
    internal SlotCompletion Completed = null!;
    internal object? State;
    internal uint DataLength;       // bytes of the command's data
    internal bool IsWrite;          // the data goes to the target
    internal uint Received;         // bytes of read data that have come
    internal int Pieces;            // H2CData headers used
    internal bool IsActive;
    internal long Started;
}
