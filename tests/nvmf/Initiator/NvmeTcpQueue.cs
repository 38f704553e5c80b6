using System.Net;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.Initiator;

/// <summary>How a queue is connected.</summary>
public sealed record QueueOptions
{
    public DigestTypes Digests { get; init; }

    /// <summary>Entries of the submission queue, 2 to 65,536.</summary>
    public int QueueSize { get; init; } = 128;

    /// <summary>R2Ts a command may have outstanding.</summary>
    public uint MaxR2T { get; init; } = 1;

    /// <summary>Host PDU Data Alignment, 0's based dwords.</summary>
    public byte Hpda { get; init; }

    /// <summary>CATTR bit 2.</summary>
    public bool DisableSqFlowControl { get; init; }

    /// <summary>Whether SUCCESS on C2HData is refused while SQ flow control is on, as the letter of section 3.6.2.9 has it; targets in the field send it always.</summary>
    public bool StrictSuccessFlag { get; init; }

    /// <summary>How long a command may take.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// One queue: a connection, a reader task, and commands in flight up to the queue's size. Everything the target sends is checked; a violation
/// fails all outstanding commands with a <see cref="ProtocolViolationException"/>. Safe to call from several tasks.
/// </summary>
public sealed class NvmeTcpQueue : IAsyncDisposable
{
    private readonly PduConnection connection;
    private readonly QueueOptions options;
    private readonly SemaphoreSlim sendLock = new(1, 1);
    private readonly SemaphoreSlim slots;
    private readonly Dictionary<ushort, OutstandingCommand> outstanding = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Task reader;
    private ushort nextCid;
    private uint submitted;
    private uint lastSqhd;
    private Exception? failure;

    private NvmeTcpQueue(PduConnection connection, ushort qid, QueueOptions options)
    {
        this.connection = connection;
        this.options = options;
        Qid = qid;
        // A queue of N entries holds N - 1 commands (NVMe Base Specification 2.0, section 3.3.1).
        slots = new SemaphoreSlim(options.QueueSize - 1, options.QueueSize - 1);
        MaxInCapsuleData = qid == 0 ? PduLayout.AdminInCapsuleDataSize : 0;
        reader = Task.Run(ReadLoopAsync);
    }

    public ushort Qid { get; }

    /// <summary>Data up to this length goes in the capsule, bytes; an I/O queue's comes from IOCCSZ.</summary>
    public int MaxInCapsuleData { get; set; }

    public PduConnection Connection => connection;

    /// <summary>Completes when the connection has ended, with its cause in <see cref="Failure"/>.</summary>
    public Task Closed => reader;

    /// <summary>Why the queue does not work any more; null while it does.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>PDUs seen, by type; for tests that want to know how data travelled.</summary>
    public int R2TCount, C2HDataCount, SuccessFlagCount, CapsuleRespCount;

    public static async Task<NvmeTcpQueue> OpenAsync(EndPoint endpoint, ushort qid, QueueOptions options, CancellationToken ct = default)
    {
        PduConnection connection = await PduConnection.OpenAndInitializeAsync(endpoint, options.Digests, options.MaxR2T, options.Hpda, ct);
        return new NvmeTcpQueue(connection, qid, options);
    }

    /// <summary>The Connect command; returns the completion whatever its status.</summary>
    public Task<CompletionQueueEntry> ConnectAsync(string hostnqn, string subnqn, Guid hostid, ushort cntlid, uint kato)
    {
        SubmissionQueueEntry sqe = FabricsCommands.Connect(Qid, (ushort)(options.QueueSize - 1), kato,
            options.DisableSqFlowControl ? ConnectAttributes.DisableSqFlowControl : ConnectAttributes.None);
        return SubmitAsync(sqe, dataOut: FabricsCommands.ConnectData(hostnqn, subnqn, hostid, cntlid), forceInCapsule: true);
    }

    /// <summary>
    /// Sends a command and waits for its completion, whatever the status. CID and SGL are filled in. At most one of the buffers is used.
    /// </summary>
    /// <param name="sqe">The command; Psdt, Cid and Sgl1 are set here unless <paramref name="keepSgl"/>.</param>
    /// <param name="dataOut">Data to the target: in the capsule where it fits, else by R2T.</param>
    /// <param name="dataIn">Where data from the target goes; all of it must come with a success.</param>
    /// <param name="noInCapsule">Data to the target goes by R2T even where it would fit.</param>
    /// <param name="forceInCapsule">Data to the target goes in the capsule whatever the limit.</param>
    /// <param name="keepSgl">The SGL of <paramref name="sqe"/> stays as it is.</param>
    /// <param name="shortDataAllowed">A success with less data than <paramref name="dataIn"/> holds is no violation.</param>
    /// <param name="timeout">Null for the queue's; infinite for events.</param>
    public async Task<CompletionQueueEntry> SubmitAsync(SubmissionQueueEntry sqe, ReadOnlyMemory<byte> dataOut = default, Memory<byte> dataIn = default,
        bool noInCapsule = false, bool forceInCapsule = false, bool keepSgl = false, bool shortDataAllowed = false, TimeSpan? timeout = null)
    {
        (OutstandingCommand command, byte[] pdu) = await PrepareAsync(sqe, dataOut, dataIn, noInCapsule, forceInCapsule, keepSgl, shortDataAllowed);
        await SendAsync(pdu);
        return await WaitAsync(command, timeout);
    }

