using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class MalformedPduTests
{
    private const DigestTypes Both = DigestTypes.HeaderDigest | DigestTypes.DataDigest;

    public static TheoryData<string, int, byte, FatalErrorStatus, uint> CommonHeaders => new()
    {
        // A capsule of 72 + 512 bytes: the byte changed, its value, and the answer.
        { "no such type", 0, 0x08, FatalErrorStatus.InvalidPduHeaderField, 0 },
        { "no such type", 0, 0x0A, FatalErrorStatus.InvalidPduHeaderField, 0 },
        { "no such type", 0, 0xFF, FatalErrorStatus.InvalidPduHeaderField, 0 },
        { "ICReq again", 0, 0x00, FatalErrorStatus.PduSequenceError, 0 },
        { "ICResp", 0, 0x01, FatalErrorStatus.PduSequenceError, 0 },
        { "C2HTermReq", 0, 0x03, FatalErrorStatus.PduSequenceError, 0 },
        { "CapsuleResp", 0, 0x05, FatalErrorStatus.PduSequenceError, 0 },
        { "C2HData", 0, 0x07, FatalErrorStatus.PduSequenceError, 0 },
        { "R2T", 0, 0x09, FatalErrorStatus.PduSequenceError, 0 },
        { "a header digest that was not agreed", 1, 0x01, FatalErrorStatus.InvalidPduHeaderField, 1 },
        { "a data digest that was not agreed", 1, 0x02, FatalErrorStatus.InvalidPduHeaderField, 1 },
        { "HLEN 0", 2, 0, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN one short", 2, 71, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN one long", 2, 73, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN 255", 2, 255, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "PDO 0", 3, 0, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PDO inside the header", 3, 68, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PDO not a dword", 3, 73, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PDO 252", 3, 252, FatalErrorStatus.InvalidPduHeaderField, 3 },
    };

    [Theory]
    [MemberData(nameof(CommonHeaders))]
    public void A_wrong_common_header_ends_the_connection(string what, int at, byte value, FatalErrorStatus fes, uint fei)
    {
        using var bench = new TcpBench();
        TestConnection other = bench.Connect();
        TestConnection connection = bench.Connect();
        byte[] pdu = Pdus.InCapsuleWrite(1, 0, new byte[512]);
        pdu[at] = value;
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, fes, fei, pdu[..8]);
        other.MemorySocket.Write(Pdus.InCapsuleWrite(1, 0, new byte[512]));
        bench.Run();
        Assert.True(other.TakeResponse().Status.IsSuccess, what);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(7u)]
    [InlineData(8u)]
    [InlineData(71u)]
    [InlineData(73u)]
    public void A_PLEN_that_cannot_be_ends_the_connection(uint plen)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] pdu = PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512));
        pdu[3] = 76;
        BitConverter.TryWriteBytes(pdu.AsSpan(4), plen);
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, FatalErrorStatus.InvalidPduHeaderField, 4, pdu[..8]);
    }

    [Theory]
    [InlineData(0x7FFF_FFFFu)]
    [InlineData(0x8000_0000u)]
    [InlineData(0xFFFF_FFFFu)]
    public void A_huge_PLEN_ends_the_connection_at_once(uint plen)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] pdu = Pdus.InCapsuleWrite(1, 0, new byte[512]);
        BitConverter.TryWriteBytes(pdu.AsSpan(4), plen);
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, FatalErrorStatus.DataTransferLimitExceeded, 0, pdu[..8]);
    }

    [Theory]
    [InlineData(24, true)]
    [InlineData(152, true)]
    [InlineData(23, false)]
    [InlineData(153, false)]
    public void H2CTermReq_ends_the_connection_without_an_answer(uint plen, bool valid)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] pdu = PduBuilder.H2CTermReq(FatalErrorStatus.PduSequenceError, 0, new byte[(int)Math.Max(plen, 24) - 24]);
        BitConverter.TryWriteBytes(pdu.AsSpan(4), plen);
        connection.MemorySocket.Write(pdu);
        bench.Run();
        if (valid)
        {
            bench.RunUntilClosed(connection);
            Assert.Empty(connection.Take());
            Assert.Contains("H2CTermReq", connection.DisconnectReason);
        }
        else
        {
            TermReq term = Assert.Single(connection.Take()).As<TermReq>();
            Assert.Equal((FatalErrorStatus.InvalidPduHeaderField, 4u), (term.Fes, term.Fei));
        }
    }

    [Fact]
    public void More_commands_than_the_queue_has_entries_end_the_connection()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(queueSize: 33);
        connection.Defers = true;
        for (ushort i = 0; i < 33; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, i, 0, default)));
        bench.Run();
        Assert.Equal(33, connection.Deferred);
        byte[] pdu = PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, 33, 0, default));
        connection.MemorySocket.Write(pdu);
        bench.Run();
        Assert.Equal(FatalErrorStatus.PduSequenceError, connection.Take()[^1].As<TermReq>().Fes);
    }

    [Fact]
    public void A_host_that_reuses_a_slot_before_its_response_was_acknowledged_just_waits()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(queueSize: 33);
        connection.MemorySocket.SendBlocked = true;
        for (ushort i = 0; i < 33 * 3; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(i, 0, 512)));
        bench.Run();
        Assert.Equal(33, connection.Pool.InUse);
        Assert.True(connection.Receiver.IsStalled);
        connection.MemorySocket.SendBlocked = false;
        bench.Run();
        Assert.Equal(99, connection.Take().Count);
    }

    [Fact]
    public void A_host_that_does_not_close_after_C2HTermReq_is_closed()
    {
        using var bench = new TcpBench(settings: new TcpSettings { TerminationLinger = TimeSpan.FromMilliseconds(20), SupervisionPeriod = TimeSpan.FromMilliseconds(5) });
        TestConnection connection = bench.Connect();
        connection.MemorySocket.Write(new byte[] { 0xFF, 0, 0, 0, 0, 0, 0, 0 });
        bench.RunUntilClosed(connection);
        Assert.Equal(PduType.C2HTermReq, Assert.Single(connection.Take()).Type);
    }

    public static TheoryData<int> Seeds => new(Enumerable.Range(1, 300));

    /// <summary>Bytes of a valid session changed at random: it may fail commands or the connection, never more.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Random_mutations_never_do_harm(int seed)
    {
        var random = new Random(seed);
        DigestTypes digests = random.Next(3) == 0 ? Both : DigestTypes.None;
        using var bench = new TcpBench(o => o.IoUnitSize = 8192, new TcpSettings { MaxR2TLength = 8192, LargeReceiveBuffer = 4096 });
        TestConnection other = bench.Connect();
        TestConnection connection = bench.Connect(digests, maxr2t: (uint)random.Next(3), queueSize: 32);
        connection.Defers = random.Next(4) == 0;
        for (ushort i = 0; i < 12; i++)
        {
            byte[] pdu = random.Next(5) switch
            {
                0 => Pdus.InCapsuleWrite(i, i, Pdus.Data(random.Next(1, 4097), i), digests),
                1 => PduBuilder.CapsuleCmd(Pdus.Read(i, i, (uint)random.Next(1, 131073)), digests: digests),
                2 => PduBuilder.CapsuleCmd(Pdus.Write(i, i, SglDescriptor.TransportDataBlock((uint)random.Next(1, 131073))), digests: digests),
                3 => PduBuilder.H2CData((ushort)random.Next(12), (ushort)random.Next(40), (uint)random.Next(4) * 8192, Pdus.Data(random.Next(1, 2049) * 4, i), random.Next(2) == 0, digests),
                _ => random.Next(20) == 0 ? PduBuilder.H2CTermReq(FatalErrorStatus.PduSequenceError, 0) : PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, i, 0, default), digests: digests),
            };
            for (int changes = random.Next(4); changes > 0; changes--)
            {
                // Mostly in the headers, where it matters most.
                int at = random.Next(Math.Min(pdu.Length, random.Next(2) == 0 ? 24 : pdu.Length));
                pdu[at] = random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)(pdu[at] ^ (1 << random.Next(8))) };
            }
            if (digests != 0 && random.Next(2) == 0 && pdu.Length >= 28 && pdu[2] <= pdu.Length - 4) PduBuilder.FixHeaderDigest(pdu);
            if (random.Next(10) == 0) pdu = pdu[..random.Next(pdu.Length)];
            connection.MemorySocket.WriteInPieces(pdu, random, 3000);
            bench.Run();
            if (random.Next(3) == 0) connection.CompleteDeferred();
        }
        other.MemorySocket.Write(Pdus.InCapsuleWrite(77, 0, new byte[512]));
        connection.Defers = false;
        connection.CompleteDeferred();
        connection.MemorySocket.PeerClosed = true;
        bench.RunUntilClosed(connection);
        Assert.Equal(77, other.TakeResponse().Cid);
        Assert.Equal(NvmfQueuePairState.Enabled, other.State);
        Assert.Equal(0, bench.Part.Buffers.Taken);
    }
}
