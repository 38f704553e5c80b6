using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Header and data digests: in force as agreed, computed right, and what an error in one leads to (NVMe TCP Transport Specification 1.0, section 3.6.2).</summary>
public class DigestTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Theory]
    [CombinatorialDigests]
    public async Task Data_of_every_kind_survives(DigestTypes digests, byte hpda)
    {
        await using NvmeTcpController controller = await ConnectAsync(new QueueOptions { Digests = digests, Hpda = hpda });
        Assert.Equal(digests, controller.Io.Connection.Digests);
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] small = Pattern(512, hpda), capsule = Pattern(4096, 2), large = Pattern(131072, 3);
        await Task.WhenAll(ns.WriteAsync(1000, small), ns.WriteAsync(1008, capsule), ns.WriteAsync(1100, large), ns.WriteByR2TAsync(1400, capsule));
        Assert.Equal(small, await ns.ReadAsync(1000, 1));
        Assert.Equal(capsule, await ns.ReadAsync(1008, 8));
        Assert.Equal(large, await ns.ReadAsync(1100, 256));
        Assert.Equal(capsule, await ns.ReadAsync(1400, 8));
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class CombinatorialDigestsAttribute : Xunit.v3.DataAttribute
    {
        public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(System.Reflection.MethodInfo testMethod, Xunit.Sdk.DisposalTracker disposalTracker)
        {
            List<ITheoryDataRow> rows = [];
            for (int digests = 0; digests < 4; digests++)
            {
                foreach (byte hpda in (byte[])[0, 1, 2, 15, 17, 31])
                {
                    rows.Add(new TheoryDataRow((DigestTypes)digests, hpda));
                }
            }
            return ValueTask.FromResult<IReadOnlyCollection<ITheoryDataRow>>(rows);
        }

        public override bool SupportsDiscoveryEnumeration() => true;
    }

    [Fact]
    public async Task Header_digest_error_is_fatal_and_reported_with_the_digest()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, DigestTypes.HeaderDigest);
        byte[] pdu = PduBuilder.CapsuleCmd(NvmeCommands.Flush(1), digests: DigestTypes.HeaderDigest);
        pdu[^1] ^= 0x01;
        await queue.Connection.SendAsync(pdu);
        TermReq term = await queue.Connection.ExpectTerminationAsync();
        Assert.Equal(FatalErrorStatus.HeaderDigestError, term.Fes);
    }

    [Fact]
    public async Task Data_digest_error_in_a_capsule_fails_that_command_only()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, DigestTypes.DataDigest);
        byte[] before = Pattern(512, 1), data = Pattern(512, 2);
        await queue.SendAsync(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Write, 1, 2000, 1) with { Cid = 1 }, 512), before);
        Assert.True((await queue.ExpectCompletionAsync(1)).Status.IsSuccess);
        byte[] pdu = PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Write, 1, 2000, 1) with { Cid = 2 }, 512), data, DigestTypes.DataDigest, queue.Connection.Cpda);
        pdu[^1] ^= 0x80;
        await queue.Connection.SendAsync(pdu);
        CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(2);
        Assert.True(cqe.Status.Is(GenericStatusCode.TransientTransportError), $"status is {cqe.Status}");
        Assert.Equal(before, await ReadAsync(2000));
        await queue.SendAsync(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Write, 1, 2000, 1) with { Cid = 3 }, 512), data);
        Assert.True((await queue.ExpectCompletionAsync(3)).Status.IsSuccess);
        Assert.Equal(data, await ReadAsync(2000));
    }

    [Fact]
    public async Task Data_digest_error_in_H2CData_fails_that_command_only()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, DigestTypes.DataDigest | DigestTypes.HeaderDigest);
        byte[] data = Pattern(8192, 3);
        await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, 2100, 16) with { Cid = 9 }, 8192));
        R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        Assert.Equal(8192u, r2t.R2tl);
        byte[] pdu = PduBuilder.H2CData(9, r2t.Ttag, 0, data, last: true, queue.Connection.Digests, queue.Connection.Cpda);
        pdu[^1] ^= 0x01;
        await queue.Connection.SendAsync(pdu);
        CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(9);
        Assert.True(cqe.Status.Is(GenericStatusCode.TransientTransportError), $"status is {cqe.Status}");
        await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, 2100, 16) with { Cid = 10 }, 8192));
        r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        await queue.SendDataAsync(10, r2t.Ttag, 0, data, last: true);
        Assert.True((await queue.ExpectCompletionAsync(10)).Status.IsSuccess);
    }

    [Theory]
    [InlineData(PduFlags.Hdgstf)]
    [InlineData(PduFlags.Ddgstf)]
    public async Task Digest_flag_that_was_not_agreed_is_an_invalid_field(PduFlags flag)
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        byte[] pdu = PduBuilder.CapsuleCmd(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Write, 1, 2200, 1), 512), Pattern(512, 4), DigestTypes.None, queue.Connection.Cpda);
        pdu[1] |= (byte)flag;
        await queue.Connection.SendAsync(pdu);
        await Misbehaviour.ExpectFatalAsync(queue.Connection, FatalErrorStatus.InvalidPduHeaderField);
    }

    private async Task<byte[]> ReadAsync(ulong slba)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        return await new NamespaceIo(controller.Io, 1, 512).ReadAsync(slba, 1);
    }
}
