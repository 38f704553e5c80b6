using System.Buffers.Binary;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.InitiatorTests;

/// <summary>The initiator against a target known to be right, and against one made wrong in one place at a time: every violation must be noticed.</summary>
public class InitiatorSelfTests
{
    private const string Subnqn = "nqn.2026-11.io.spindle:fake";

    private static readonly QueueOptions AllDigests = new() { Digests = DigestTypes.HeaderDigest | DigestTypes.DataDigest, QueueSize = 16 };

    private static byte[] Pattern(int length, int seed)
    {
        byte[] data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }

    [Theory]
    [InlineData(DigestTypes.None, 0, 0, false)]
    [InlineData(DigestTypes.HeaderDigest, 0, 0, true)]
    [InlineData(DigestTypes.DataDigest, 3, 0, false)]
    [InlineData(DigestTypes.HeaderDigest | DigestTypes.DataDigest, 31, 31, true)]
    [InlineData(DigestTypes.HeaderDigest | DigestTypes.DataDigest, 17, 5, false)]
    public async Task Data_survives_every_way_of_transfer(DigestTypes digests, byte cpda, byte hpda, bool successFlag)
    {
        await using FakeTarget target = new() { Cpda = cpda, SuccessFlag = successFlag };
        QueueOptions queue = new() { Digests = digests, Hpda = hpda, QueueSize = 32 };
        await using NvmeTcpController controller = await NvmeTcpController.ConnectAsync(target.Endpoint, Subnqn, new HostOptions { AdminQueue = queue, IoQueue = queue });
        NamespaceIo ns = new(controller.Io, 1, FakeTarget.BlockSize);

        byte[] small = Pattern(4096, 1), large = Pattern(100 * 512, 2);
        await ns.WriteAsync(0, small);
        await ns.WriteAsync(100, large);
        await ns.WriteByR2TAsync(300, small);
        Assert.Equal(small, await ns.ReadAsync(0, 8));
        Assert.Equal(large, await ns.ReadAsync(100, 100));
        Assert.Equal(small, await ns.ReadAsync(300, 8));
        Assert.Equal(large, target.Disk.AsSpan(100 * 512, large.Length).ToArray());
        // 51,200 bytes in R2Ts of 16,384, and the small one.
        Assert.Equal(4 + 1, controller.Io.R2TCount);
        Assert.Equal(successFlag ? 3 : 0, controller.Io.SuccessFlagCount);
    }

    [Fact]
    public async Task Many_commands_are_outstanding_on_a_queue()
    {
        await using FakeTarget target = new();
        await using NvmeTcpController controller = await NvmeTcpController.ConnectAsync(target.Endpoint, Subnqn, new HostOptions { IoQueue = AllDigests });
        NamespaceIo ns = new(controller.Io, 1, FakeTarget.BlockSize);
        byte[] data = Pattern(FakeTarget.Blocks * 512, 3);
        await Task.WhenAll(Enumerable.Range(0, 256).Select(i => ns.WriteAsync((ulong)i * 8, data.AsMemory(i * 4096, 4096))));
        byte[][] read = await Task.WhenAll(Enumerable.Range(0, 256).Select(i => ns.ReadAsync((ulong)i * 8, 8)));
        Assert.Equal(data, read.SelectMany(r => r).ToArray());
    }

