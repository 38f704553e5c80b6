using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Spindle.Nvme;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.Initiator;

/// <summary>
/// The raw layer: one TCP connection, bytes out as the caller wants them, whole PDUs in with their framing and digests checked.
/// One task may read and one may write at a time.
/// </summary>
public sealed class PduConnection : IAsyncDisposable
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    /// <summary>No PDU a target sends may be longer; MDTS of any target under test is below.</summary>
    private const uint MaxPlen = 4 << 20;

    private readonly Socket socket;
    private readonly byte[] header = new byte[PduHeader.Size];

    private PduConnection(Socket socket) => this.socket = socket;

    /// <summary>Digests in force.</summary>
    public DigestTypes Digests { get; private set; }

    /// <summary>Alignment the target asked for.</summary>
    public byte Cpda { get; private set; }

    /// <summary>Alignment the host asked for; checked on C2HData.</summary>
    public byte Hpda { get; private set; }

    /// <summary>Largest data of an H2CData PDU, bytes.</summary>
    public uint Maxh2cdata { get; private set; }

    /// <summary>Outstanding R2Ts per command the host allows; not 0's based.</summary>
    public uint MaxR2T { get; private set; } = 1;

    public bool Established { get; private set; }

    public static async Task<PduConnection> OpenAsync(EndPoint endpoint, CancellationToken ct = default)
    {
        Socket socket = new(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
            timeout.CancelAfter(DefaultTimeout);
            await socket.ConnectAsync(endpoint, timeout.Token);
            return new PduConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Opens, sends ICReq, checks ICResp and puts what was agreed in force.</summary>
    public static async Task<PduConnection> OpenAndInitializeAsync(EndPoint endpoint, DigestTypes digests = DigestTypes.None, uint maxR2T = 1, byte hpda = 0, CancellationToken ct = default)
    {
        PduConnection connection = await OpenAsync(endpoint, ct);
        try
        {
            await connection.InitializeAsync(digests, maxR2T, hpda, ct);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends ICReq and takes ICResp. <paramref name="maxR2T"/> 1 or more.</summary>
    public async Task<ICResp> InitializeAsync(DigestTypes digests = DigestTypes.None, uint maxR2T = 1, byte hpda = 0, CancellationToken ct = default)
    {
        await SendAsync(PduBuilder.ICReq(digests, maxR2T - 1, hpda), ct);
        ReceivedPdu pdu = await ReceiveAsync(null, ct) ?? throw new ProtocolViolationException("The target closed the connection instead of answering ICReq.");
        ThrowIfTerminated(pdu);
        ICResp resp = pdu.As<ICResp>();
        PduCheck check = PduValidator.CheckICResp(resp, digests);
        if (!check.IsValid)
        {
            throw new ProtocolViolationException($"ICResp is wrong: {check}.");
        }
        Digests = resp.Dgst;
        Cpda = resp.Cpda;
        Hpda = hpda;
        Maxh2cdata = resp.Maxh2cdata;
        MaxR2T = maxR2T;
        Established = true;
        return resp;
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        while (!bytes.IsEmpty)
        {
            int sent = await socket.SendAsync(bytes, SocketFlags.None, ct);
            bytes = bytes[sent..];
        }
    }

    /// <summary>Sends bytes in pieces of random length, each its own segment where the network allows, to cut PDUs anywhere.</summary>
    public async Task SendInPiecesAsync(ReadOnlyMemory<byte> bytes, Random random, int largest, CancellationToken ct = default)
    {
        while (!bytes.IsEmpty)
        {
            int piece = Math.Min(bytes.Length, random.Next(1, largest + 1));
            await SendAsync(bytes[..piece], ct);
            bytes = bytes[piece..];
            if (random.Next(4) == 0)
            {
                await Task.Delay(1, ct);
            }
        }
    }

    /// <summary>The next PDU; null when the target closed the connection between PDUs.</summary>
    /// <param name="timeout">Null for <see cref="DefaultTimeout"/>; <see cref="TimeoutException"/> afterwards, with the connection unusable.</param>
    public async Task<ReceivedPdu?> ReceiveAsync(TimeSpan? timeout = null, CancellationToken ct = default)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout ?? DefaultTimeout);
        try
        {
            return await ReceiveUnlimitedAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"The target sent no PDU within {timeout ?? DefaultTimeout}.");
        }
    }

    /// <summary>The next PDU, for as long as it takes.</summary>
    public async Task<ReceivedPdu?> ReceiveUnlimitedAsync(CancellationToken ct)
    {
        int got = await ReadAsync(header, ct);
        if (got == 0)
        {
            return null;
        }
        if (got < header.Length)
        {
            throw new ProtocolViolationException($"The target closed the connection after {got} bytes of a header.");
        }
        PduHeader common = WireBuffer.Read<PduHeader>(header);
        PduRules rules = Rules();
        PduCheck check = PduValidator.CheckHeader(common, rules);
        if (!check.IsValid)
        {
            throw new ProtocolViolationException($"The target sent a wrong header ({check}): type {(byte)common.PduType:X2}h, flags {(byte)common.Flags:X2}h, HLEN {common.Hlen}, PDO {common.Pdo}, PLEN {common.Plen}.");
        }
        byte[] bytes = new byte[common.Plen];
        header.CopyTo(bytes, 0);
        got = await ReadAsync(bytes.AsMemory(header.Length), ct);
        if (got < bytes.Length - header.Length)
        {
            throw new ProtocolViolationException($"The target closed the connection inside a PDU of type {common.PduType}: {header.Length + got} of {common.Plen} bytes came.");
        }
        int dataLength = (int)PduValidator.DataLength(common, rules);
        int dataOffset = common.PduType is PduType.C2HTermReq ? TermReq.Size : dataLength == 0 ? 0 : common.Pdo;
        CheckDigests(bytes, common, dataOffset, dataLength);
        return new ReceivedPdu(bytes, dataOffset, dataLength);
    }

    /// <summary>Waits for the target's C2HTermReq and its close; PDUs before are taken and dropped.</summary>
    public async Task<TermReq> ExpectTerminationAsync(TimeSpan? timeout = null)
    {
        while (true)
        {
            ReceivedPdu pdu = await ReceiveAsync(timeout) ?? throw new ProtocolViolationException("The target closed the connection without a C2HTermReq.");
            if (pdu.Type == PduType.C2HTermReq)
            {
                await ExpectCloseAsync(timeout);
                return pdu.As<TermReq>();
            }
        }
    }

    /// <summary>Waits until the target closes the connection; PDUs before are taken and dropped.</summary>
    public async Task ExpectCloseAsync(TimeSpan? timeout = null)
    {
        try
        {
            while (await ReceiveAsync(timeout) is not null)
            {
            }
        }
        catch (SocketException)
        {
            // A reset is a close: the target had unread bytes.
        }
    }

    /// <summary>Closes the sending half: the target sees the end of the stream.</summary>
    public void ShutdownSend() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection with a reset instead of an orderly close.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    }

    public static void ThrowIfTerminated(ReceivedPdu pdu)
    {
        if (pdu.Type == PduType.C2HTermReq)
        {
            TermReq term = pdu.As<TermReq>();
            throw new ConnectionTerminatedException(term.Fes, term.Fei);
        }
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private PduRules Rules() => new()
    {
        Receiver = PduReceiver.Host,
        Phase = Established ? ConnectionPhase.Established : ConnectionPhase.Initializing,
        HeaderDigest = (Digests & DigestTypes.HeaderDigest) != 0,
        DataDigest = (Digests & DigestTypes.DataDigest) != 0,
        Pda = Hpda,
        MaxData = MaxPlen,
    };

    private void CheckDigests(byte[] bytes, PduHeader common, int dataOffset, int dataLength)
    {
        if ((Digests & DigestTypes.HeaderDigest) != 0 && PduLayout.MayHaveHeaderDigest(common.PduType))
        {
            uint sent = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(common.Hlen));
            uint computed = Crc32C.Compute(bytes.AsSpan(0, common.Hlen));
            if (sent != computed)
            {
                throw new ProtocolViolationException($"Header digest of {common.PduType} is {sent:X8}h, should be {computed:X8}h.");
            }
        }
        if ((Digests & DigestTypes.DataDigest) != 0 && dataLength > 0 && PduLayout.MayHaveDataDigest(common.PduType))
        {
            uint sent = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(dataOffset + dataLength));
            uint computed = Crc32C.Compute(bytes.AsSpan(dataOffset, dataLength));
            if (sent != computed)
            {
                throw new ProtocolViolationException($"Data digest of {common.PduType} is {sent:X8}h, should be {computed:X8}h.");
            }
        }
    }

    private async Task<int> ReadAsync(Memory<byte> buffer, CancellationToken ct)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = await socket.ReceiveAsync(buffer[total..], SocketFlags.None, ct);
            if (read == 0)
            {
                break;
            }
            total += read;
        }
        return total;
    }
}
