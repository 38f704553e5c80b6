using System.Runtime.CompilerServices;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

#pragma warning disable SPDL013 // Only the texts of failures are allocated, and a failure ends the run.

namespace Spindle.Tool.NvmePerf.Initiator;

/// <content>What comes from the target. PDU headers are parsed in the receive buffer; data is copied from there to its slot, and the rest of a
/// large one is received where it belongs.</content>
internal sealed unsafe partial class InitiatorConnection
{
    private uint _inHead, _inTail;
    private InitiatorSlot? _dataSlot;   // whose data is coming
    private uint _dataOffset, _dataLeft, _dataLength;
    private bool _digestDue;
    private PduFlags _dataFlags;

    [DataPath]
    private void Receive()
    {
        if (_stopping)
        {
            EndIfStopped();
            return;
        }
        if (_inHead == _inTail) _inHead = _inTail = 0;
        else if (_inHead > 0 && ReceiveBytes - _inTail < 4096)
        {
            // Less than one header is left over, so this moves little.
            Buffer.MemoryCopy(_in.Pointer + _inHead, _in.Pointer, ReceiveBytes, _inTail - _inHead);
            _inTail -= _inHead;
            _inHead = 0;
        }
        var rest = _in.Slice(_inTail, ReceiveBytes - _inTail);
        int error;
        if (_dataLeft > 0 && _dataSlot is { } slot && _inHead == _inTail)
        {
            Span<IoVec> two = [slot.Data.Slice(_dataOffset, _dataLeft), rest];
            error = _thread.Ring.Receive(_socket, two, _receive);
        }
        else
        {
            error = _thread.Ring.Receive(_socket, new ReadOnlySpan<IoVec>(in rest), _receive);
        }
        if (error != 0) Fail($"receiving failed: {Errno.Message(error)}");
    }

    [DataPath]
    private void OnReceived(int result)
    {
        if (result <= 0)
        {
            if (!_stopping) Fail(result == 0 ? "the target closed the connection" : $"receiving failed: {Errno.Message(result)}");
            EndIfStopped();
            return;
        }
        uint received = (uint)result;
        if (_dataLeft > 0 && _inHead == _inTail)
        {
            uint direct = Math.Min(received, _dataLeft);
            _dataOffset += direct;
            _dataLeft -= direct;
            received -= direct;
        }
        _inTail += received;
        while (!_stopping && ParseSome()) { }
        Flush();
        Receive();
    }

    /// <returns>True when something was consumed.</returns>
    [DataPath]
    private bool ParseSome()
    {
        uint available = _inTail - _inHead;
        if (_dataSlot is not null) return ParseData(available);
        if (available < PduHeader.Size) return false;
        byte* at = _in.Pointer + _inHead;
        ref var header = ref Unsafe.AsRef<PduHeader>(at);
        int expected = PduLayout.HeaderLength(header.PduType);
        if (expected == 0 || header.Hlen != expected || header.Plen < header.Hlen || header.Plen > 1 << 24)
        {
            Fail($"the target sent a PDU of type {(byte)header.PduType:x2}h with HLEN {header.Hlen} and PLEN {header.Plen}");
            return false;
        }
        uint prelude = (uint)PduLayout.PreludeLength(header, _headerDigest);
        if (prelude < header.Hlen || prelude > header.Plen)
        {
            Fail($"the target sent a PDU with PDO {header.Pdo} outside of it");
            return false;
        }
        if (available < prelude) return false;
        if (_headerDigest && PduLayout.MayHaveHeaderDigest(header.PduType)
            && *(uint*)(at + header.Hlen) != Crc32C.Compute(new ReadOnlySpan<byte>(at, header.Hlen)))
        {
            Fail("a header digest of the target is wrong");
            return false;
        }
        _inHead += prelude;
        switch (header.PduType)
        {
            case PduType.CapsuleResp:
                Complete(Unsafe.AsRef<CapsuleResp>(at).Rccqe);
                break;
            case PduType.C2HData:
                BeginData(ref Unsafe.AsRef<C2HData>(at));
                break;
            case PduType.R2T:
                SendData(Unsafe.AsRef<R2T>(at));
                break;
            case PduType.ICResp:
                _initialized.TrySetResult(Unsafe.AsRef<ICResp>(at));
                break;
            case PduType.C2HTermReq:
                Fail($"the target ended the connection: {Unsafe.AsRef<TermReq>(at).Fes}, information {Unsafe.AsRef<TermReq>(at).Fei}");
                break;
            default:
                Fail($"the target sent a PDU of type {header.PduType}, which only a host sends");
                break;
        }
        return true;
    }

