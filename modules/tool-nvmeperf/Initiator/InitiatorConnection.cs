using System.Runtime.CompilerServices;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;
using Spindle.Threading;

#pragma warning disable SPDL013 // Only the texts of failures are allocated, and a failure ends the run.

namespace Spindle.Tool.NvmePerf.Initiator;

/// <summary>One queue of an NVMe/TCP host: a connection on a storage thread's ring. Commands are gathered and sent together; what comes is
/// parsed as far as it has come. Allocates nothing per command.</summary>
internal sealed partial class InitiatorConnection : IDisposable
{
    private const uint ReceiveBytes = 256 * 1024;
    private const int MaxVectors = 128;

    private readonly IStorageThread _thread;
    private readonly RingSocket _socket;
    private readonly DmaBuffer _memory;
    private readonly IoVec _in;
    private readonly SendOperation _send;
    private readonly ReceiveOperation _receive;
    private readonly TaskCompletionSource<ICResp> _initialized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IoVec[] _out;
    private int _outHead, _outTail;
    private bool _headerDigest, _dataDigest;
    private uint _maxH2CData = PduLayout.MinMaxH2CData;
    private bool _stopping;

    internal InitiatorConnection(IModuleContext context, IStorageThread thread, RingSocket socket, int depth, uint dataBytes)
    {
        _thread = thread;
        _socket = socket;
        uint perSlot = InitiatorSlot.HeaderBytes + (dataBytes + 4095) / 4096 * 4096;
        _memory = context.Memory.Allocate(ReceiveBytes + (nuint)perSlot * (nuint)depth);
        _in = _memory.Slice(0, ReceiveBytes);
        nuint data = ReceiveBytes;
        nuint headers = data + (nuint)(perSlot - InitiatorSlot.HeaderBytes) * (nuint)depth;
        Slots = new InitiatorSlot[depth];
        for (int i = 0; i < depth; i++)
        {
            Slots[i] = new InitiatorSlot((ushort)i, _memory.Slice(headers + (nuint)i * InitiatorSlot.HeaderBytes, InitiatorSlot.HeaderBytes),
                _memory.Slice(data + (nuint)i * (perSlot - InitiatorSlot.HeaderBytes), dataBytes));
        }
        _out = new IoVec[depth * 4 + 64];
        _send = new SendOperation(this);
        _receive = new ReceiveOperation(this);
    }

    internal InitiatorSlot[] Slots { get; }

    /// <summary>Why the connection ended; null while it lives.</summary>
    internal string? Failure { get; private set; }

    /// <summary>Told once when the connection fails.</summary>
    internal Action<string>? Failed { get; set; }

    /// <summary>Bytes of data that may go with the command in its capsule.</summary>
    internal uint InCapsuleBytes { get; set; } = PduLayout.AdminInCapsuleDataSize;

    private sealed class SendOperation(InitiatorConnection connection) : RingOperation
    {
        protected override void OnCompleted(int result) => connection.OnSent(result);
    }

    private sealed class ReceiveOperation(InitiatorConnection connection) : RingOperation
    {
        protected override void OnCompleted(int result) => connection.OnReceived(result);
    }

    /// <summary>Exchanges ICReq and ICResp. On the connection's thread.</summary>
    internal async Task InitializeAsync(bool headerDigest, bool dataDigest)
    {
        var header = Slots[0].Headers;
        PrepareIcReq(header, headerDigest, dataDigest);
        Receive();
        Append(header.Slice(0, ICReq.Size));
        Flush();
        var response = await _initialized.Task.WaitAsync(TimeSpan.FromSeconds(10));
        _headerDigest = (response.Dgst & DigestTypes.HeaderDigest) != 0;
        _dataDigest = (response.Dgst & DigestTypes.DataDigest) != 0;
        if (_headerDigest != headerDigest || _dataDigest != dataDigest)
            throw new SpindleException(Errno.ENOTSUP, "The target does not do the digests that were asked for.");
        _maxH2CData = Math.Max(PduLayout.MinMaxH2CData, response.Maxh2cdata);
    }

    private static unsafe void PrepareIcReq(IoVec header, bool headerDigest, bool dataDigest)
    {
        header.Span[..ICReq.Size].Clear();
        ref var request = ref Unsafe.AsRef<ICReq>(header.Pointer);
        request.Header = PduLayout.Header(PduType.ICReq, PduFlags.None, false);
        request.Dgst = (headerDigest ? DigestTypes.HeaderDigest : 0) | (dataDigest ? DigestTypes.DataDigest : 0);
        request.Maxr2t = 15;
    }

