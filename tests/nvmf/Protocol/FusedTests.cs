using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Fused Compare and Write (NVMe Base Specification 2.0, section 3.4.2; NVM Command Set Specification 1.0, section 2.1.5).</summary>
public class FusedTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Equal_compare_lets_the_write_happen(bool byR2T)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.True((controller.Identify.Fuses & Spindle.Nvme.Identify.FusedOperationSupport.CompareAndWrite) != 0);
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] old = Pattern(512, 1), @new = Pattern(512, 2);
        await ns.WriteAsync(30_000, old);
        (CompletionQueueEntry compare, CompletionQueueEntry write) = await ns.CompareAndWriteAsync(30_000, old, @new, byR2T);
        Assert.True(compare.Status.IsSuccess, $"compare: {compare.Status}");
        Assert.True(write.Status.IsSuccess, $"write: {write.Status}");
        Assert.Equal(@new, await ns.ReadAsync(30_000, 1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Different_compare_stops_the_write(bool byR2T)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] old = Pattern(512, 3);
        await ns.WriteAsync(30_001, old);
        (CompletionQueueEntry compare, CompletionQueueEntry write) = await ns.CompareAndWriteAsync(30_001, Pattern(512, 4), Pattern(512, 5), byR2T);
        Assert.True(compare.Status.Is(MediaStatusCode.CompareFailure), $"compare: {compare.Status}");
        Assert.True(write.Status.Is(GenericStatusCode.CommandAbortedDueToFailedFusedCommand), $"write: {write.Status}");
        Assert.Equal(old, await ns.ReadAsync(30_001, 1));
    }

    [Fact]
    public async Task Pair_is_atomic_against_other_pairs()
    {
        // Many hosts increment one counter by compare and write; no increment may get lost.
        await using NvmeTcpController a = await ConnectAsync();
        await using NvmeTcpController b = await ConnectAsync();
        await new NamespaceIo(a.Io, 1, 512).WriteZeroesAsync(30_010, 1);
        const int each = 40;
        await Task.WhenAll(new[] { a, b, a, b }.Select(async c =>
        {
            NamespaceIo ns = new(c.Io, 1, 512);
            for (int done = 0; done < each;)
            {
                byte[] now = await ns.ReadAsync(30_010, 1);
                byte[] next = [.. now];
                BitConverter.TryWriteBytes(next, BitConverter.ToInt32(now) + 1);
                (CompletionQueueEntry compare, CompletionQueueEntry write) = await ns.CompareAndWriteAsync(30_010, now, next);
                Assert.Equal(compare.Status.IsSuccess, write.Status.IsSuccess);
                done += write.Status.IsSuccess ? 1 : 0;
            }
        }));
        Assert.Equal(4 * each, BitConverter.ToInt32(await new NamespaceIo(b.Io, 1, 512).ReadAsync(30_010, 1)));
    }

    [Fact]
    public async Task First_without_second_and_second_without_first_are_missing_their_half()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] data = new byte[512];
        SubmissionQueueEntry second = NvmeCommands.Io(NvmOpcode.Write, 1, 30_002, 1);
        second.Fuse = FusedOperation.SecondCommand;
        CompletionQueueEntry alone = await controller.Io.SubmitAsync(second, data);
        Assert.True(alone.Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand), $"second alone: {alone.Status}");

        SubmissionQueueEntry first = NvmeCommands.Io(NvmOpcode.Compare, 1, 30_002, 1);
        first.Fuse = FusedOperation.FirstCommand;
        (_, Task<CompletionQueueEntry> waiting) = await controller.Io.StartAsync(first, data);
        // Anything else next on the queue breaks the pair.
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
        CompletionQueueEntry broken = await waiting;
        Assert.True(broken.Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand), $"first alone: {broken.Status}");
    }

    [Theory]
    [InlineData(NvmOpcode.Write, NvmOpcode.Compare)]
    [InlineData(NvmOpcode.Compare, NvmOpcode.Compare)]
    [InlineData(NvmOpcode.Write, NvmOpcode.Write)]
    public async Task Other_pairs_are_refused(NvmOpcode first, NvmOpcode second)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] data = new byte[512];
        (CompletionQueueEntry a, CompletionQueueEntry b) = await controller.Io.SubmitFusedAsync(NvmeCommands.Io(first, 1, 30_003, 1), data, NvmeCommands.Io(second, 1, 30_003, 1), data);
        Assert.False(a.Status.IsSuccess && b.Status.IsSuccess);
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
    }

    [Fact]
    public async Task Halves_over_different_blocks_are_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] data = Pattern(512, 6);
        await ns.WriteAsync(30_004, data);
        await ns.WriteAsync(30_005, data);
        (CompletionQueueEntry a, CompletionQueueEntry b) = await controller.Io.SubmitFusedAsync(NvmeCommands.Io(NvmOpcode.Compare, 1, 30_004, 1), data, NvmeCommands.Io(NvmOpcode.Write, 1, 30_005, 1), new byte[512]);
        Assert.False(b.Status.IsSuccess, $"compare {a.Status}, write {b.Status}");
        Assert.Equal(data, await ns.ReadAsync(30_005, 1));
    }

    [Fact]
    public async Task Reserved_fuse_value_and_fused_admin_commands_are_invalid()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        SubmissionQueueEntry reserved = NvmeCommands.Flush(1);
        reserved.Fuse = FusedOperation.Reserved;
        Assert.False((await controller.Io.SubmitAsync(reserved)).Status.IsSuccess);
        SubmissionQueueEntry admin = NvmeCommands.Identify(Spindle.Nvme.Identify.IdentifyCns.Controller);
        admin.Fuse = FusedOperation.FirstCommand;
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(admin, dataIn: new byte[4096]);
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Host_that_leaves_between_the_halves_harms_nobody()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        SubmissionQueueEntry first = RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Compare, 1, 30_006, 1), 512);
        first.Fuse = FusedOperation.FirstCommand;
        await queue.SendAsync(first, new byte[512]);
    }
}
