using System.Runtime.CompilerServices;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;
using NvmeR2T = Spindle.Nvme.Tcp.R2T;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>A connection's way out. What is to be sent waits in order; once per loop of the reactor, or when the last send has ended, as much of it as
/// fits becomes PDUs and goes out in one vectored send. Digests are computed here, when the data is about to be read by the kernel anyway.</summary>
internal sealed unsafe class TcpSender(TcpConnection connection) : RingOperation
{
    private readonly TcpSendBatch _batch = new();
    private TcpRequest? _head;
    private TcpRequest? _tail;
    private TcpRequest? _sendingHead;
    private TcpRequest? _sendingTail;
    private ulong _queued;
    private ulong _sent;
    private bool _batchFull;
    private bool _headerDigest;
    private bool _dataDigest;
    private byte _hpda;
    private byte[]? _setup;
    private byte[]? _termination;
    private bool _failed;

    /// <summary>True while anything waits or is being sent.</summary>
    public bool HasWork => !_failed && (_head is not null || _setup is not null || _termination is not null || !_batch.IsEmpty || IsPending);

    /// <summary>The connection cannot send any more.</summary>
    public bool HasFailed => _failed;

    /// <summary>Data digests were agreed on.</summary>
    public bool HasDataDigest => _dataDigest;

    /// <summary>Sets what ICReq and ICResp agreed on.</summary>
    public void Configure(bool headerDigest, bool dataDigest, byte hpda)
    {
        _headerDigest = headerDigest;
        _dataDigest = dataDigest;
        _hpda = hpda;
    }

    /// <summary>Sends ICResp before all else.</summary>
    public void SendSetup(byte[] pdu)
    {
        _setup = pdu;
        connection.MarkDirty();
    }

    /// <summary>Sends C2HTermReq after what waits already; nothing can be queued behind it.</summary>
    public void SendTermination(byte[] pdu)
    {
        _termination = pdu;
        connection.MarkDirty();
    }

    /// <summary>Queues a completion.</summary>
    [DataPath]
    public void EnqueueCompletion(TcpRequest request)
    {
        request.Stage = TcpRequestStage.Completing;
        Enqueue(request);
    }

    /// <summary>Queues a request that may ask for (more of) its data.</summary>
    [DataPath]
    public void EnqueueR2T(TcpRequest request)
    {
        if (request.R2TQueued) return;
        request.R2TQueued = true;
        Enqueue(request);
    }

    /// <summary>Takes a request out that waits to send an R2T. For a connection that ends: it walks the queue.</summary>
    public void Remove(TcpRequest request)
    {
        if (!request.R2TQueued) return;
        request.R2TQueued = false;
        TcpRequest? previous = null;
        for (TcpRequest? at = _head; at is not null; previous = at, at = at.NextInQueue)
        {
            if (at != request) continue;
            if (previous is null) _head = at.NextInQueue;
            else previous.NextInQueue = at.NextInQueue;
            if (_tail == at) _tail = previous;
            at.NextInQueue = null;
            return;
        }
    }

    /// <summary>Forms PDUs of what waits, and sends.</summary>
    [DataPath]
    public void Flush()
    {
        if (IsPending || _failed) return;
        if (_batch.IsEmpty)
        {
            _batch.Reset(_batchFull);
            _batchFull = false;
        }
        Fill();
        if (_batch.IsEmpty) return;
        int result = connection.Ring.Send(connection.Socket, _batch.Vectors, this);
        if (result < 0) connection.OnSendFailed(result);
    }

    /// <summary>Gives up: what waits is given back unsent, at once or when the pending send has ended.</summary>
    public void Abandon()
    {
        _failed = true;
        if (IsPending) return;
        while (_sendingHead is { } sending)
        {
            _sendingHead = sending.NextInQueue;
            connection.Free(sending);
        }
        _sendingTail = null;
        while (_head is { } request)
        {
            _head = request.NextInQueue;
            request.R2TQueued = false;
            if (request.Stage == TcpRequestStage.Completing) connection.Free(request);
        }
        _tail = null;
        _setup = null;
        _termination = null;
    }

    /// <summary>Frees its memory. No send may be pending.</summary>
    public void Release() => _batch.Dispose();

    /// <inheritdoc/>
    [DataPath]
    protected override void OnCompleted(int result)
    {
        connection.Statistics.Sends++;
        if (result <= 0 || _failed)
        {
            connection.OnSendFailed(result == 0 ? -Errno.EPIPE : result);
            return;
        }
        _batch.Advance((uint)result);
        _sent += (uint)result;
        while (_sendingHead is { } request && request.SendEnd <= _sent)
        {
            _sendingHead = request.NextInQueue;
            if (_sendingHead is null) _sendingTail = null;
            connection.Free(request);
        }
        if (HasWork) connection.MarkDirty();
        connection.OnSent();
    }

    [DataPath]
    private void Enqueue(TcpRequest request)
    {
        request.NextInQueue = null;
        if (_tail is null) _head = request;
        else _tail.NextInQueue = request;
        _tail = request;
        connection.MarkDirty();
    }

