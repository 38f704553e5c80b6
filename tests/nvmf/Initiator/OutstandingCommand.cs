using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.Initiator;

/// <summary>A command in flight: what it may receive and send, and how far that has come. Every PDU that names it is checked here.</summary>
internal sealed class OutstandingCommand(SubmissionQueueEntry sqe, ReadOnlyMemory<byte> dataOut, bool inCapsule, Memory<byte> dataIn, bool shortDataAllowed)
{
    private uint received;
    private uint requested;
    private bool lastDataSeen;

    public SubmissionQueueEntry Sqe { get; } = sqe;
    public ReadOnlyMemory<byte> DataOut { get; } = dataOut;
    public Memory<byte> DataIn { get; } = dataIn;
    public TaskCompletionSource<CompletionQueueEntry> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Transfer tags of R2Ts whose data is not sent yet.</summary>
    private readonly HashSet<ushort> activeTransferTags = [];

    /// <summary>Bytes of data the target sent.</summary>
    public uint Received => received;

    public string Name => $"command {Sqe.Cid} (opcode {Sqe.Opcode:X2}h{(Sqe.IsFabrics ? $", FCTYPE {(byte)Sqe.Fctype:X2}h" : "")})";

    /// <summary>Takes a C2HData; true when it also completes the command (SUCCESS).</summary>
    public bool TakeData(ReceivedPdu pdu)
    {
        C2HData data = pdu.As<C2HData>();
        if (DataIn.IsEmpty)
        {
            throw new ProtocolViolationException($"C2HData for {Name}, which reads no data.");
        }
        if (lastDataSeen)
        {
            throw new ProtocolViolationException($"C2HData for {Name} after the one with LAST_PDU.");
        }
        if (data.Datal != pdu.Data.Length)
        {
            throw new ProtocolViolationException($"C2HData for {Name}: DATAL is {data.Datal}, but the PDU carries {pdu.Data.Length} bytes.");
        }
        if (data.Datao != received)
        {
            throw new ProtocolViolationException($"C2HData for {Name}: DATAO is {data.Datao}, the next byte is {received}.");
        }
        if (data.Datal > (uint)DataIn.Length - received)
        {
            throw new ProtocolViolationException($"C2HData for {Name}: {data.Datal} bytes at {data.Datao} reach past the {DataIn.Length} bytes of the command.");
        }
        pdu.Data.CopyTo(DataIn[(int)received..]);
        received += data.Datal;
        lastDataSeen = (pdu.Flags & PduFlags.LastPdu) != 0;
        if (received == DataIn.Length && !lastDataSeen)
        {
            throw new ProtocolViolationException($"C2HData for {Name}: the command's last byte came without LAST_PDU.");
        }
        if (!lastDataSeen && data.Datal % 4 != 0)
        {
            throw new ProtocolViolationException($"C2HData for {Name}: DATAL {data.Datal} before the last is not a multiple of 4.");
        }
        bool success = (pdu.Flags & PduFlags.Success) != 0;
        if (success)
        {
            CheckAllData();
        }
        return success;
    }

    /// <summary>Takes an R2T and gives the range to send.</summary>
    public (uint Offset, uint Length) TakeR2T(R2T r2t, uint maxR2T)
    {
        if (DataOut.IsEmpty || inCapsule)
        {
            throw new ProtocolViolationException($"R2T for {Name}, which {(inCapsule ? "brought its data in the capsule" : "writes no data")}.");
        }
        if (r2t.R2tl == 0 || r2t.R2to != requested || r2t.R2tl > (uint)DataOut.Length - requested)
        {
            throw new ProtocolViolationException($"R2T for {Name}: {r2t.R2tl} bytes at {r2t.R2to}; asked for so far {requested} of {DataOut.Length}.");
        }
        if (r2t.R2to % 4 != 0)
        {
            throw new ProtocolViolationException($"R2T for {Name}: R2TO {r2t.R2to} is not a multiple of 4.");
        }
        lock (activeTransferTags)
        {
            if (!activeTransferTags.Add(r2t.Ttag))
            {
                throw new ProtocolViolationException($"R2T for {Name}: TTAG {r2t.Ttag} is still in use.");
            }
            if (activeTransferTags.Count > maxR2T)
            {
                throw new ProtocolViolationException($"R2T for {Name}: {activeTransferTags.Count} outstanding, the host allows {maxR2T}.");
            }
        }
        requested += r2t.R2tl;
        return (r2t.R2to, r2t.R2tl);
    }

    /// <summary>The last data of an R2T is about to be sent.</summary>
    public void EndTransfer(ushort ttag)
    {
        lock (activeTransferTags)
        {
            activeTransferTags.Remove(ttag);
        }
    }

    /// <summary>Checks that a completion may come now.</summary>
    public void CheckCompletion(CompletionQueueEntry cqe)
    {
        if (cqe.Status.PhaseTag)
        {
            throw new ProtocolViolationException($"Completion of {Name} has its phase tag set; over fabrics it is 0.");
        }
        if (!cqe.Status.IsSuccess)
        {
            return;
        }
        if (received > 0 && !lastDataSeen)
        {
            throw new ProtocolViolationException($"{Name} completed with success before the C2HData with LAST_PDU.");
        }
        CheckAllData();
        if (!inCapsule && requested != DataOut.Length)
        {
            throw new ProtocolViolationException($"{Name} completed with success after {requested} of {DataOut.Length} bytes were asked for.");
        }
        lock (activeTransferTags)
        {
            if (activeTransferTags.Count > 0)
            {
                throw new ProtocolViolationException($"{Name} completed with success while R2T data was still being sent.");
            }
        }
    }

    private void CheckAllData()
    {
        if (received != DataIn.Length && !(shortDataAllowed && received <= DataIn.Length))
        {
            throw new ProtocolViolationException($"{Name} completed with success after {received} of {DataIn.Length} bytes.");
        }
    }
}
