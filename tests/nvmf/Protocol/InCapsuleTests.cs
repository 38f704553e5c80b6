using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Data in command capsules: up to IOCCSZ, described by an SGL that must fit it.</summary>
public class InCapsuleTests(SharedTarget shared) : ProtocolTest(shared)
{
    private static SubmissionQueueEntry Write(ushort cid, uint blocks) => NvmeCommands.Io(NvmOpcode.Write, 1, 3000, blocks) with { Cid = cid };

    [Fact]
    public async Task Every_length_up_to_the_capsule_is_taken()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.Equal(4096, controller.Io.MaxInCapsuleData);
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int blocks = 1; blocks <= 8; blocks++)
        {
            byte[] data = Pattern(blocks * 512, blocks);
            await ns.WriteAsync(3000, data);
            Assert.Equal(data, await ns.ReadAsync(3000, (uint)blocks));
        }
        Assert.Equal(0, controller.Io.R2TCount);
    }

    [Fact]
    public async Task One_byte_more_than_the_capsule_is_fatal()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        uint length = (uint)queue.MaxInCapsuleData + 512;
        await queue.SendAsync(RawIoQueue.WithInCapsule(Write(1, length / 512), length), Pattern((int)length, 1));
        await Misbehaviour.ExpectFatalAsync(queue.Connection, FatalErrorStatus.DataTransferLimitExceeded);
    }

    [Fact]
    public async Task Data_may_be_padded_to_any_aligned_offset()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        byte[] data = Pattern(512, 9);
        int alignment = (queue.Connection.Cpda + 1) * 4;
        ushort cid = 1;
        for (int pdo = PduLayout.DataOffset(CapsuleCmd.Size, false, queue.Connection.Cpda); pdo <= 128; pdo += alignment)
        {
            byte[] pdu = new byte[pdo + 512];
            PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(Write(cid, 1), 512)).CopyTo(pdu, 0);
            data.CopyTo(pdu, pdo);
            pdu[3] = (byte)pdo;
            BitConverter.TryWriteBytes(pdu.AsSpan(4), pdu.Length);
            await queue.Connection.SendAsync(pdu);
            Assert.True((await queue.ExpectCompletionAsync(cid++)).Status.IsSuccess, $"PDO {pdo}");
        }
    }

    [Fact]
    public async Task Sgl_offset_beyond_the_data_is_refused_and_the_queue_lives()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        ushort cid = 1;
        foreach (ulong offset in (ulong[])[1, 512, 4096, uint.MaxValue, ulong.MaxValue, ulong.MaxValue - 511])
        {
            await queue.SendAsync(RawIoQueue.WithInCapsule(Write(cid, 1), 512, offset), Pattern(512, 1));
            CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(cid++);
            Assert.True(cqe.Status.Is(GenericStatusCode.SglOffsetInvalid) || cqe.Status.Is(GenericStatusCode.DataSglLengthInvalid) || cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"offset {offset}: {cqe.Status}");
            Assert.True(cqe.Status.StatusCode != 0);
        }
    }

    [Fact]
    public async Task Sgl_length_that_is_not_the_datas_is_refused_and_the_queue_lives()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        ushort cid = 1;
        foreach (uint length in (uint[])[0, 1, 511, 513, 1024, 4096, 4097, uint.MaxValue])
        {
            await queue.SendAsync(RawIoQueue.WithInCapsule(Write(cid, 1), length), Pattern(512, 1));
            CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(cid++);
            // A longer SGL than the command moves is allowed only where SGLS says so; and no target may read past the capsule.
            Assert.False(cqe.Status.IsSuccess, $"length {length}");
        }
    }

    [Fact]
    public async Task Capsule_without_the_data_its_sgl_promises_is_refused()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendAsync(RawIoQueue.WithInCapsule(Write(1, 1), 512));
        Assert.False((await queue.ExpectCompletionAsync(1)).Status.IsSuccess);
        await queue.SendAsync(RawIoQueue.WithInCapsule(Write(2, 1), 512), Pattern(512, 1));
        Assert.True((await queue.ExpectCompletionAsync(2)).Status.IsSuccess);
    }

    [Fact]
    public async Task Capsules_cut_anywhere_by_the_network_are_put_together()
    {
        Random random = new(0x5EED);
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, DigestTypes.HeaderDigest | DigestTypes.DataDigest);
        List<byte> stream = [];
        for (ushort cid = 1; cid <= 20; cid++)
        {
            uint blocks = (uint)random.Next(1, 9);
            stream.AddRange(PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(Write(cid, blocks), blocks * 512), Pattern((int)blocks * 512, cid), queue.Connection.Digests, queue.Connection.Cpda));
        }
        await queue.Connection.SendInPiecesAsync(stream.ToArray(), random, 900);
        HashSet<ushort> done = [];
        while (done.Count < 20)
        {
            CompletionQueueEntry cqe = (await queue.ExpectAsync(PduType.CapsuleResp)).As<CapsuleResp>().Rccqe;
            Assert.True(cqe.Status.IsSuccess);
            Assert.True(done.Add(cqe.Cid));
        }
    }
}
