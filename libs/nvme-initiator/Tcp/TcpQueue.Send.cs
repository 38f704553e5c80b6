using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.Tcp;

#pragma warning disable SPDL013 // Only the texts of failures are allocated, and a failure ends the queue.

namespace Spindle.Nvme.Initiator.Tcp;

/// <content>What goes to the controller. Commands, and data that it asked for, wait in a list until the send under way has ended; then all of them become
/// PDUs in one send. Data is sent from where it lies.</content>
public sealed unsafe partial class TcpQueue
{
    private const uint PaddingSize = 128;
    private readonly TcpSendBatch _batch;
    private TcpCommand? _sendHead, _sendTail, _batchCommands;
    private uint _maxH2CData = PduLayout.MinMaxH2CData;
    private byte _cpda;

    [DataPath]
    private protected override void Enqueue(NvmeCommand command)
    {
        var entry = (TcpCommand)command;
        entry.Identifier = (ushort)(entry.Index | (entry.Identifier + (1 << IdentifierIndexBits)) & ~((1 << IdentifierIndexBits) - 1));
        entry.Transferred = 0;
        entry.TransferLeft = 0;
        entry.InBatch = false;
        entry.Status = TcpCommandState.Queued;
        if (_send.IsPending) QueuedCount++;
        AddToSend(entry);
    }

    [DataPath]
    private void AddToSend(TcpCommand command)
    {
        command.NextToSend = null;
        if (_sendTail is null) _sendHead = command;
        else _sendTail.NextToSend = command;
        _sendTail = command;
    }

    /// <inheritdoc/>
    [DataPath]
    public override void Flush()
    {
        if (_send.IsPending || _stopping) return;
        if (_batch.IsEmpty)
        {
            if (_sendHead is null) return;
            _batch.Reset();
            Fill();
        }
        int error = Thread.Ring.Send(_socket, _batch.Vectors, _send);
        if (error != 0) Fail($"sending failed: {Errno.Message(error)}");
    }

    [DataPath]
    private void OnSent(int result)
    {
        SocketCompletions++;
        if (_stopping)
        {
            if (_terminating) ShutDown();
            EndIfQuiet();
            return;
        }
        if (result <= 0)
        {
            Fail(result == 0 ? "sending failed" : $"sending failed: {Errno.Message(result)}");
            return;
        }
        _batch.Advance((uint)result);
        if (_batch.IsEmpty) EndBatch();
        Flush();
    }

    // The data of these is free again.
    [DataPath]
    private void EndBatch()
    {
        var command = _batchCommands;
        _batchCommands = null;
        while (command is not null)
        {
            var next = command.NextInBatch;
            command.NextInBatch = null;
            command.InBatch = false;
            if (command.Status == TcpCommandState.Finished) Finish(command, command.Completion);
            command = next;
        }
    }

    [DataPath]
    private void Fill()
    {
        while (_sendHead is { } command)
        {
            if (!(command.Status == TcpCommandState.Queued ? TryAddCapsule(command) : TryAddData(command))) break;
            _sendHead = command.NextToSend;
            command.NextToSend = null;
            if (_sendHead is null) _sendTail = null;
        }
    }

    [DataPath]
    private bool TryAddCapsule(TcpCommand command)
    {
        uint length = command.DataLength;
        bool inCapsule = command.ToController && length > 0 && length <= InCapsuleBytes;
        if (!_batch.HasRoom((inCapsule ? command.VectorCount : 0) + 2, CapsuleCmd.Size + PaddingSize + 2 * PduLayout.DigestLength)) return false;
        ref var entry = ref command.Entry;
        entry.Cid = command.Identifier;
        entry.Psdt = PrpOrSgl.SglMptrContiguous;
        entry.Sgl1 = length == 0 ? default : inCapsule ? SglDescriptor.InCapsule(0, length) : SglDescriptor.TransportDataBlock(length);
        byte* at = StageHeader(inCapsule ? PduLayout.HeaderWithData(PduType.CapsuleCmd, PduFlags.None, _rules.HeaderDigest, _rules.DataDigest, _cpda, length)
            : PduLayout.Header(PduType.CapsuleCmd, PduFlags.None, _rules.HeaderDigest), inCapsule);
        ((CapsuleCmd*)at)->Ccsqe = entry;
        SealHeader(at, CapsuleCmd.Size);
        command.Status = TcpCommandState.Sent;
        if (!inCapsule) return true;
        command.Transferred = length;
        AddData(command, 0, length);
        return true;
    }

    [DataPath]
    private bool TryAddData(TcpCommand command)
    {
        while (command.TransferLeft > 0)
        {
            if (!_batch.HasRoom(command.VectorCount + 2, H2CData.Size + PaddingSize + 2 * PduLayout.DigestLength)) return false;
            uint part = Math.Min(command.TransferLeft, _maxH2CData);
            bool last = part == command.TransferLeft;
            byte* at = StageHeader(PduLayout.HeaderWithData(PduType.H2CData, last ? PduFlags.LastPdu : PduFlags.None, _rules.HeaderDigest, _rules.DataDigest, _cpda, part), true);
            var pdu = (H2CData*)at;
            pdu->Cccid = command.Identifier;
            pdu->Ttag = command.TransferTag;
            pdu->Datao = command.Transferred;
            pdu->Datal = part;
            SealHeader(at, H2CData.Size);
            AddData(command, command.Transferred, part);
            command.Transferred += part;
            command.TransferLeft -= part;
        }
        command.Status = TcpCommandState.Sent;
        return true;
    }

    /// <summary>Room for everything before the data, cleared, with its common header.</summary>
    [DataPath]
    private byte* StageHeader(in PduHeader header, bool hasData)
    {
        uint prelude = hasData ? header.Pdo : header.Plen;
        byte* at = _batch.Stage(prelude);
        new Span<byte>(at, (int)prelude).Clear();
        *(PduHeader*)at = header;
        return at;
    }

    [DataPath]
    private void SealHeader(byte* at, int length)
    {
        if (_rules.HeaderDigest) *(uint*)(at + length) = Crc32C.Compute(new ReadOnlySpan<byte>(at, length));
    }

    [DataPath]
    private void AddData(TcpCommand command, uint offset, uint length)
    {
        if (!command.InBatch)
        {
            command.InBatch = true;
            command.NextInBatch = _batchCommands;
            _batchCommands = command;
        }
        uint digest = Crc32C.Initial;
        foreach (ref readonly var vector in command.Data)
        {
            if (offset >= vector.Length)
            {
                offset -= vector.Length;
                continue;
            }
            uint part = Math.Min(vector.Length - offset, length);
            var piece = vector.Slice(offset, part);
            _batch.Add(piece);
            if (_rules.DataDigest) digest = Crc32C.Update(digest, piece.Span);
            offset = 0;
            length -= part;
            if (length == 0) break;
        }
        if (_rules.DataDigest) *(uint*)_batch.Stage(PduLayout.DigestLength) = Crc32C.Finish(digest);
    }
}
