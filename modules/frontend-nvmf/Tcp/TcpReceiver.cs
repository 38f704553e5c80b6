using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>A connection's way in: receives into one buffer, from which all PDUs that are there are taken at once; data goes to its place, the part that
/// the buffer has by copying, the rest by the next receive straight into the data buffers. However the byte stream is cut, the outcome is the same.</summary>
internal sealed unsafe class TcpReceiver : RingOperation
{
    private const int MaxDirectVectors = 16;

    private readonly TcpConnection _connection;
    private byte* _buffer;
    private int _capacity;
    private byte* _largerBuffer;
    private int _start;
    private int _end;
    private PduRules _rules;
    private bool _headerChecked;
    private bool _stopped;
    private bool _stalled;
    private bool _parsing;

    // The PDU whose data is being taken.
    private Payload _payload;
    private TcpRequest? _request;
    private int _transfer;
    private bool _needsBuffer;
    private uint _padding;
    private uint _lead;
    private uint _body;
    private uint _bodyOffset;
    private uint _trail;
    private uint _crc;
    private int _digestLeft;
    private uint _digest;

    private uint _direct;
    private TcpRequest? _held;

    private enum Payload : byte
    {
        None,
        InCapsule,
        Skipped,
        H2CData,
    }

    public TcpReceiver(TcpConnection connection)
    {
        _connection = connection;
        TcpSettings settings = connection.Settings;
        NvmfTransportOptions options = connection.Transport.Options;
        _capacity = settings.SmallReceiveBuffer;
        _rules = new PduRules
        {
            Receiver = PduReceiver.Controller,
            Phase = ConnectionPhase.Initializing,
            Pda = settings.Cpda,
            MaxInCapsuleData = Math.Max(options.InCapsuleDataSize, TcpSettings.AdminInCapsuleData),
            MaxData = options.MaxIoSize,
        };
    }

    /// <summary>True when parsing waits for a slot or a buffer.</summary>
    public bool IsStalled => _stalled;

    /// <summary>Starts receiving.</summary>
    public void Start()
    {
        _buffer = Allocate(_capacity);
        Arm();
    }

    /// <summary>Takes larger batches from now on.</summary>
    public void UseLargeBuffer()
    {
        // Allocated and touched here, where a host waits for its Connect, and not when its first command comes.
        if (_largerBuffer is not null || _capacity >= _connection.Settings.LargeReceiveBuffer) return;
        _largerBuffer = Allocate(_connection.Settings.LargeReceiveBuffer);
        NativeMemory.Clear(_largerBuffer, (nuint)_connection.Settings.LargeReceiveBuffer);
    }

    /// <summary>Tries again what had to wait.</summary>
    [DataPath]
    public void Resume()
    {
        if (!_stalled || _stopped) return;
        _stalled = false;
        Parse();
    }

    /// <summary>Stops taking PDUs; what still comes is thrown away.</summary>
    public void Stop()
    {
        if (_stopped) return;
        _stopped = true;
        if (IsPending && _direct > 0) _held = _request;
        _request = null;
        _payload = Payload.None;
        _start = _end = 0;
        if (IsPending) _connection.Ring.Cancel(this);
    }

    /// <summary>Whether the pending receive may still write into its buffers; it is given back when that has ended.</summary>
    public bool Holds(TcpRequest request) => _held == request;

    /// <summary>Receives and throws away, until the peer closes.</summary>
    public void Discard()
    {
        if (!IsPending) Arm();
    }

