using System.Runtime.CompilerServices;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

#pragma warning disable SPDL013 // Only the texts of failures are allocated, and a failure ends the queue.

namespace Spindle.Nvme.Initiator.Tcp;

/// <content>What comes from the controller. Headers are parsed in the receive buffer; data is copied from there to where it belongs, and the rest of a
/// large piece is received there directly. Everything the controller says is checked before it is used.</content>
public sealed unsafe partial class TcpQueue
{
    private readonly IoVec _in;
    private readonly IoVec[] _direct;    // the vector of a receive: the rest of the data, then the buffer
    private readonly uint _receiveBytes;
    private uint _inHead, _inTail;
    private TcpCommand? _dataCommand;    // whose data is coming
    private int _dataVector;             // where in its vectors the next byte goes
    private uint _dataVectorOffset;
    private uint _dataLeft, _dataDigest;
    private bool _digestDue;
    private PduFlags _dataFlags;

    [DataPath]
    private void Receive()
    {
        if (_stopping)
        {
            EndIfQuiet();
            return;
        }
        if (_inHead == _inTail) _inHead = _inTail = 0;
        else if (_receiveBytes - _inTail < 4096)
        {
            // Less than one header is left over, so this moves little.
            Buffer.MemoryCopy(_in.Pointer + _inHead, _in.Pointer, _receiveBytes, _inTail - _inHead);
            _inTail -= _inHead;
            _inHead = 0;
        }
        int count = 0;
        if (_dataLeft > 0 && _inHead == _inTail) count = RestOfData();
        _direct[count] = _in.Slice(_inTail, _receiveBytes - _inTail);
        int error = Thread.Ring.Receive(_socket, _direct.AsSpan(0, count + 1), _receive);
        if (error != 0) Fail($"receiving failed: {Errno.Message(error)}");
    }

    /// <summary>Where the rest of the data goes.</summary>
    [DataPath]
    private int RestOfData()
    {
        var data = _dataCommand!.Data;
        uint left = _dataLeft, offset = _dataVectorOffset;
        int count = 0;
        for (int i = _dataVector; left > 0; i++)
        {
            uint part = Math.Min(data[i].Length - offset, left);
            if (part > 0) _direct[count++] = data[i].Slice(offset, part);
            left -= part;
            offset = 0;
        }
        return count;
    }

    [DataPath]
    private void OnReceived(int result)
    {
        SocketCompletions++;
        if (_stopping)
        {
            EndIfQuiet();
            return;
        }
        if (result <= 0)
        {
            Fail(result == 0 ? "the target closed the connection" : $"receiving failed: {Errno.Message(result)}");
            EndIfQuiet();
            return;
        }
        uint received = (uint)result;
        if (_dataLeft > 0 && _inHead == _inTail)
        {
            uint direct = Math.Min(received, _dataLeft);
            Arrived(direct, null);
            received -= direct;
        }
        _inTail += received;
        while (!_stopping && ParseSome()) { }
        Flush();
        Receive();
    }

    /// <summary>Accounts for data that came; copies it when it is not there yet.</summary>
    [DataPath]
    private void Arrived(uint length, byte* from)
    {
        var data = _dataCommand!.Data;
        _dataLeft -= length;
        while (length > 0)
        {
            ref readonly var vector = ref data[_dataVector];
            uint part = Math.Min(vector.Length - _dataVectorOffset, length);
            if (part > 0)
            {
                byte* to = vector.Pointer + _dataVectorOffset;
                if (from != null)
                {
                    Buffer.MemoryCopy(from, to, part, part);
                    from += part;
                }
                if (_rules.DataDigest) _dataDigest = Crc32C.Update(_dataDigest, new ReadOnlySpan<byte>(to, (int)part));
            }
            length -= part;
            _dataVectorOffset += part;
            if (_dataVectorOffset == vector.Length)
            {
                _dataVector++;
                _dataVectorOffset = 0;
            }
        }
    }

    /// <returns>True when something was consumed.</returns>
    [DataPath]
    private bool ParseSome()
    {
        uint available = _inTail - _inHead;
        if (_dataCommand is not null) return ParseData(available);
        if (available < PduHeader.Size) return false;
        byte* at = _in.Pointer + _inHead;
        ref var header = ref Unsafe.AsRef<PduHeader>(at);
        var check = PduValidator.CheckHeader(header, _rules);
        if (!check.IsValid)
        {
            Violation(check, $"a PDU of type {(byte)header.PduType:x2}h with HLEN {header.Hlen}, PDO {header.Pdo} and PLEN {header.Plen} ({check})");
            return false;
        }
        uint prelude = PduLayout.MayHaveDataDigest(header.PduType) ? (uint)PduLayout.PreludeLength(header, _rules.HeaderDigest) : header.Plen;
        if (available < prelude) return false;
        if (_rules.HeaderDigest && PduLayout.MayHaveHeaderDigest(header.PduType) && *(uint*)(at + header.Hlen) != Crc32C.Compute(new ReadOnlySpan<byte>(at, header.Hlen)))
        {
            Violation(PduCheck.Failed(FatalErrorStatus.HeaderDigestError), "a header digest is wrong");
            return false;
        }
        _inHead += prelude;
        switch (header.PduType)
        {
            case PduType.CapsuleResp:
                OnResponse(Unsafe.AsRef<CapsuleResp>(at).Rccqe);
                break;
            case PduType.C2HData:
                BeginData(Unsafe.AsRef<C2HData>(at));
                break;
            case PduType.R2T:
                OnReadyToTransfer(Unsafe.AsRef<R2T>(at));
                break;
            case PduType.ICResp:
                Established(Unsafe.AsRef<ICResp>(at));
                break;
            default:
                Fail($"the target ended the connection: {Unsafe.AsRef<TermReq>(at).Fes}, information {Unsafe.AsRef<TermReq>(at).Fei}");
                break;
        }
        return true;
    }

