using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;
using R2TPdu = Spindle.Nvme.Tcp.R2T;

namespace Spindle.NvmfTests.Tcp;

/// <summary>However the byte stream of a host is cut, and however little each send takes, the outcome is the same.</summary>
public class FragmentationTests
{
    private const int Blocks = 512;

    [Fact]
    public void Every_single_cut_of_a_short_session_gives_the_same()
    {
        DigestTypes digests = DigestTypes.HeaderDigest | DigestTypes.DataDigest;
        byte[] stream =
        [
            .. PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, 1, 0, default), digests: digests),
            .. Pdus.InCapsuleWrite(2, 1, Pdus.Data(64, 1), digests, cpda: 7),
            .. PduBuilder.CapsuleCmd(Pdus.Read(3, 1, 64), digests: digests),
            .. PduBuilder.CapsuleCmd(Pdus.Write(4, 0, SglDescriptor.InCapsule(7, 50)), Pdus.Data(70, 2), digests, cpda: 7),
        ];
        byte[]? expected = null;
        for (int cut = 0; cut < stream.Length; cut++)
        {
            using var bench = new TcpBench(settings: new TcpSettings { Cpda = 7 });
            TestConnection connection = bench.Connect(digests);
            connection.MemorySocket.Write(stream.AsSpan(0, cut));
            bench.Run();
            connection.MemorySocket.Write(stream.AsSpan(cut));
            bench.Run();
            byte[] output = connection.MemorySocket.TakeOutput();
            Assert.Equal(4, Pdus.Parse(output, digests).Count);
            expected ??= output;
            Assert.Equal(expected, output);
            Assert.Equal(Pdus.Data(64, 1), bench.Disk.AsSpan(512, 64));
            Assert.Equal(Pdus.Data(70, 2).AsSpan(7, 50), bench.Disk.AsSpan(0, 50));
        }
    }

    [Fact]
    public void A_bad_header_is_answered_alike_wherever_it_is_cut()
    {
        byte[] pdu = PduBuilder.CapsuleCmd(Pdus.Read(3, 1, 64));
        pdu[2] = 73;
        for (int cut = 0; cut <= pdu.Length; cut++)
        {
            using var bench = new TcpBench();
            TestConnection connection = bench.Connect();
            connection.MemorySocket.Write(pdu.AsSpan(0, cut));
            bench.Run();
            connection.MemorySocket.Write(pdu.AsSpan(cut));
            bench.Run();
            TermReq term = Assert.Single(connection.Take()).As<TermReq>();
            Assert.Equal((FatalErrorStatus.InvalidPduHeaderField, 2u, 32u), (term.Fes, term.Fei, term.Header.Plen));
        }
    }

    public static TheoryData<int> Seeds => new(Enumerable.Range(1, 40));

    /// <summary>A model of a disk, a host with many commands outstanding, and a network that cuts at random.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_random_session_over_a_random_network_moves_the_right_data(int seed)
    {
        var random = new Random(seed);
        var digests = (DigestTypes)random.Next(4);
        byte hpda = (byte)random.Next(32);
        byte cpda = (byte)random.Next(32);
        uint unit = (uint)(4096 << random.Next(6));
        var iobuf = new Spindle.Host.Memory.IobufOptions { SmallPoolCount = 600, LargePoolCount = 300, LargeBufferSize = (uint)random.Next(3, 40) * 4096 };
        var settings = new TcpSettings
        {
            Cpda = cpda,
            MaxR2TLength = (uint)(4096 << random.Next(6)),
            MaxC2HData = (uint)(4096 << random.Next(6)),
            SmallReceiveBuffer = 512 << random.Next(5),
            LargeReceiveBuffer = 512 << random.Next(8),
        };
        using var bench = new TcpBench(o =>
        {
            o.IoUnitSize = unit;
            o.C2hSuccess = random.Next(2) == 0;
        }, settings, iobuf);
        TestConnection connection = bench.Connect(digests, (uint)random.Next(5), hpda, queueSize: 16);
        connection.MemorySocket.Random = random.Next(3) == 0 ? null : random;
        int largest = 1 << random.Next(1, 16);
        byte[] model = new byte[Blocks * 512];
        var host = new Host(connection, digests, cpda, model, random, largest);
        for (int i = 0; i < 200; i++)
        {
            while (host.Outstanding < random.Next(1, 16)) host.Submit();
            bench.Thread.Turn();
            host.Take(connection.MemorySocket.Output, digests, hpda);
        }
        connection.MemorySocket.Random = null;
        while (host.Outstanding > 0)
        {
            bench.Run();
            int before = host.Outstanding;
            int consumed = host.Take(connection.MemorySocket.Output, digests, hpda);
            Assert.True(consumed > 0 || host.Outstanding < before, $"seed {seed}: stuck with {host.Outstanding} commands");
        }
        Assert.Equal(model, bench.Disk.AsSpan(0, model.Length));
        Assert.Equal(0, connection.Pool.InUse);
    }

    /// <summary>Commands never overlap, so that the order in which they are carried out does not matter.</summary>
    private sealed class Host(TestConnection connection, DigestTypes digests, byte cpda, byte[] model, Random random, int largest)
    {
        private sealed record Command(SubmissionQueueEntry Sqe, byte[] Data, int Offset, bool IsRead)
        {
            public int Received;
        }

        private readonly Dictionary<ushort, Command> _commands = [];
        private readonly bool[] _busy = new bool[Blocks];
        private ushort _cid;
        private int _parsed;

        public int Outstanding => _commands.Count;

        public void Submit()
        {
            int blocks = random.Next(3) == 0 ? random.Next(1, 256) : random.Next(1, 9);
            int first = random.Next(Blocks - blocks + 1);
            if (_busy.AsSpan(first, blocks).Contains(true)) return;
            _busy.AsSpan(first, blocks).Fill(true);
            int length = blocks * 512;
            _cid++;
            switch (random.Next(3))
            {
                case 0:
                    Add(new Command(Pdus.Read(_cid, (uint)first, (uint)length), model.AsSpan(first * 512, length).ToArray(), first, true), null);
                    break;
                case 1 when length <= 4096:
                    byte[] inCapsule = Pdus.Data(length, random.Next());
                    inCapsule.CopyTo(model.AsSpan(first * 512));
                    Add(new Command(Pdus.Write(_cid, (uint)first, SglDescriptor.InCapsule(0, (uint)length)), inCapsule, first, false), inCapsule);
                    break;
                default:
                    byte[] data = Pdus.Data(length, random.Next());
                    data.CopyTo(model.AsSpan(first * 512));
                    Add(new Command(Pdus.Write(_cid, (uint)first, SglDescriptor.TransportDataBlock((uint)length)), data, first, false), null);
                    break;
            }
        }

        private void Add(Command command, byte[]? inCapsule)
        {
            _commands.Add(command.Sqe.Cid, command);
            Send(PduBuilder.CapsuleCmd(command.Sqe, inCapsule, digests, cpda));
        }

        private void Send(byte[] pdu)
        {
            if (connection.MemorySocket.Random is null) connection.MemorySocket.Write(pdu);
            else connection.MemorySocket.WriteInPieces(pdu, random, largest);
        }

        /// <summary>Takes whole PDUs off the target's output.</summary>
        public int Take(ReadOnlySpan<byte> output, DigestTypes agreed, byte hpda)
        {
            int start = _parsed;
            int whole = _parsed;
            while (output.Length - whole >= 8 && BitConverter.ToInt32(output[(whole + 4)..]) is var plen && output.Length - whole >= plen) whole += plen;
            foreach (ReceivedPdu pdu in Pdus.Parse(output[start..whole], agreed, hpda)) Take(pdu);
            _parsed = whole;
            if (_parsed == output.Length)
            {
                connection.MemorySocket.DropOutput();
                _parsed = 0;
            }
            return whole - start;
        }

        private void Take(ReceivedPdu pdu)
        {
            switch (pdu.Type)
            {
                case PduType.R2T:
                    R2TPdu r2t = pdu.As<R2TPdu>();
                    byte[] data = _commands[r2t.Cccid].Data;
                    for (uint done = 0; done < r2t.R2tl;)
                    {
                        uint count = Math.Min(r2t.R2tl - done, (uint)random.Next(1, 5000) * 4);
                        Send(PduBuilder.H2CData(r2t.Cccid, r2t.Ttag, r2t.R2to + done, data.AsSpan((int)(r2t.R2to + done), (int)count), done + count == r2t.R2tl, digests, cpda));
                        done += count;
                    }
                    break;
                case PduType.C2HData:
                    C2HData header = pdu.As<C2HData>();
                    Command read = _commands[header.Cccid];
                    Assert.True(read.IsRead);
                    Assert.Equal((uint)read.Received, header.Datao);
                    Assert.Equal(read.Data.AsSpan(read.Received, pdu.Data.Length), pdu.Data.Span);
                    read.Received += pdu.Data.Length;
                    if ((pdu.Flags & PduFlags.LastPdu) != 0) Assert.Equal(read.Data.Length, read.Received);
                    if ((pdu.Flags & PduFlags.Success) != 0) End(header.Cccid);
                    break;
                case PduType.CapsuleResp:
                    CompletionQueueEntry entry = pdu.As<CapsuleResp>().Rccqe;
                    Assert.True(entry.Status.IsSuccess, entry.Status.ToString());
                    End(entry.Cid);
                    break;
                default:
                    Assert.Fail($"{pdu.Type}");
                    break;
            }
        }

        private void End(ushort cid)
        {
            Assert.True(_commands.Remove(cid, out Command? command));
            if (command.IsRead) Assert.Equal(command.Data.Length, command.Received);
            _busy.AsSpan(command.Offset, command.Data.Length / 512).Clear();
        }
    }
}