    /// <summary>Sends two fused commands one right after the other, and waits for both.</summary>
    public async Task<(CompletionQueueEntry First, CompletionQueueEntry Second)> SubmitFusedAsync(SubmissionQueueEntry first, ReadOnlyMemory<byte> firstData, SubmissionQueueEntry second, ReadOnlyMemory<byte> secondData, bool noInCapsule = false)
    {
        first.Fuse = FusedOperation.FirstCommand;
        second.Fuse = FusedOperation.SecondCommand;
        (OutstandingCommand a, byte[] pduA) = await PrepareAsync(first, firstData, default, noInCapsule, false, false, false);
        (OutstandingCommand b, byte[] pduB) = await PrepareAsync(second, secondData, default, noInCapsule, false, false, false);
        await SendAsync((byte[])[.. pduA, .. pduB]);
        await Task.WhenAll(WaitAsync(a, null), WaitAsync(b, null));
        return (await a.Completion.Task, await b.Completion.Task);
    }

    /// <summary>Starts a command; gives its CID at once and its completion later. For tests of Abort and of events.</summary>
    public async Task<(ushort Cid, Task<CompletionQueueEntry> Completion)> StartAsync(SubmissionQueueEntry sqe, ReadOnlyMemory<byte> dataOut = default, Memory<byte> dataIn = default, TimeSpan? timeout = null)
    {
        (OutstandingCommand command, byte[] pdu) = await PrepareAsync(sqe, dataOut, dataIn, false, false, false, false);
        await SendAsync(pdu);
        return (command.Sqe.Cid, WaitAsync(command, timeout));
    }

    /// <summary>As <see cref="SubmitAsync"/>, but throws <see cref="NvmeStatusException"/> unless it succeeds.</summary>
    public async Task<CompletionQueueEntry> ExecuteAsync(string what, SubmissionQueueEntry sqe, ReadOnlyMemory<byte> dataOut = default, Memory<byte> dataIn = default)
    {
        CompletionQueueEntry cqe = await SubmitAsync(sqe, dataOut, dataIn);
        return cqe.Status.IsSuccess ? cqe : throw new NvmeStatusException(what, cqe);
    }