    public static TheoryData<string, string> Violations() => new()
    {
        { "DATAO", "DATAO is" },
        { "DATAL", "DATAL is" },
        { "LAST missing", "without LAST_PDU" },
        { "LAST early", "after the one with LAST_PDU" },
        { "CCCID", "not outstanding" },
        { "CID", "not outstanding" },
        { "SQHD ahead", "SQHD" },
        { "SQHD beyond", "SQHD" },
        { "phase", "phase tag" },
        { "no data", "after 0 of" },
        { "header digest", "Header digest" },
        { "data digest", "Data digest" },
        { "PLEN", "wrong header" },
        { "type", "wrong header" },
        { "R2TO", "R2T for" },
        { "R2TL", "R2T for" },
        { "R2T again", "R2T for" },
        { "R2T for a read", "R2T for" },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task Violation_is_noticed_and_named(string violation, string message)
    {
        bool r2t = violation.StartsWith("R2T");
        await using FakeTarget target = new();
        await using NvmeTcpController controller = await NvmeTcpController.ConnectAsync(target.Endpoint, Subnqn, new HostOptions { IoQueue = AllDigests });
        NamespaceIo ns = new(controller.Io, 1, FakeTarget.BlockSize);
        await ns.WriteAsync(0, Pattern(8192, 4));

        target.Outgoing = pdu => Corrupt(violation, pdu);
        target.BreakDigests = violation is "header digest";
        ProtocolViolationException e = await Assert.ThrowsAsync<ProtocolViolationException>(
            () => r2t && violation != "R2T for a read" ? ns.WriteByR2TAsync(0, Pattern(40960, 5)) : ns.ReadAsync(0, 16));
        Assert.Contains(message, e.Message);
        // The queue stays failed, with the same cause.
        await controller.Io.Closed;
        Assert.Same(e, controller.Io.Failure);
    }

    private static byte[]? Corrupt(string violation, byte[] pdu)
    {
        PduType type = (PduType)pdu[0];
        switch (violation, type)
        {
            case ("DATAO", PduType.C2HData): pdu[13] ^= 0x01; break;
            case ("DATAL", PduType.C2HData): pdu[16] ^= 0x04; break;
            case ("LAST missing", PduType.C2HData): pdu[1] &= 0xFB; break;
            case ("LAST early", PduType.C2HData): pdu[1] |= 0x04; break;
            case ("CCCID", PduType.C2HData): pdu[9] ^= 0x80; break;
            case ("CID", PduType.CapsuleResp): pdu[8 + 13] ^= 0x80; break;
            case ("SQHD ahead", PduType.CapsuleResp): pdu[8 + 8] = (byte)((pdu[8 + 8] + 1) % 16); break;
            case ("SQHD beyond", PduType.CapsuleResp): pdu[8 + 8] = 16; break;
            case ("phase", PduType.CapsuleResp): pdu[8 + 14] |= 1; break;
            case ("no data", PduType.C2HData): return null;
            case ("header digest", PduType.CapsuleResp): pdu[^1] ^= 0x10; break;
            case ("data digest", PduType.C2HData): pdu[^1] ^= 0x10; break;
            case ("PLEN", PduType.CapsuleResp): pdu[4]++; break;
            case ("type", PduType.CapsuleResp): pdu[0] = 0x0A; break;
            case ("R2TO", PduType.R2T): pdu[13] ^= 0x01; break;
            case ("R2TL", PduType.R2T): BinaryPrimitives.WriteUInt32LittleEndian(pdu.AsSpan(16), 40964); break;
            case ("R2T again", PduType.R2T): PduBuilder.FixHeaderDigest(pdu); return [.. pdu, .. pdu];
            case ("R2T for a read", PduType.C2HData):
                byte[] header = pdu[..28];
                header[0] = (byte)PduType.R2T;
                header[1] = (byte)PduFlags.Hdgstf;
                header[3] = 0;
                BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), 28);
                return header;
        }
        return pdu;
    }

    [Fact]
    public async Task Termination_by_the_target_is_reported_with_its_status()
    {
        await using FakeTarget target = new();
        await using PduConnection connection = await PduConnection.OpenAndInitializeAsync(target.Endpoint);
        byte[] pdu = PduBuilder.CapsuleCmd(NvmeCommands.Flush(1));
        pdu[2] = 70;
        await connection.SendAsync(pdu);
        TermReq term = await connection.ExpectTerminationAsync();
        Assert.Equal(FatalErrorStatus.InvalidPduHeaderField, term.Fes);
        Assert.Equal(2u, term.Fei);
    }

    [Fact]
    public async Task Fixed_digest_bytes_are_accepted_and_wrong_ones_refused_by_the_fake()
    {
        await using FakeTarget target = new();
        await using PduConnection connection = await PduConnection.OpenAndInitializeAsync(target.Endpoint, DigestTypes.HeaderDigest);
        SubmissionQueueEntry get = FabricsCommands.PropertyGet(Spindle.Nvme.Registers.PropertyOffset.Cap, Spindle.Nvme.Fabrics.PropertySize.EightBytes);
        byte[] pdu = PduBuilder.CapsuleCmd(get, digests: connection.Digests);
        pdu[10] = 0x34;
        await connection.SendAsync(PduBuilder.FixHeaderDigest(pdu));
        ReceivedPdu? answer = await connection.ReceiveAsync();
        Assert.Equal(0x34, answer!.As<CapsuleResp>().Rccqe.Cid);
        pdu[10] = 0x35;
        await connection.SendAsync(pdu);
        Assert.Equal(FatalErrorStatus.HeaderDigestError, (await connection.ExpectTerminationAsync()).Fes);
    }
}
