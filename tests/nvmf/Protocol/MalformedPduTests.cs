using System.Buffers.Binary;
using System.Net.Sockets;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>
/// PDUs that are wrong: each field of each header at its edges, and random mutations with a seed. The target must end the connection or answer with a
/// status, never the process; and the connection of another host must not notice (checked after each test).
/// </summary>
public class MalformedPduTests(SharedTarget shared) : ProtocolTest(shared)
{
    public static TheoryData<string, int, int, uint, FatalErrorStatus, uint> CapsuleHeader() => new()
    {
        // field, offset, bytes, value, expected FES and FEI
        { "HLEN 0", 2, 1, 0, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN 8", 2, 1, 8, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN 71", 2, 1, 71, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN 73", 2, 1, 73, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "HLEN 255", 2, 1, 255, FatalErrorStatus.InvalidPduHeaderField, 2 },
        { "PDO 0", 3, 1, 0, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PDO 71", 3, 1, 71, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PDO 255", 3, 1, 255, FatalErrorStatus.InvalidPduHeaderField, 3 },
        { "PLEN 0", 4, 4, 0, FatalErrorStatus.InvalidPduHeaderField, 4 },
        { "PLEN 7", 4, 4, 7, FatalErrorStatus.InvalidPduHeaderField, 4 },
        { "PLEN 71", 4, 4, 71, FatalErrorStatus.InvalidPduHeaderField, 4 },
        { "PLEN largest", 4, 4, uint.MaxValue, FatalErrorStatus.DataTransferLimitExceeded, 0 },
        { "PLEN negative", 4, 4, 0x8000_0000, FatalErrorStatus.DataTransferLimitExceeded, 0 },
    };

    [Theory]
    [MemberData(nameof(CapsuleHeader))]
    public async Task Wrong_field_of_a_capsule_is_fatal_and_named(string what, int offset, int bytes, uint value, FatalErrorStatus fes, uint fei)
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        byte[] pdu = PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Write, 1, 50_000, 1), 512), new byte[512], cpda: queue.Connection.Cpda);
        Put(pdu, offset, bytes, value);
        await queue.Connection.SendAsync(pdu);
        TermReq term = await queue.Connection.ExpectTerminationAsync();
        bool lengthSeenAsField = fes == FatalErrorStatus.DataTransferLimitExceeded && term.Fes == FatalErrorStatus.InvalidPduHeaderField && term.Fei == 4;
        Assert.True((term.Fes == fes && (fes != FatalErrorStatus.InvalidPduHeaderField || term.Fei == fei)) || lengthSeenAsField, $"{what}: FES is {term.Fes}, FEI {term.Fei}");
    }

    [Fact]
    public async Task Termination_returns_the_header_it_complains_about()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        byte[] pdu = PduBuilder.CapsuleCmd(NvmeCommands.Flush(1));
        pdu[2] = 200;
        await queue.Connection.SendAsync(pdu);
        ReceivedPdu term = (await queue.Connection.ReceiveAsync())!;
        Assert.Equal(PduType.C2HTermReq, term.Type);
        Assert.True(term.Data.Length >= 8, $"only {term.Data.Length} bytes of the header came back");
        Assert.Equal(pdu.AsSpan(0, 8).ToArray(), term.Data[..8].ToArray());
        await queue.Connection.ExpectCloseAsync();
    }

    [Trait("Category", "Slow")]
    [Fact]
    public async Task Every_type_that_is_not_for_a_controller_is_fatal()
    {
        for (int type = 0; type < 256; type++)
        {
            if ((PduType)type is PduType.CapsuleCmd or PduType.H2CData or PduType.H2CTermReq)
            {
                continue;
            }
            await using PduConnection connection = await OpenAsync();
            byte[] pdu = PduBuilder.CapsuleCmd(NvmeCommands.Flush(1));
            pdu[0] = (byte)type;
            int hlen = PduLayout.HeaderLength((PduType)type);
            if (hlen != 0)
            {
                pdu = new byte[hlen];
                WireBuffer.Write(pdu, PduLayout.Header((PduType)type, 0, false));
            }
            await connection.SendAsync(pdu);
            TermReq term = await connection.ExpectTerminationAsync();
            Assert.True(term.Fes is FatalErrorStatus.InvalidPduHeaderField or FatalErrorStatus.PduSequenceError, $"type {type:X2}h: FES is {term.Fes}");
        }
    }

    [Theory]
    [InlineData("PFV 1", 8, 2, 1u)]
    [InlineData("PFV largest", 8, 2, 0xFFFFu)]
    [InlineData("HPDA 32", 10, 1, 32u)]
    [InlineData("HPDA 255", 10, 1, 255u)]
    [InlineData("HLEN 127", 2, 1, 127u)]
    [InlineData("HLEN 0", 2, 1, 0u)]
    [InlineData("PLEN 127", 4, 4, 127u)]
    [InlineData("PLEN 129", 4, 4, 129u)]
    [InlineData("PLEN largest", 4, 4, uint.MaxValue)]
    [InlineData("PLEN 0", 4, 4, 0u)]
    [InlineData("type", 0, 1, 4u)]
    [InlineData("type FFh", 0, 1, 255u)]
    public async Task Wrong_ICReq_is_fatal(string what, int offset, int bytes, uint value)
    {
        await using PduConnection connection = await PduConnection.OpenAsync(Target.Endpoint);
        byte[] pdu = PduBuilder.ICReq();
        Put(pdu, offset, bytes, value);
        await connection.SendAsync(pdu);
        TermReq term = await connection.ExpectTerminationAsync();
        Assert.True(term.Fes is FatalErrorStatus.InvalidPduHeaderField or FatalErrorStatus.PduSequenceError or FatalErrorStatus.UnsupportedParameter, $"{what}: FES is {term.Fes}");
    }

    [Theory]
    [InlineData(DigestTypes.None, uint.MaxValue)]
    [InlineData((DigestTypes)0xFC, 0u)]
    public async Task ICReq_with_reserved_bits_and_the_largest_maxr2t_is_answered(DigestTypes dgst, uint maxr2t)
    {
        await using PduConnection connection = await PduConnection.OpenAsync(Target.Endpoint);
        await connection.SendAsync(PduBuilder.ICReq(dgst, maxr2t));
        ReceivedPdu pdu = (await connection.ReceiveAsync())!;
        if (pdu.Type == PduType.ICResp)
        {
            Assert.Equal(DigestTypes.None, pdu.As<ICResp>().Dgst);
        }
        else
        {
            Assert.Equal(PduType.C2HTermReq, pdu.Type);
        }
    }

    [Fact]
    public async Task Second_ICReq_is_out_of_sequence()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.Connection.SendAsync(PduBuilder.ICReq());
        await Misbehaviour.ExpectFatalAsync(queue.Connection, FatalErrorStatus.PduSequenceError);
    }

    [Fact]
    public async Task Command_identifier_in_use_is_a_conflict_or_ends_the_connection()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        for (int i = 0; i < 2; i++)
        {
            await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, 50_100, 16) with { Cid = 3 }, 8192));
        }
        R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        ReceivedPdu? next = await queue.Connection.ReceiveAsync();
        if (next?.Type == PduType.CapsuleResp)
        {
            Assert.True(next.As<CapsuleResp>().Rccqe.Status.Is(GenericStatusCode.CommandIdConflict), $"status is {next.As<CapsuleResp>().Rccqe.Status}");
        }
        else if (next?.Type == PduType.R2T)
        {
            // Told apart by tag alone; both must complete.
            Assert.NotEqual(r2t.Ttag, next.As<R2T>().Ttag);
        }
    }

    [Fact]
    public async Task More_commands_than_the_queue_holds_are_survived()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, queueSize: 4);
        try
        {
            for (ushort cid = 0; cid < 64; cid++)
            {
                await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, 50_200, 16) with { Cid = cid }, 8192));
            }
            while (await queue.Connection.ReceiveAsync(TimeSpan.FromMilliseconds(500)) is not null)
            {
            }
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
        }
    }

    [Trait("Category", "Slow")]
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Random_mutations_never_reach_another_connection(int seed)
    {
        Random random = new(seed);
        DigestTypes digests = (DigestTypes)(seed % 4);
        for (int round = 0; round < 60; round++)
        {
            await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, digests);
            try
            {
                for (int i = 0; i < 6; i++)
                {
                    byte[] pdu = RandomPdu(random, queue.Connection, (ushort)i);
                    Mutate(random, pdu, digests);
                    await queue.Connection.SendAsync(pdu);
                }
                // What answers come is checked for framing and digests as ever.
                while (await queue.Connection.ReceiveAsync(TimeSpan.FromMilliseconds(20)) is not null)
                {
                }
            }
            catch (Exception e) when (e is SocketException or TimeoutException)
            {
            }
            if (round % 10 == 9)
            {
                await Target.AssertHealthyAsync();
            }
        }
    }

    [Trait("Category", "Slow")]
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task Random_bytes_never_reach_another_connection(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 60; round++)
        {
            await using PduConnection connection = random.Next(2) == 0 ? await OpenAsync() : await PduConnection.OpenAsync(Target.Endpoint);
            byte[] bytes = new byte[random.Next(1, 600)];
            random.NextBytes(bytes);
            if (random.Next(2) == 0)
            {
                // Past the first checks.
                WireBuffer.Write(bytes.Length >= 8 ? bytes : bytes = new byte[8], new PduHeader { PduType = (PduType)random.Next(10), Hlen = (byte)PduLayout.HeaderLength((PduType)random.Next(10)), Plen = (uint)bytes.Length });
            }
            try
            {
                await connection.SendAsync(bytes);
                while (await connection.ReceiveAsync(TimeSpan.FromMilliseconds(20)) is not null)
                {
                }
            }
            catch (Exception e) when (e is SocketException or TimeoutException)
            {
            }
        }
    }

    private static byte[] RandomPdu(Random random, PduConnection connection, ushort cid)
    {
        uint blocks = (uint)random.Next(1, 9);
        byte[] data = new byte[blocks * 512];
        // Writes go to blocks that no other test looks at.
        NvmOpcode opcode = (NvmOpcode[])[NvmOpcode.Write, NvmOpcode.Read, NvmOpcode.Compare, NvmOpcode.Flush, NvmOpcode.DatasetManagement] is { } opcodes ? opcodes[random.Next(opcodes.Length)] : default;
        SubmissionQueueEntry sqe = NvmeCommands.Io(opcode, 2, 2000, blocks / 8 + 1) with { Cid = cid };
        return random.Next(3) switch
        {
            0 => PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(sqe, (uint)data.Length), data, connection.Digests, connection.Cpda),
            1 => PduBuilder.CapsuleCmd(RawIoQueue.WithTransport(sqe, 4096 * (blocks / 8 + 1)), default, connection.Digests, connection.Cpda),
            _ => PduBuilder.H2CData(cid, (ushort)random.Next(4), 0, data, random.Next(2) == 0, connection.Digests, connection.Cpda),
        };
    }

    /// <summary>One to four changes in the header, mostly to values where lengths and offsets turn over; header digests are made right half of the time.</summary>
    private static void Mutate(Random random, byte[] pdu, DigestTypes digests)
    {
        uint[] edges = [0, 1, 3, 4, 7, 8, 23, 24, 71, 72, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 131072, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFC, 0xFFFF_FFFF];
        int header = Math.Min(pdu.Length, 72);
        // NSID stays 2: the namespace whose contents no test depends on.
        for (int changes = random.Next(1, 5); changes > 0; changes--)
        {
            int offset = random.Next(header);
            if (offset is >= 9 and < 16 && pdu[0] == (byte)PduType.CapsuleCmd)
            {
                continue;
            }
            if (random.Next(2) == 0)
            {
                pdu[offset] = (byte)random.Next(256);
            }
            else if (offset is < 9 or >= 16 && offset + 4 <= header && !(offset < 16 && offset + 4 > 12))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(pdu.AsSpan(offset), edges[random.Next(edges.Length)]);
            }
        }
        if ((digests & DigestTypes.HeaderDigest) != 0 && random.Next(2) == 0 && pdu[2] + 4 <= pdu.Length)
        {
            PduBuilder.FixHeaderDigest(pdu);
        }
    }

    private static void Put(byte[] pdu, int offset, int bytes, uint value)
    {
        for (int i = 0; i < bytes; i++)
        {
            pdu[offset + i] = (byte)(value >> (8 * i));
        }
    }
}
