using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Registers;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.InitiatorTests;

/// <summary>
/// The least target that an initiator can be tested with: one subsystem, one namespace in an array, correct by itself.
/// <see cref="Outgoing"/> sees every PDU before it leaves and may change or drop it, to show that the initiator notices.
/// </summary>
internal sealed class FakeTarget : IAsyncDisposable
{
    public const int BlockSize = 512, Blocks = 2048;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Task accepting;
    private readonly List<Task> connections = [];
    private uint cc;

    public FakeTarget()
    {
        listener.Start();
        accepting = Task.Run(AcceptAsync);
    }

    public IPEndPoint Endpoint => (IPEndPoint)listener.LocalEndpoint;
    public byte[] Disk { get; } = new byte[BlockSize * Blocks];

    /// <summary>Replaces a PDU; null drops it. The digest is made right afterwards unless <see cref="BreakDigests"/>.</summary>
    public Func<byte[], byte[]?> Outgoing { get; set; } = pdu => pdu;

    public bool BreakDigests { get; set; }
    public byte Cpda { get; init; }
    public uint Maxh2cdata { get; init; } = 8192;
    public int IoInCapsule { get; init; } = 4096;

    /// <summary>Bytes per C2HData.</summary>
    public int C2HDataSize { get; init; } = 4096;

    /// <summary>Bytes per R2T.</summary>
    public int R2TSize { get; init; } = 16384;