    [DataPath]
    private InitiatorSlot? ActiveSlot(ushort cid)
    {
        if (cid < Slots.Length && Slots[cid].IsActive) return Slots[cid];
        Fail($"the target named command {cid}, which is not outstanding");
        return null;
    }

    [DataPath]
    private void BeginData(ref C2HData pdu)
    {
        if (ActiveSlot(pdu.Cccid) is not { } slot) return;
        if (slot.IsWrite || pdu.Datao != slot.Received || pdu.Datal == 0 || pdu.Datal > slot.DataLength - slot.Received)
        {
            Fail($"the target sent {pdu.Datal} bytes at offset {pdu.Datao} for command {slot.Cid}, of which {slot.Received} of {slot.DataLength} have come");
            return;
        }
        _dataSlot = slot;
        _dataOffset = pdu.Datao;
        _dataLeft = _dataLength = pdu.Datal;
        _dataFlags = pdu.Header.Flags;
        _digestDue = _dataDigest;
    }

    [DataPath]
    private bool ParseData(uint available)
    {
        var slot = _dataSlot!;
        if (_dataLeft > 0)
        {
            uint part = Math.Min(_dataLeft, available);
            if (part == 0) return false;
            Buffer.MemoryCopy(_in.Pointer + _inHead, slot.Data.Pointer + _dataOffset, part, part);
            _inHead += part;
            _dataOffset += part;
            _dataLeft -= part;
            if (_dataLeft > 0) return false;
            available -= part;
        }
        if (_digestDue)
        {
            if (available < PduLayout.DigestLength) return false;
            uint digest = *(uint*)(_in.Pointer + _inHead);
            _inHead += PduLayout.DigestLength;
            _digestDue = false;
            if (digest != Crc32C.Compute(slot.Data.Slice(_dataOffset - _dataLength, _dataLength).Span))
            {
                Fail("a data digest of the target is wrong");
                return false;
            }
        }
        _dataSlot = null;
        slot.Received += _dataLength;
        if ((_dataFlags & PduFlags.Success) == 0) return true;
        if (slot.Received != slot.DataLength) Fail("the target ended a read before all of its data had come");
        else Complete(new CompletionQueueEntry { Cid = slot.Cid });
        return true;
    }

    [DataPath]
    private void SendData(R2T request)
    {
        if (ActiveSlot(request.Cccid) is not { } slot) return;
        if (!slot.IsWrite || request.R2tl == 0 || request.R2to > slot.DataLength || request.R2tl > slot.DataLength - request.R2to)
        {
            Fail($"the target asked for {request.R2tl} bytes at offset {request.R2to} of command {slot.Cid}, which has {slot.DataLength}");
            return;
        }
        uint offset = request.R2to, left = request.R2tl;
        while (left > 0)
        {
            if (slot.Pieces == InitiatorSlot.MaxPieces)
            {
                Fail($"the target asked for the data of one command in more than {InitiatorSlot.MaxPieces} pieces");
                return;
            }
            uint part = Math.Min(left, _maxH2CData);
            uint at = 128 + (uint)slot.Pieces++ * 32;
            ref var pdu = ref Unsafe.AsRef<H2CData>(slot.Headers.Pointer + at);
            pdu = default;
            pdu.Header = PduLayout.HeaderWithData(PduType.H2CData, part == left ? PduFlags.LastPdu : PduFlags.None, _headerDigest, _dataDigest, 0, part);
            pdu.Cccid = slot.Cid;
            pdu.Ttag = request.Ttag;
            pdu.Datao = offset;
            pdu.Datal = part;
            AppendPdu(slot, at, H2CData.Size, slot.Data.Slice(offset, part));
            offset += part;
            left -= part;
        }
    }

    [DataPath]
    private void Complete(in CompletionQueueEntry completion)
    {
        if (ActiveSlot(completion.Cid) is not { } slot) return;
        slot.IsActive = false;
        slot.Completed(slot, completion);
    }
}
