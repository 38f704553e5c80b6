using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Abort (NVMe Base Specification 2.0, section 5.1).</summary>
public class AbortTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Asynchronous_event_request_is_aborted()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        (ushort cid, Task<CompletionQueueEntry> waiting) = await controller.Admin.StartAsync(NvmeCommands.Admin(AdminOpcode.AsynchronousEventRequest));
        Assert.True(await controller.AbortAsync(0, cid));
        CompletionQueueEntry cqe = await waiting;
        Assert.True(cqe.Status.Is(GenericStatusCode.CommandAbortRequested), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Command_that_is_not_there_is_not_aborted()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.False(await controller.AbortAsync(0, 0x7777));
        Assert.False(await controller.AbortAsync(1, 0x7777));
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Abort(0x1234, 0));
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || (cqe.Status.IsSuccess && (cqe.Cdw0 & 1) == 1), $"unknown queue: status is {cqe.Status}, dword 0 {cqe.Cdw0}");
    }

    [Fact]
    public async Task Write_that_waits_for_its_data_is_aborted_or_completes_when_the_data_comes()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, 41_000, 16) with { Cid = 77 }, 8192));
        R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        Task<bool> abort = queue.Controller.AbortAsync(1, 77);
        await Task.Delay(100);
        await queue.SendDataAsync(77, r2t.Ttag, 0, new byte[8192], last: true);
        CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(77);
        bool aborted = await abort;
        Assert.Equal(aborted, cqe.Status.Is(GenericStatusCode.CommandAbortRequested));
        Assert.True(aborted || cqe.Status.IsSuccess, $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Aborts_beyond_the_limit_are_refused_and_within_it_answered()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry[] all = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => controller.Admin.SubmitAsync(NvmeCommands.Abort(0, (ushort)(0x4000 + i)))));
        Assert.All(all, cqe => Assert.True(cqe.Status.IsSuccess || cqe.Status.Is(CommandSpecificStatusCode.AbortCommandLimitExceeded), $"status is {cqe.Status}"));
        Assert.Contains(all, cqe => cqe.Status.IsSuccess);
    }

    [Fact]
    public async Task Aborts_that_race_with_completions_never_lose_a_command()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int i = 0; i < 60; i++)
        {
            byte[] buffer = new byte[65536];
            (ushort cid, Task<CompletionQueueEntry> read) = await controller.Io.StartAsync(NvmeCommands.Io(NvmOpcode.Read, 1, 0, 128), dataIn: buffer);
            bool aborted = await controller.AbortAsync(1, cid);
            CompletionQueueEntry cqe = await read;
            Assert.True(cqe.Status.IsSuccess || (aborted && cqe.Status.Is(GenericStatusCode.CommandAbortRequested)), $"aborted {aborted}, status is {cqe.Status}");
        }
        await ns.ReadAsync(0, 1);
    }
}
