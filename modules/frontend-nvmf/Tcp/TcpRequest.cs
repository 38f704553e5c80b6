using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>Where a slot is, as far as the transport is concerned.</summary>
internal enum TcpRequestStage : byte
{
    /// <summary>In the pool.</summary>
    Free,
    /// <summary>Its capsule's data is being received.</summary>
    InCapsule,
    /// <summary>Waits until the host may be asked for its data.</summary>
    WaitingForWindow,
    /// <summary>Waits for data buffers.</summary>
    WaitingForBuffers,
    /// <summary>Has buffers; R2Ts are to be sent or were, the host's data is coming.</summary>
    AwaitingData,
    /// <summary>With the target.</summary>
    Executing,
    /// <summary>In the send queue, its completion not yet in a batch.</summary>
    Completing,
    /// <summary>Its buffers are being sent.</summary>
    Sending,
}

/// <summary>Where its buffers come from.</summary>
internal enum TcpBufferSource : byte
{
    None,
    Small,
    Large,
    /// <summary>The poll group's own, for in-capsule data when the pools are dry.</summary>
    Reserve,
    /// <summary>The bdev: its own memory, to be read in place.</summary>
    Lent,
}

/// <summary>A part of a command's data that was asked for by one R2T.</summary>
internal struct TcpTransfer
{
    /// <summary>The R2T was sent, and its data is not complete.</summary>
    public bool Active;
    /// <summary>Offset of the next byte to come.</summary>
    public uint Next;
    /// <summary>Bytes to come.</summary>
    public uint Remaining;
}

/// <summary>A slot of a connection: one command, and what of it the transport must remember.</summary>
internal sealed unsafe class TcpRequest : NvmfRequest
{
    private readonly TcpConnection _connection;

    /// <summary>Links of the one queue that it is in: free list, buffer wait queue, send queue.</summary>
    internal TcpRequest? NextInQueue;
    internal TcpRequest? PreviousInQueue;

    /// <summary>Position in the connection's byte stream after the last byte of its data.</summary>
    internal ulong SendEnd;

    internal readonly int Index;
    internal TcpRequestStage Stage;
    internal TcpBufferSource BufferSource;

    /// <summary>In the send queue to have an R2T sent.</summary>
    internal bool R2TQueued;

    /// <summary>Counted in the connection's write window.</summary>
    internal bool InWindow;

    /// <summary>A data digest was wrong: it ends with Transient Transport Error when all its data has come.</summary>
    internal bool DigestFailed;

    /// <summary>What to end it with once its capsule's data was skipped; success: execute it.</summary>
    internal StatusField StatusAfterSkip;

    /// <summary>Bytes for which buffers were taken.</summary>
    internal uint BufferedLength;

    private readonly TcpTransfer[] _transfers;
    private uint _requested;
    private uint _received;

    internal TcpRequest(TcpConnection connection, int index, int maxBuffers, int maxTransfers) : base(connection, maxBuffers)
    {
        _connection = connection;
        Index = index;
        _transfers = new TcpTransfer[maxTransfers];
    }

    internal TcpConnection Connection => _connection;

    /// <summary>Takes the slot into use.</summary>
    [DataPath]
    internal void Begin(in SubmissionQueueEntry command)
    {
        Command = command;
        Stage = TcpRequestStage.InCapsule;
        DigestFailed = false;
        StatusAfterSkip = default;
    }

    /// <summary>The contiguous memory for the data at an offset.</summary>
    /// <param name="offset">Below <see cref="NvmfRequest.Length"/>.</param>
    /// <param name="available">Bytes there.</param>
    [DataPath]
    internal byte* DataAt(uint offset, out uint available)
    {
        // All buffers but the last hold the same number of bytes.
        ReadOnlySpan<IoVec> buffers = Buffers;
        uint unit = buffers[0].Length;
        int index = 0;
        if (offset >= unit)
        {
            index = (int)(offset / unit);
            offset -= (uint)index * unit;
        }
        available = buffers[index].Length - offset;
        return buffers[index].Pointer + offset;
    }

    /// <summary>The part of the buffers at an offset.</summary>
    [DataPath]
    internal IoVec SliceAt(uint offset, uint maxLength)
    {
        ReadOnlySpan<IoVec> buffers = Buffers;
        uint unit = buffers[0].Length;
        int index = 0;
        if (offset >= unit)
        {
            index = (int)(offset / unit);
            offset -= (uint)index * unit;
        }
        return buffers[index].Slice(offset, Math.Min(maxLength, buffers[index].Length - offset));
    }

    /// <summary>The buffers have come.</summary>
    [DataPath]
    internal void OnBuffers()
    {
        if (Direction == DataTransferDirection.HostToController)
        {
            Stage = TcpRequestStage.AwaitingData;
            _requested = 0;
            _received = 0;
            _connection.Sender.EnqueueR2T(this);
            return;
        }
        Stage = TcpRequestStage.Executing;
        _connection.Run(this);
    }

    /// <summary>Whether an R2T is due and allowed.</summary>
    internal bool NeedsR2T => Stage == TcpRequestStage.AwaitingData && _requested < Length;

    /// <summary>Takes a free transfer for the next R2T.</summary>
    /// <returns>Its number, or -1 when as many as allowed are outstanding.</returns>
    [DataPath]
    internal int BeginTransfer(uint maxLength, out uint offset, out uint length)
    {
        TcpTransfer[] transfers = _transfers;
        for (int i = 0; i < transfers.Length; i++)
        {
            if (transfers[i].Active) continue;
            offset = _requested;
            length = Math.Min(maxLength, Length - _requested);
            _requested += length;
            transfers[i] = new TcpTransfer { Active = true, Next = offset, Remaining = length };
            return i;
        }
        offset = 0;
        length = 0;
        return -1;
    }

    /// <summary>The transfer with this number; one that is not active if there is none.</summary>
    internal ref TcpTransfer Transfer(int number) => ref _transfers[number];

    internal int MaxTransfers => _transfers.Length;

    /// <summary>The data of an H2CData PDU is in its place.</summary>
    [DataPath]
    internal void OnTransferred(int number, uint length, bool digestFailed)
    {
        DigestFailed |= digestFailed;
        ref TcpTransfer transfer = ref _transfers[number];
        transfer.Next += length;
        transfer.Remaining -= length;
        _received += length;
        if (transfer.Remaining == 0) transfer.Active = false;
        if (_received == Length)
        {
            _connection.Window.Leave(this);
            Stage = TcpRequestStage.Executing;
            if (DigestFailed) Reject(new StatusField(GenericStatusCode.TransientTransportError));
            else _connection.Run(this);
        }
        else if (transfer.Remaining == 0 && _requested < Length)
        {
            _connection.Sender.EnqueueR2T(this);
        }
    }

    /// <summary>Forgets the transfers: the slot goes back.</summary>
    internal void ResetTransfers()
    {
        foreach (ref TcpTransfer transfer in _transfers.AsSpan()) transfer.Active = false;
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal override void OnCompleted() => _connection.OnRequestCompleted(this);
}