    /// <summary>Whether reads end with SUCCESS instead of a CapsuleResp.</summary>
    public bool SuccessFlag { get; init; }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await listener.AcceptSocketAsync(stop.Token);
                connections.Add(Task.Run(() => ServeAsync(socket)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                await new Session(this, socket).RunAsync(stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or IOException)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        await Task.WhenAll(connections);
        stop.Dispose();
    }

    private sealed class Session(FakeTarget target, Socket socket)
    {
        private readonly Dictionary<ushort, (SubmissionQueueEntry Sqe, byte[] Data)> writes = [];
        private PduRules rules = new() { Receiver = PduReceiver.Controller, MaxInCapsuleData = 8192, MaxData = target.Maxh2cdata };
        private DigestTypes digests;
        private byte hpda;
        private ushort sqSize = 2, head;

        public async Task RunAsync(CancellationToken ct)
        {
            while (true)
            {
                byte[] header = await ReadAsync(8, ct);
                PduHeader common = WireBuffer.Read<PduHeader>(header);
                PduCheck check = PduValidator.CheckHeader(common, rules);
                if (!check.IsValid)
                {
                    await SendAsync(TermReq(check), ct);
                    return;
                }
                byte[] pdu = [.. header, .. await ReadAsync((int)common.Plen - 8, ct)];
                int length = (int)PduValidator.DataLength(common, rules);
                if (rules.HeaderDigest && BinaryPrimitives.ReadUInt32LittleEndian(pdu.AsSpan(common.Hlen)) != Crc32C.Compute(pdu.AsSpan(0, common.Hlen)))
                {
                    await SendAsync(TermReq(PduCheck.Failed(FatalErrorStatus.HeaderDigestError)), ct);
                    return;
                }
                byte[] data = length == 0 ? [] : pdu.AsSpan(common.Pdo, length).ToArray();
                if (rules.DataDigest && length > 0 && BinaryPrimitives.ReadUInt32LittleEndian(pdu.AsSpan(common.Pdo + length)) != Crc32C.Compute(data))
                {
                    throw new IOException("data digest");
                }
                await HandleAsync(common, pdu, data, ct);
            }
        }

        private async Task HandleAsync(PduHeader common, byte[] pdu, byte[] data, CancellationToken ct)
        {
            switch (common.PduType)
            {
                case PduType.ICReq:
                    ICReq req = WireBuffer.Read<ICReq>(pdu);
                    byte[] resp = new byte[ICResp.Size];
                    WireBuffer.Write(resp, new ICResp { Header = PduLayout.Header(PduType.ICResp, 0, false), Cpda = target.Cpda, Dgst = req.Dgst, Maxh2cdata = target.Maxh2cdata });
                    await SendAsync(resp, ct);
                    digests = req.Dgst;
                    hpda = req.Hpda;
                    rules.Phase = ConnectionPhase.Established;
                    rules.HeaderDigest = (digests & DigestTypes.HeaderDigest) != 0;
                    rules.DataDigest = (digests & DigestTypes.DataDigest) != 0;
                    rules.Pda = target.Cpda;
                    break;
                case PduType.CapsuleCmd:
                    await CommandAsync(WireBuffer.Read<CapsuleCmd>(pdu).Ccsqe, data, ct);
                    break;
                case PduType.H2CData:
                    await WriteDataAsync(WireBuffer.Read<H2CData>(pdu), data, ct);
                    break;
                default:
                    throw new IOException("terminated");
            }
        }

        private async Task CommandAsync(SubmissionQueueEntry sqe, byte[] data, CancellationToken ct)
        {
            if (sqe.IsFabrics && sqe.Fctype == FabricsCommandType.Connect)
            {
                sqSize = (ushort)(sqe.As<ConnectCommand>().Sqsize + 1);
                await CompleteAsync(sqe, ct, cdw0: ConnectResponse.Success(1));
            }
            else if (sqe.IsFabrics && sqe.Fctype == FabricsCommandType.PropertyGet)
            {
                ulong value = sqe.As<PropertyGetCommand>().Ofst switch
                {
                    PropertyOffset.Cap => new ControllerCapabilities { Mqes = 127, Cqr = true, To = 1, Css = CommandSetsSupported.NvmCommandSet }.Raw,
                    PropertyOffset.Csts => target.cc & 1,
                    PropertyOffset.Cc => target.cc,
                    _ => 0,
                };
                await CompleteAsync(sqe, ct, (uint)value, (uint)(value >> 32));
            }
            else if (sqe.IsFabrics)
            {
                target.cc = (uint)sqe.As<PropertySetCommand>().Value;
                await CompleteAsync(sqe, ct);
            }
            else if (sqe.Opcode == (byte)AdminOpcode.Identify)
            {
                byte[] page = new byte[4096];
                ref IdentifyController identify = ref WireBuffer.Ref<IdentifyController>(page);
                identify.Cntlid = 1;
                identify.Cntrltype = ControllerType.Io;
                identify.Ioccsz = (uint)(64 + target.IoInCapsule) / 16;
                await SendDataAsync(sqe, page, ct);
            }
            else if (sqe.Opcode == (byte)NvmOpcode.Read)
            {
                await SendDataAsync(sqe, Range(sqe).ToArray(), ct);
            }
            else if (data.Length > 0)
            {
                data.CopyTo(Range(sqe));
                await CompleteAsync(sqe, ct);
            }
            else
            {
                writes[sqe.Cid] = (sqe, new byte[Range(sqe).Length]);
                await SendR2TAsync(sqe, 0, ct);
            }
        }

        private Span<byte> Range(SubmissionQueueEntry sqe)
        {
            NvmIoCommand io = sqe.As<NvmIoCommand>();
            return target.Disk.AsSpan((int)io.Slba * BlockSize, (int)io.BlockCount * BlockSize);
        }

        private Task SendR2TAsync(SubmissionQueueEntry sqe, int offset, CancellationToken ct)
        {
            byte[] pdu = new byte[R2T.Size + (rules.HeaderDigest ? 4 : 0)];
            WireBuffer.Write(pdu, new R2T
            {
                Header = PduLayout.Header(PduType.R2T, 0, rules.HeaderDigest),
                Cccid = sqe.Cid,
                Ttag = (ushort)(offset / target.R2TSize),
                R2to = (uint)offset,
                R2tl = (uint)Math.Min(target.R2TSize, writes[sqe.Cid].Data.Length - offset),
            });
            return SendAsync(pdu, ct);
        }

        private async Task WriteDataAsync(H2CData pdu, byte[] data, CancellationToken ct)
        {
            (SubmissionQueueEntry sqe, byte[] buffer) = writes[pdu.Cccid];
            data.CopyTo(buffer, (int)pdu.Datao);
            int end = (int)pdu.Datao + data.Length;
            if ((pdu.Header.Flags & PduFlags.LastPdu) == 0)
            {
                return;
            }
            if (end < buffer.Length)
            {
                await SendR2TAsync(sqe, end, ct);
                return;
            }
            buffer.CopyTo(Range(sqe));
            writes.Remove(pdu.Cccid);
            await CompleteAsync(sqe, ct);
        }

        private async Task SendDataAsync(SubmissionQueueEntry sqe, byte[] data, CancellationToken ct)
        {
            bool success = target.SuccessFlag && sqe.Opcode == (byte)NvmOpcode.Read;
            for (int offset = 0; offset < data.Length; offset += target.C2HDataSize)
            {
                int length = Math.Min(target.C2HDataSize, data.Length - offset);
                bool last = offset + length == data.Length;
                C2HData header = new() { Cccid = sqe.Cid, Datao = (uint)offset, Datal = (uint)length };
                PduFlags flags = last ? PduFlags.LastPdu | (success ? PduFlags.Success : 0) : 0;
                await SendAsync(Initiator.PduBuilder.Build(PduType.C2HData, flags, ref header, data.AsSpan(offset, length), digests, hpda), ct);
            }
            if (success)
            {
                head = (ushort)((head + 1) % sqSize);
            }
            else
            {
                await CompleteAsync(sqe, ct);
            }
        }

        private Task CompleteAsync(SubmissionQueueEntry sqe, CancellationToken ct, uint cdw0 = 0, uint cdw1 = 0)
        {
            head = (ushort)((head + 1) % sqSize);
            CapsuleResp resp = new()
            {
                Header = PduLayout.Header(PduType.CapsuleResp, 0, rules.HeaderDigest),
                Rccqe = new CompletionQueueEntry { Cdw0 = cdw0, Cdw1 = cdw1, Cid = sqe.Cid, Sqhd = head },
            };
            byte[] pdu = new byte[resp.Header.Plen];
            WireBuffer.Write(pdu, resp);
            return SendAsync(pdu, ct);
        }

        private byte[] TermReq(PduCheck check)
        {
            byte[] pdu = new byte[Spindle.Nvme.Tcp.TermReq.Size];
            WireBuffer.Write(pdu, new TermReq { Header = new PduHeader { PduType = PduType.C2HTermReq, Hlen = 24, Plen = 24 }, Fes = check.Fes, Fei = check.Fei });
            return pdu;
        }

        private async Task SendAsync(byte[] pdu, CancellationToken ct)
        {
            byte[]? changed = target.Outgoing(pdu);
            if (changed is null)
            {
                return;
            }
            if (!target.BreakDigests && (changed[1] & (byte)PduFlags.Hdgstf) != 0)
            {
                Initiator.PduBuilder.FixHeaderDigest(changed);
            }
            ReadOnlyMemory<byte> rest = changed;
            while (!rest.IsEmpty)
            {
                rest = rest[await socket.SendAsync(rest, ct)..];
            }
        }

        private async Task<byte[]> ReadAsync(int length, CancellationToken ct)
        {
            byte[] bytes = new byte[length];
            int total = 0;
            while (total < length)
            {
                int read = await socket.ReceiveAsync(bytes.AsMemory(total), ct);
                total += read > 0 ? read : throw new IOException("closed");
            }
            return bytes;
        }
    }
}