    /// <summary>The command that the controller names, if it can be one that it has.</summary>
    [DataPath]
    private TcpCommand? Named(ushort identifier)
    {
        int index = identifier & ((1 << IdentifierIndexBits) - 1);
        if (index < _commands.Length && _commands[index] is { Status: TcpCommandState.Sent or TcpCommandState.DataQueued } command && command.Identifier == identifier) return command;
        Violation(PduCheck.InvalidField(PduValidator.CccidOffset), $"command {identifier}, which it was not given, or has completed");
        return null;
    }

    [DataPath]
    private void BeginData(in C2HData pdu)
    {
        if (Named(pdu.Cccid) is not { } command) return;
        uint left = command.DataLength - command.Transferred;
        if (pdu.Datal != PduValidator.DataLength(pdu.Header, _rules))
        {
            Violation(PduCheck.InvalidField(PduValidator.DatalOffset), "a C2HData PDU whose DATAL is not what it carries");
        }
        else if (command.ToController || pdu.Datao != command.Transferred || pdu.Datal > left)
        {
            Violation(PduCheck.Failed(FatalErrorStatus.DataTransferOutOfRange),
                $"{pdu.Datal} bytes at offset {pdu.Datao} of a command of which {command.Transferred} of {command.DataLength} have come");
        }
        else
        {
            if (command.Transferred == 0)
            {
                _dataVector = 0;
                _dataVectorOffset = 0;
            }
            else
            {
                Seek(command, pdu.Datao);
            }
            _dataCommand = command;
            _dataLeft = pdu.Datal;
            command.Transferred += pdu.Datal;
            _dataFlags = pdu.Header.Flags;
            _digestDue = _rules.DataDigest;
            _dataDigest = Crc32C.Initial;
        }
    }

    [DataPath]
    private void Seek(TcpCommand command, uint offset)
    {
        var data = command.Data;
        int i = 0;
        while (i < data.Length && offset >= data[i].Length) offset -= data[i++].Length;
        _dataVector = i;
        _dataVectorOffset = offset;
    }

    [DataPath]
    private bool ParseData(uint available)
    {
        var command = _dataCommand!;
        if (_dataLeft > 0)
        {
            uint part = Math.Min(_dataLeft, available);
            if (part == 0) return false;
            Arrived(part, _in.Pointer + _inHead);
            _inHead += part;
            if (_dataLeft > 0) return false;
            available -= part;
        }
        if (_digestDue)
        {
            if (available < PduLayout.DigestLength) return false;
            uint digest = *(uint*)(_in.Pointer + _inHead);
            _inHead += PduLayout.DigestLength;
            _digestDue = false;
            if (digest != Crc32C.Finish(_dataDigest))
            {
                // 7.4.6.2 has it that this ends the command alone; the data is not trusted either way, and a path that corrupts is better left.
                Fail("a data digest of the target is wrong");
                return false;
            }
        }
        _dataCommand = null;
        if ((_dataFlags & PduFlags.Success) == 0) return true;
        if (command.Transferred != command.DataLength) Violation(PduCheck.Failed(FatalErrorStatus.DataTransferOutOfRange), "the end of a read before all of its data has come");
        else Finish(command, new CompletionQueueEntry());
        return true;
    }

    [DataPath]
    private void OnReadyToTransfer(in R2T request)
    {
        if (Named(request.Cccid) is not { } command) return;
        // ICReq allowed one R2T at a time; their offsets rise (3.6.2.10).
        if (command.Status != TcpCommandState.Sent)
        {
            Violation(PduCheck.Failed(FatalErrorStatus.R2TLimitExceeded), "a second R2T while the first one is being served");
        }
        else if (!command.ToController || request.R2tl == 0 || request.R2to != command.Transferred || request.R2tl > command.DataLength - command.Transferred)
        {
            Violation(PduCheck.Failed(FatalErrorStatus.DataTransferOutOfRange),
                $"an R2T for {request.R2tl} bytes at offset {request.R2to} of a command with {command.DataLength}, of which {command.Transferred} were asked for");
        }
        else
        {
            command.TransferTag = request.Ttag;
            command.TransferLeft = request.R2tl;
            command.Status = TcpCommandState.DataQueued;
            AddToSend(command);
        }
    }

    [DataPath]
    private void OnResponse(in CompletionQueueEntry completion)
    {
        if (Named(completion.Cid) is not { } command) return;
        if (command.Status == TcpCommandState.DataQueued)
        {
            Violation(PduCheck.Failed(FatalErrorStatus.PduSequenceError), "a completion while data is sent that it asked for");
        }
        else if (completion.Status.IsSuccess && command.Transferred != command.DataLength)
        {
            // Neither a write whose data was not taken nor a read whose data has not come may count as done.
            Violation(PduCheck.Failed(FatalErrorStatus.PduSequenceError), $"success of a command after {command.Transferred} of its {command.DataLength} bytes");
        }
        else
        {
            Finish(command, completion);
        }
    }

    [DataPath]
    private void Finish(TcpCommand command, in CompletionQueueEntry completion)
    {
        if (command.InBatch)
        {
            // The kernel still reads its data, or may: it has not said that the whole send is done.
            command.Completion = completion;
            command.Status = TcpCommandState.Finished;
            return;
        }
        command.Status = TcpCommandState.Free;
        Complete(command, completion);
    }
}