    /// <summary>Frees its memory. No receive may be pending.</summary>
    public void Release()
    {
        NativeMemory.AlignedFree(_buffer);
        NativeMemory.AlignedFree(_largerBuffer);
        _buffer = _largerBuffer = null;
        _capacity = 0;
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnCompleted(int result)
    {
        _connection.Statistics.Receives++;
        if (_stopped)
        {
            _direct = 0;
            if (_held is { } held)
            {
                _held = null;
                _connection.Free(held);
            }
            _start = _end = 0;
            _connection.OnDiscarded(result);
            return;
        }
        if (result <= 0)
        {
            _direct = 0;
            _connection.OnReceiveFailed(result);
            return;
        }
        uint direct = Math.Min(_direct, (uint)result);
        _direct = 0;
        if (direct > 0) AdvanceBody(direct);
        _end += result - (int)direct;
        Parse();
    }

    [DataPath]
    private void Parse()
    {
        // A command that completes at once may resume a stalled parser, which is this one.
        if (_parsing) return;
        _parsing = true;
        bool more = true;
        while (more && !_stopped && !_stalled) more = _payload != Payload.None ? TakePayload() : TakeHeader();
        _parsing = false;
        // Stopped by a command whose PDU was counted as taken afterwards: what is held stays thrown away.
        if (_stopped) _start = _end = 0;
        else if (!_stalled) Arm();
    }

    /// <summary>Takes a PDU's header, when all of it is there.</summary>
    /// <returns>False when more bytes are needed.</returns>
    [DataPath]
    private bool TakeHeader()
    {
        int available = _end - _start;
        if (available < PduHeader.Size) return false;
        byte* at = _buffer + _start;
        PduHeader header = Unsafe.ReadUnaligned<PduHeader>(at);
        if (!_headerChecked)
        {
            PduCheck check = PduValidator.CheckHeader(header, _rules);
            if (!check.IsValid) return Fail(check, at, PduHeader.Size);
            _headerChecked = true;
        }
        bool headerDigest = _rules.HeaderDigest && PduLayout.MayHaveHeaderDigest(header.PduType);
        int length = header.Hlen + (headerDigest ? PduLayout.DigestLength : 0);
        if (available < length) return false;
        if (headerDigest)
        {
            uint digest = Unsafe.ReadUnaligned<uint>(at + header.Hlen);
            if (Crc32C.Compute(new ReadOnlySpan<byte>(at, header.Hlen)) != digest)
            {
                _connection.Terminate(FatalErrorStatus.HeaderDigestError, digest, new ReadOnlySpan<byte>(at, header.Hlen));
                return false;
            }
        }
        switch (header.PduType)
        {
            case PduType.CapsuleCmd:
                if (!TakeCapsule(at, header, length)) return false;
                break;
            case PduType.H2CData:
                if (!TakeH2CData(at, header, length)) return false;
                break;
            case PduType.ICReq:
                if (!TakeICReq(at)) return false;
                break;
            default:
                TermReq termination = Unsafe.ReadUnaligned<TermReq>(at);
                _connection.OnTerminatedByHost(termination.Fes, termination.Fei);
                return false;
        }
        _headerChecked = false;
        _start += length;
        return true;
    }

    private bool TakeICReq(byte* at)
    {
        ICReq request = Unsafe.ReadUnaligned<ICReq>(at);
        PduCheck check = PduValidator.CheckICReq(request);
        if (!check.IsValid) return Fail(check, at, ICReq.Size);
        _rules.Phase = ConnectionPhase.Established;
        _rules.HeaderDigest = (request.Dgst & DigestTypes.HeaderDigest) != 0;
        _rules.DataDigest = (request.Dgst & DigestTypes.DataDigest) != 0;
        _connection.OnICReq(request);
        return true;
    }

    [DataPath]
    private bool TakeCapsule(byte* at, in PduHeader header, int length)
    {
        uint dataLength = PduValidator.DataLength(header, _rules);
        ref SubmissionQueueEntry command = ref Unsafe.AsRef<SubmissionQueueEntry>(at + PduHeader.Size);
        NvmfTransportOptions options = _connection.Transport.Options;
        if (dataLength > options.InCapsuleDataSize && _connection.Qid != 0 && !command.IsFabrics)
            return Fail(PduCheck.Failed(FatalErrorStatus.DataTransferLimitExceeded), at, CapsuleCmd.Size);
        TcpRequest? request = _connection.Pool.TryGet();
        if (request is null)
        {
            if (_connection.SlotsWillReturn) return Stall();
            // More commands than the queue has entries.
            return Fail(PduCheck.Failed(FatalErrorStatus.PduSequenceError), at, CapsuleCmd.Size);
        }
        _connection.Statistics.Capsules++;
        request.Begin(Unsafe.ReadUnaligned<SubmissionQueueEntry>(at + PduHeader.Size));
        NvmfDataTransfer transfer = _connection.Arrive(request);
        if (dataLength == 0)
        {
            _connection.OnCapsule(request, transfer);
            return true;
        }
        StatusField status = TcpSglCheck.CheckInCapsule(request.Command.Sgl1, transfer, dataLength);
        uint padding = header.Pdo - (uint)length;
        if (status.IsSuccess && transfer.Direction == DataTransferDirection.HostToController)
        {
            if (TryWriteAtOnce(request, at + length + padding, dataLength))
            {
                _start += (int)(padding + dataLength);
                return true;
            }
            BeginData();
            _payload = Payload.InCapsule;
            _needsBuffer = true;
            _lead = (uint)request.Command.Sgl1.Address;
            _body = request.Length;
            _trail = dataLength - _lead - _body;
        }
        else
        {
            BeginData();
            _payload = Payload.Skipped;
            request.StatusAfterSkip = status;
            _lead = dataLength;
        }
        _request = request;
        _padding = padding;
        return true;
    }

    /// <summary>Has a capsule's data taken out of the receive buffer by the bdev itself, where all of it is there and the bdev can.</summary>
    /// <returns>False: nothing was done.</returns>
    [DataPath]
    private bool TryWriteAtOnce(TcpRequest request, byte* data, uint length)
    {
        // A digest would be computed in vain of what the bdev does not take.
        if (_rules.DataDigest || _buffer + _end - data < length) return false;
        request.Stage = TcpRequestStage.Executing;
        if (request.TryWriteAtOnce(new ReadOnlySpan<byte>(data + (uint)request.Command.Sgl1.Address, (int)request.Length))) return true;
        request.Stage = TcpRequestStage.InCapsule;
        return false;
    }

    [DataPath]
    private bool TakeH2CData(byte* at, in PduHeader header, int length)
    {
        H2CData pdu = Unsafe.ReadUnaligned<H2CData>(at);
        TcpRequestPool pool = _connection.Pool;
        int transfers = pool.TransfersPerRequest;
        TcpRequest? request = pool.Find(pdu.Ttag / transfers);
        int number = pdu.Ttag % transfers;
        if (request is null || request.Stage != TcpRequestStage.AwaitingData || !request.Transfer(number).Active)
            return Fail(PduCheck.InvalidField(PduValidator.TtagOffset), at, H2CData.Size);
        if (request.Command.Cid != pdu.Cccid) return Fail(PduCheck.InvalidField(PduValidator.CccidOffset), at, H2CData.Size);
        ref TcpTransfer transfer = ref request.Transfer(number);
        PduCheck check = PduValidator.CheckH2CData(pdu, transfer.Next, transfer.Remaining, _rules);
        if (!check.IsValid) return Fail(check, at, H2CData.Size);
        BeginData();
        _request = request;
        _transfer = number;
        _payload = Payload.H2CData;
        _padding = header.Pdo - (uint)length;
        _body = pdu.Datal;
        _bodyOffset = pdu.Datao;
        return true;
    }

    [DataPath]
    private void BeginData()
    {
        _needsBuffer = false;
        _lead = 0;
        _body = 0;
        _bodyOffset = 0;
        _trail = 0;
        _crc = Crc32C.Initial;
        _digest = 0;
        _digestLeft = _rules.DataDigest ? PduLayout.DigestLength : 0;
    }

    /// <summary>Takes what is there of a PDU's data.</summary>
    /// <returns>False when more bytes are needed, or a buffer.</returns>
    [DataPath]
    private bool TakePayload()
    {
        if (_needsBuffer)
        {
            if (!_connection.Buffers.TryGetInCapsule(_request!)) return Stall();
            _needsBuffer = false;
        }
        if (_padding > 0) Skip(ref _padding, false);
        if (_padding == 0 && _lead > 0) Skip(ref _lead, true);
        if (_lead == 0 && _body > 0) CopyBody();
        if (_body == 0 && _trail > 0) Skip(ref _trail, true);
        if ((_padding | _lead | _body | _trail) != 0) return false;
        while (_digestLeft > 0)
        {
            if (_start == _end) return false;
            _digest |= (uint)_buffer[_start++] << ((PduLayout.DigestLength - _digestLeft) * 8);
            _digestLeft--;
        }
        EndPayload();
        return true;
    }

    [DataPath]
    private void Skip(ref uint length, bool digested)
    {
        uint count = Math.Min(length, (uint)(_end - _start));
        if (digested && _rules.DataDigest) _crc = Crc32C.Update(_crc, new ReadOnlySpan<byte>(_buffer + _start, (int)count));
        length -= count;
        _start += (int)count;
    }

    [DataPath]
    private void CopyBody()
    {
        while (_body > 0 && _start < _end)
        {
            byte* to = _request!.DataAt(_bodyOffset, out uint room);
            uint count = Math.Min(Math.Min(_body, room), (uint)(_end - _start));
            Unsafe.CopyBlockUnaligned(to, _buffer + _start, count);
            if (_rules.DataDigest) _crc = Crc32C.Update(_crc, new ReadOnlySpan<byte>(to, (int)count));
            _start += (int)count;
            _bodyOffset += count;
            _body -= count;
        }
    }

    /// <summary>Counts bytes that were received to their place.</summary>
    [DataPath]
    private void AdvanceBody(uint length)
    {
        if (!_rules.DataDigest)
        {
            _bodyOffset += length;
            _body -= length;
            return;
        }
        while (length > 0)
        {
            byte* at = _request!.DataAt(_bodyOffset, out uint room);
            uint count = Math.Min(length, room);
            _crc = Crc32C.Update(_crc, new ReadOnlySpan<byte>(at, (int)count));
            _bodyOffset += count;
            _body -= count;
            length -= count;
        }
    }

    [DataPath]
    private void EndPayload()
    {
        TcpRequest request = _request!;
        Payload payload = _payload;
        uint length = _bodyOffset;
        _payload = Payload.None;
        _request = null;
        bool failed = _rules.DataDigest && Crc32C.Finish(_crc) != _digest;
        if (failed) _connection.Statistics.DataDigestErrors++;
        if (payload == Payload.H2CData)
        {
            ref TcpTransfer transfer = ref request.Transfer(_transfer);
            request.OnTransferred(_transfer, length - transfer.Next, failed);
            return;
        }
        request.Stage = TcpRequestStage.Executing;
        if (failed) request.Reject(new StatusField(GenericStatusCode.TransientTransportError));
        else if (!request.StatusAfterSkip.IsSuccess) request.Reject(request.StatusAfterSkip);
        else _connection.Run(request);
    }

    private bool Stall()
    {
        _stalled = true;
        _connection.OnStalled(needsBuffer: _payload != Payload.None);
        return false;
    }

    private bool Fail(in PduCheck check, byte* at, int length)
    {
        _connection.Terminate(check.Fes, check.Fei, new ReadOnlySpan<byte>(at, length));
        return false;
    }

    /// <summary>Asks for more bytes: the rest of the data to its place, and what follows into the buffer.</summary>
    [DataPath, SkipLocalsInit]
    private void Arm()
    {
        if (IsPending) return;
        if (_start == _end) _start = _end = 0;
        if (_largerBuffer is not null && _end == 0) Enlarge();
        // Less than a whole header was left; it must be contiguous with what follows.
        if (_start > 0)
        {
            Buffer.MemoryCopy(_buffer + _start, _buffer, _capacity, _end - _start);
            _end -= _start;
            _start = 0;
        }
        Span<IoVec> vectors = stackalloc IoVec[MaxDirectVectors + 1];
        int count = 0;
        uint left = 0;
        if (!_stopped && _payload != Payload.None && _body > 0 && (_padding | _lead) == 0)
        {
            left = _body;
            uint offset = _bodyOffset;
            while (left > 0 && count < MaxDirectVectors)
            {
                IoVec slice = _request!.SliceAt(offset, left);
                vectors[count++] = slice;
                offset += slice.Length;
                left -= slice.Length;
            }
            _direct = _body - left;
        }
        if (left == 0)
        {
            int room = _capacity - _end;
            if (_connection.Window.IsActive) room = Math.Min(room, _connection.Settings.ReceivedBehindData);
            vectors[count++] = new IoVec(_buffer + _end, (uint)room);
        }
        int result = _connection.Ring.Receive(_connection.Socket, vectors[..count], this);
        if (result >= 0) return;
        _direct = 0;
        if (_stopped) _connection.OnDiscarded(result);
        else _connection.OnReceiveFailed(result);
    }

    private void Enlarge()
    {
        NativeMemory.AlignedFree(_buffer);
        _buffer = _largerBuffer;
        _capacity = _connection.Settings.LargeReceiveBuffer;
        _largerBuffer = null;
    }

    private static byte* Allocate(int bytes) => (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
}