    [DataPath]
    private void Fill()
    {
        if (_setup is { } setup)
        {
            if (!TryAppend(setup)) return;
            _setup = null;
        }
        while (_head is { } request)
        {
            bool taken;
            if (request.R2TQueued)
            {
                taken = TryAppendR2Ts(request);
            }
            else
            {
                taken = request.Completion.Status.Raw == 0 && request.Direction == DataTransferDirection.ControllerToHost
                    ? TryAppendData(request) : TryAppendResponse(request);
            }
            if (!taken)
            {
                _batchFull = true;
                return;
            }
        }
        if (_termination is { } termination && TryAppend(termination)) _termination = null;
    }

    private bool TryAppend(byte[] pdu)
    {
        if (!_batch.TryReserve(1, pdu.Length)) return false;
        pdu.CopyTo(new Span<byte>(_batch.Stage(pdu.Length), pdu.Length));
        _queued += (uint)pdu.Length;
        return true;
    }

    [DataPath]
    private TcpRequest Dequeue()
    {
        TcpRequest request = _head!;
        _head = request.NextInQueue;
        if (_head is null) _tail = null;
        request.NextInQueue = null;
        return request;
    }

    [DataPath]
    private bool TryAppendR2Ts(TcpRequest request)
    {
        int maxLength = NvmeR2T.Size + PduLayout.DigestLength;
        if (!_batch.TryReserve(1, maxLength * request.MaxTransfers)) return false;
        Dequeue();
        request.R2TQueued = false;
        while (request.NeedsR2T)
        {
            int number = request.BeginTransfer(connection.Settings.MaxR2TLength, out uint offset, out uint length);
            if (number < 0) break;
            var pdu = new NvmeR2T
            {
                Header = PduLayout.Header(PduType.R2T, PduFlags.None, _headerDigest),
                Cccid = request.Command.Cid,
                Ttag = (ushort)(request.Index * request.MaxTransfers + number),
                R2to = offset,
                R2tl = length,
            };
            AppendHeader(ref pdu, NvmeR2T.Size, (int)pdu.Header.Plen);
        }
        return true;
    }

    [DataPath]
    private bool TryAppendResponse(TcpRequest request)
    {
        if (!_batch.TryReserve(1, CapsuleResp.Size + PduLayout.DigestLength)) return false;
        Dequeue();
        AppendResponse(request);
        connection.Free(request);
        return true;
    }

    [DataPath]
    private void AppendResponse(TcpRequest request)
    {
        var pdu = new CapsuleResp
        {
            Header = PduLayout.Header(PduType.CapsuleResp, PduFlags.None, _headerDigest),
            Rccqe = request.Completion,
        };
        AppendHeader(ref pdu, CapsuleResp.Size, (int)pdu.Header.Plen);
    }

    /// <summary>Writes a header, its digest and the padding up to <paramref name="length"/>.</summary>
    [DataPath]
    private void AppendHeader<T>(ref T pdu, int size, int length) where T : unmanaged
    {
        byte* at = _batch.Stage(length);
        _queued += (uint)length;
        Unsafe.WriteUnaligned(at, pdu);
        int written = size;
        if (_headerDigest)
        {
            Unsafe.WriteUnaligned(at + size, Crc32C.Compute(new ReadOnlySpan<byte>(at, size)));
            written += PduLayout.DigestLength;
        }
        if (written < length) new Span<byte>(at + written, length - written).Clear();
    }

    [DataPath]
    private bool TryAppendData(TcpRequest request)
    {
        uint length = request.Length;
        uint max = connection.Settings.MaxC2HData;
        int pdus = (int)((length + max - 1) / max);
        int headerLength = PduLayout.DataOffset(C2HData.Size, _headerDigest, _hpda);
        int bytes = pdus * (headerLength + PduLayout.DigestLength) + CapsuleResp.Size + PduLayout.DigestLength;
        if (!_batch.TryReserve(pdus * 2 + request.Buffers.Length + pdus + 1, bytes)) return false;
        Dequeue();
        bool success = connection.Transport.Options.C2hSuccess && request.Completion.Result == 0;
        for (uint offset = 0; offset < length;)
        {
            uint part = Math.Min(max, length - offset);
            PduFlags flags = offset + part < length ? PduFlags.None : success ? PduFlags.LastPdu | PduFlags.Success : PduFlags.LastPdu;
            var pdu = new C2HData
            {
                Header = PduLayout.HeaderWithData(PduType.C2HData, flags, _headerDigest, _dataDigest, _hpda, part),
                Cccid = request.Command.Cid,
                Datao = offset,
                Datal = part,
            };
            AppendHeader(ref pdu, C2HData.Size, pdu.Header.Pdo);
            AppendData(request, offset, part);
            offset += part;
        }
        request.Stage = TcpRequestStage.Sending;
        request.SendEnd = _queued;
        if (_sendingTail is null) _sendingHead = request;
        else _sendingTail.NextInQueue = request;
        _sendingTail = request;
        if (!success) AppendResponse(request);
        return true;
    }

    [DataPath]
    private void AppendData(TcpRequest request, uint offset, uint length)
    {
        uint crc = Crc32C.Initial;
        _queued += length;
        while (length > 0)
        {
            IoVec slice = request.SliceAt(offset, length);
            _batch.Add(slice);
            if (_dataDigest) crc = Crc32C.Update(crc, slice.Span);
            offset += slice.Length;
            length -= slice.Length;
        }
        if (!_dataDigest) return;
        Unsafe.WriteUnaligned(_batch.Stage(PduLayout.DigestLength), Crc32C.Finish(crc));
        _queued += PduLayout.DigestLength;
    }
}
