using Spindle.Bdevs;
using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class FusedTests
{
    private static readonly byte[] s_old = IoCommandTests.Bytes(1024, 1);
    private static readonly byte[] s_new = IoCommandTests.Bytes(1024, 2);

    private static SubmissionQueueEntry Compare(uint blocks = 2, ulong lba = 10, uint nsid = 1) => FakeHost.Nvm(NvmOpcode.Compare, nsid, lba, blocks, fuse: FusedOperation.FirstCommand);

    private static SubmissionQueueEntry Write(uint blocks = 2, ulong lba = 10, uint nsid = 1) => FakeHost.Nvm(NvmOpcode.Write, nsid, lba, blocks, fuse: FusedOperation.SecondCommand);

    private static async Task<(CoreBench, FakeHost, TestBdev)> StartAsync()
    {
        CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        await host.WriteAsync(10, s_old);
        return (bench, host, bdev);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Equal_data_is_replaced_in_whatever_order_the_data_comes(bool writeFirst)
    {
        (CoreBench bench, FakeHost host, TestBdev bdev) = await StartAsync();
        await using (bench)
        {
            FakeRequest compare = host.Io[0].Announce(Compare(), s_old);
            FakeRequest write = host.Io[0].Announce(Write(), s_new);
            host.Io[0].Execute(writeFirst ? write : compare);
            await Task.Delay(20);
            Assert.False(compare.Done.IsCompleted || write.Done.IsCompleted);
            host.Io[0].Execute(writeFirst ? compare : write);
            Assert.True((await compare.Done).Status.IsSuccess);
            Assert.True((await write.Done).Status.IsSuccess);
            Assert.Equal(s_new, bdev.Data[5120..6144]);
        }
    }

    [Fact]
    public async Task Different_data_stays()
    {
        (CoreBench bench, FakeHost host, TestBdev bdev) = await StartAsync();
        await using (bench)
        {
            Task<Outcome> compare = host.Io[0].SendAsync(Compare(), s_new), write = host.Io[0].SendAsync(Write(), s_new);
            Assert.True((await compare).Status.Is(MediaStatusCode.CompareFailure));
            Assert.True((await write).Status.Is(GenericStatusCode.CommandAbortedDueToFailedFusedCommand));
            Assert.Equal(s_old, bdev.Data[5120..6144]);
        }
    }

    [Fact]
    public async Task Halves_without_the_other_are_missing_it()
    {
        (CoreBench bench, FakeHost host, _) = await StartAsync();
        await using (bench)
        {
            Assert.True((await host.Io[0].SendAsync(Write(), s_new)).Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
            Task<Outcome> first = host.Io[0].SendAsync(Compare(), s_old);
            Assert.True((await host.ReadAsync(0, 1)).Status.IsSuccess);
            Assert.True((await first).Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
            Task<Outcome> twice = host.Io[0].SendAsync(Compare(), s_old);
            Task<Outcome> again = host.Io[0].SendAsync(Compare(), s_old);
            Assert.True((await twice).Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
            Assert.True((await host.Io[0].SendAsync(Write(), s_new)).Status.IsSuccess);
            Assert.True((await again).Status.IsSuccess);
        }
    }

    public static TheoryData<string> Mismatches => ["lba", "blocks", "namespace", "range", "length"];

    [Theory]
    [MemberData(nameof(Mismatches))]
    public async Task Halves_that_do_not_fit_fail_both(string which)
    {
        (CoreBench bench, FakeHost host, TestBdev bdev) = await StartAsync();
        await using (bench)
        {
            await bench.AddNamespaceAsync(new TestBdev("T1"));
            SubmissionQueueEntry write = which switch
            {
                "lba" => Write(lba: 11),
                "blocks" => Write(blocks: 1),
                "namespace" => Write(nsid: 2),
                "range" => Write(lba: 1 << 20),
                _ => Write(blocks: 3),
            };
            int seen = bdev.Seen.Count;
            byte[] data = which == "blocks" ? s_new[..512] : s_new;
            Task<Outcome> first = host.Io[0].SendAsync(Compare(), s_old), second = host.Io[0].SendAsync(write, data);
            Assert.True((await first).Status.Is(GenericStatusCode.CommandAbortedDueToFailedFusedCommand));
            StatusField status = (await second).Status;
            Assert.True(status.Is(which switch
            {
                "range" => GenericStatusCode.LbaOutOfRange,
                "length" => GenericStatusCode.DataSglLengthInvalid,
                _ => GenericStatusCode.InvalidFieldInCommand,
            }), status.ToString());
            Assert.Equal(seen, bdev.Seen.Count);
        }
    }

    [Fact]
    public async Task Other_opcodes_cannot_be_fused()
    {
        (CoreBench bench, FakeHost host, _) = await StartAsync();
        await using (bench)
        {
            Task<Outcome> first = host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Read, 1, 10, 2, fuse: FusedOperation.FirstCommand), toHost: 1024);
            Task<Outcome> second = host.Io[0].SendAsync(Write(), s_new);
            Assert.True((await first).Status.Is(GenericStatusCode.InvalidCommandOpcode));
            Assert.False((await second).Status.IsSuccess);
            Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Read, 1, 10, 2, fuse: FusedOperation.Reserved), toHost: 1024)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
            Assert.True((await host.Admin.SendAsync(new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.KeepAlive, Fuse = FusedOperation.FirstCommand })).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        }
    }

    [Fact]
    public async Task A_half_that_its_transport_rejects_fails_the_other()
    {
        (CoreBench bench, FakeHost host, _) = await StartAsync();
        await using (bench)
        {
            FakeRequest compare = host.Io[0].Send(Compare(), s_old);
            FakeRequest write = host.Io[0].Announce(Write(), s_new);
            host.Io[0].Reject(write, new StatusField(GenericStatusCode.DataSglLengthInvalid));
            Assert.True((await write.Done).Status.Is(GenericStatusCode.DataSglLengthInvalid));
            Assert.True((await compare.Done).Status.Is(GenericStatusCode.CommandAbortedDueToFailedFusedCommand));
        }
    }

    [Fact]
    public async Task A_held_half_does_not_hold_up_the_end_of_its_queue()
    {
        (CoreBench bench, FakeHost host, _) = await StartAsync();
        await using (bench)
        {
            Task<Outcome> first = host.Io[0].SendAsync(Compare(), s_old);
            await host.Io[0].CloseAsync();
            Assert.True((await first).Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
        }
    }

    [Fact]
    public async Task A_held_half_can_be_aborted()
    {
        (CoreBench bench, FakeHost host, _) = await StartAsync();
        await using (bench)
        {
            FakeRequest first = host.Io[0].Send(Compare(), s_old);
            SubmissionQueueEntry abort = new() { Opcode = (byte)AdminOpcode.Abort };
            abort.As<AbortCommand>().AbortSqid = 1;
            abort.As<AbortCommand>().AbortCid = first.Command.Cid;
            Assert.Equal(0u, (await host.Admin.SendAsync(abort)).Completion.Cdw0);
            Assert.True((await first.Done).Status.Is(GenericStatusCode.CommandAbortRequested));
            Assert.True((await host.Io[0].SendAsync(Write(), s_new)).Status.Is(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
        }
    }
}