    /// <summary>Queues the slot's command; <see cref="Flush"/> sends what is queued.</summary>
    [DataPath]
    internal unsafe void Submit(InitiatorSlot slot)
    {
        ref var command = ref slot.Command;
        command.Cid = slot.Cid;
        command.Psdt = PrpOrSgl.SglMptrContiguous;
        bool inCapsule = slot.IsWrite && slot.DataLength > 0 && slot.DataLength <= InCapsuleBytes;
        command.Sgl1 = slot.DataLength == 0 ? default : inCapsule ? SglDescriptor.InCapsule(0, slot.DataLength) : SglDescriptor.TransportDataBlock(slot.DataLength);
        slot.Received = 0;
        slot.Pieces = 0;
        slot.IsActive = true;
        ref var capsule = ref Unsafe.AsRef<CapsuleCmd>(slot.Headers.Pointer);
        capsule.Header = inCapsule
            ? PduLayout.HeaderWithData(PduType.CapsuleCmd, PduFlags.None, _headerDigest, _dataDigest, 0, slot.DataLength)
            : PduLayout.Header(PduType.CapsuleCmd, PduFlags.None, _headerDigest);
        capsule.Ccsqe = command;
        AppendPdu(slot, 0, CapsuleCmd.Size, inCapsule ? slot.Data.Slice(0, slot.DataLength) : default);
    }

    /// <summary>Queues a PDU whose header lies in the slot's header memory, with its digests.</summary>
    [DataPath]
    private unsafe void AppendPdu(InitiatorSlot slot, uint at, uint headerLength, IoVec data)
    {
        byte* header = slot.Headers.Pointer + at;
        uint length = headerLength;
        if (_headerDigest)
        {
            *(uint*)(header + length) = Crc32C.Compute(new ReadOnlySpan<byte>(header, (int)headerLength));
            length += PduLayout.DigestLength;
        }
        Append(slot.Headers.Slice(at, length));
        if (data.Length == 0) return;
        Append(data);
        if (!_dataDigest) return;
        // Behind the header and its digest, where nothing else is.
        *(uint*)(header + length) = Crc32C.Compute(data.Span);
        Append(slot.Headers.Slice(at + length, PduLayout.DigestLength));
    }

    [DataPath]
    private void Append(IoVec vector)
    {
        if (_outTail == _out.Length)
        {
            Array.Copy(_out, _outHead, _out, 0, _outTail - _outHead);
            _outTail -= _outHead;
            _outHead = 0;
            if (_outTail > _out.Length / 2) Array.Resize(ref _out, _out.Length * 2);
        }
        _out[_outTail++] = vector;
    }

    /// <summary>Sends what is queued, unless a send is under way, whose end does it.</summary>
    [DataPath]
    internal void Flush()
    {
        if (_send.IsPending || _outHead == _outTail || _stopping) return;
        int error = _thread.Ring.Send(_socket, _out.AsSpan(_outHead, Math.Min(_outTail - _outHead, MaxVectors)), _send);
        if (error != 0) Fail($"sending failed: {Errno.Message(error)}");
    }

    [DataPath]
    private void OnSent(int result)
    {
        if (result < 0)
        {
            Fail($"sending failed: {Errno.Message(result)}");
            return;
        }
        uint sent = (uint)result;
        while (sent > 0)
        {
            ref var vector = ref _out[_outHead];
            if (vector.Length > sent)
            {
                vector = vector.Slice(sent, vector.Length - sent);
                break;
            }
            sent -= vector.Length;
            _outHead++;
        }
        if (_outHead == _outTail) _outHead = _outTail = 0;
        Flush();
        EndIfStopped();
    }

    internal void Fail(string reason)
    {
        if (Failure is not null) return;
        Failure = reason;
        _stopping = true;
        _socket.Shutdown();
        _initialized.TrySetException(new SpindleException(Errno.EIO, reason));
        Failed?.Invoke(reason);
        EndIfStopped();
    }

    /// <summary>Ends the connection. On its thread; no command may be outstanding that anyone waits for.</summary>
    internal Task CloseAsync()
    {
        if (!_stopping)
        {
            _stopping = true;
            _socket.Shutdown();
        }
        EndIfStopped();
        return _ended.Task;
    }

    private void EndIfStopped()
    {
        if (_stopping && !_send.IsPending && !_receive.IsPending) _ended.TrySetResult();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _memory.Dispose();
    }
}