    private async Task<(OutstandingCommand, byte[])> PrepareAsync(SubmissionQueueEntry sqe, ReadOnlyMemory<byte> dataOut, Memory<byte> dataIn,
        bool noInCapsule, bool forceInCapsule, bool keepSgl, bool shortDataAllowed)
    {
        if (!await slots.WaitAsync(options.CommandTimeout))
        {
            throw new TimeoutException($"Queue {Qid} stayed full for {options.CommandTimeout}.");
        }
        bool inCapsule = !dataOut.IsEmpty && !noInCapsule && (forceInCapsule || dataOut.Length <= MaxInCapsuleData);
        if (!keepSgl)
        {
            sqe.Psdt = PrpOrSgl.SglMptrContiguous;
            sqe.Sgl1 = inCapsule ? SglDescriptor.InCapsule(0, (uint)dataOut.Length)
                : SglDescriptor.TransportDataBlock((uint)(dataOut.IsEmpty ? dataIn.Length : dataOut.Length));
        }
        lock (outstanding)
        {
            if (failure is not null)
            {
                slots.Release();
                throw failure;
            }
            while (outstanding.ContainsKey(nextCid))
            {
                nextCid++;
            }
            sqe.Cid = nextCid++;
            OutstandingCommand command = new(sqe, dataOut, inCapsule, dataIn, shortDataAllowed);
            outstanding.Add(sqe.Cid, command);
            submitted++;
            return (command, PduBuilder.CapsuleCmd(sqe, inCapsule ? dataOut.Span : default, connection.Digests, connection.Cpda));
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await sendLock.WaitAsync();
        try
        {
            await connection.SendAsync(bytes);
        }
        finally
        {
            sendLock.Release();
        }
    }

    private async Task<CompletionQueueEntry> WaitAsync(OutstandingCommand command, TimeSpan? timeout)
    {
        try
        {
            return await command.Completion.Task.WaitAsync(timeout ?? options.CommandTimeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Queue {Qid}: {command.Name} did not complete within {timeout ?? options.CommandTimeout}.");
        }
    }

    private async Task ReadLoopAsync()
    {
        Exception cause;
        try
        {
            while (true)
            {
                ReceivedPdu? pdu = await connection.ReceiveUnlimitedAsync(stop.Token);
                if (pdu is null)
                {
                    cause = new IOException($"The target closed the connection of queue {Qid}.");
                    break;
                }
                Take(pdu);
            }
        }
        catch (Exception e)
        {
            cause = e;
        }
        OutstandingCommand[] orphans;
        lock (outstanding)
        {
            failure = cause;
            orphans = [.. outstanding.Values];
            outstanding.Clear();
        }
        foreach (OutstandingCommand command in orphans)
        {
            command.Completion.TrySetException(cause);
        }
        await connection.DisposeAsync();
    }

    private void Take(ReceivedPdu pdu)
    {
        PduConnection.ThrowIfTerminated(pdu);
        switch (pdu.Type)
        {
            case PduType.C2HData:
                TakeData(pdu);
                break;
            case PduType.R2T:
                TakeR2T(pdu.As<R2T>());
                break;
            case PduType.CapsuleResp:
                TakeResponse(pdu.As<CapsuleResp>().Rccqe);
                break;
            default:
                throw new ProtocolViolationException($"Unexpected {pdu.Type}.");
        }
    }

    private void TakeData(ReceivedPdu pdu)
    {
        C2HDataCount++;
        ushort cccid = pdu.As<C2HData>().Cccid;
        OutstandingCommand command = Find(cccid, "C2HData");
        if (!command.TakeData(pdu))
        {
            return;
        }
        if (options.StrictSuccessFlag && !options.DisableSqFlowControl)
        {
            throw new ProtocolViolationException($"C2HData for {command.Name} has SUCCESS set though SQ flow control is on.");
        }
        SuccessFlagCount++;
        Complete(command, new CompletionQueueEntry { Cid = cccid });
    }

    private void TakeR2T(R2T r2t)
    {
        R2TCount++;
        OutstandingCommand command = Find(r2t.Cccid, "R2T");
        (uint offset, uint length) = command.TakeR2T(r2t, connection.MaxR2T);
        // Not awaited: while data goes out, what comes in must be read, further R2Ts of the command among it.
        _ = SendDataAsync(command, r2t.Ttag, offset, length);
    }

    private async Task SendDataAsync(OutstandingCommand command, ushort ttag, uint offset, uint length)
    {
        try
        {
            uint end = offset + length;
            // Dwords, so that every DATAO stays aligned.
            uint largest = connection.Maxh2cdata & ~3u;
            while (offset < end)
            {
                uint piece = Math.Min(largest, end - offset);
                bool last = offset + piece == end;
                byte[] pdu = PduBuilder.H2CData(command.Sqe.Cid, ttag, offset, command.DataOut.Span.Slice((int)offset, (int)piece), last, connection.Digests, connection.Cpda);
                if (last)
                {
                    // Before the last byte leaves: the target may complete the command, or ask for more, before SendAsync returns.
                    command.EndTransfer(ttag);
                }
                await SendAsync(pdu);
                offset += piece;
            }
        }
        catch (Exception e) when (e is System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            // The reader sees the same end of the connection and fails the command with its cause.
        }
    }

    private void TakeResponse(CompletionQueueEntry cqe)
    {
        CapsuleRespCount++;
        OutstandingCommand command = Find(cqe.Cid, "CapsuleResp");
        command.CheckCompletion(cqe);
        lock (outstanding)
        {
            CheckSqhd(cqe);
        }
        Complete(command, cqe);
    }

    /// <summary>SQHD moves forward only, and never past what was submitted (NVMe Base Specification 2.0, section 3.3.1.2.2).</summary>
    private void CheckSqhd(CompletionQueueEntry cqe)
    {
        if (options.DisableSqFlowControl)
        {
            return;
        }
        uint size = (uint)options.QueueSize;
        if (cqe.Sqhd >= size)
        {
            throw new ProtocolViolationException($"Completion of command {cqe.Cid}: SQHD {cqe.Sqhd} is not below the queue size {size}.");
        }
        uint moved = (cqe.Sqhd + size - lastSqhd % size) % size;
        if (lastSqhd + moved > submitted)
        {
            throw new ProtocolViolationException($"Completion of command {cqe.Cid}: SQHD {cqe.Sqhd} means {lastSqhd + moved} commands fetched, {submitted} were submitted.");
        }
        lastSqhd += moved;
    }

    private OutstandingCommand Find(ushort cid, string pdu)
    {
        lock (outstanding)
        {
            return outstanding.TryGetValue(cid, out OutstandingCommand? command) ? command
                : throw new ProtocolViolationException($"{pdu} on queue {Qid} names command {cid}, which is not outstanding.");
        }
    }

    private void Complete(OutstandingCommand command, CompletionQueueEntry cqe)
    {
        lock (outstanding)
        {
            outstanding.Remove(command.Sqe.Cid);
        }
        slots.Release();
        command.Completion.TrySetResult(cqe);
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await connection.DisposeAsync();
        await reader;
    }
}
