using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Features;
using Spindle.Nvme.LogPages;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Asynchronous events (NVMe Base Specification 2.0, section 5.2): attach, removal and resize of namespaces as a connected host sees them.</summary>
public class AsyncEventTests(SharedTarget shared) : ProtocolTest(shared)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    private async Task<NvmeTcpController> ListenAsync()
    {
        NvmeTcpController controller = await ConnectAsync();
        await controller.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, (uint)AsynchronousEventConfiguration.NamespaceAttributeNotices);
        await ChangedAsync(controller);
        return controller;
    }

    private static async Task<List<uint>> ChangedAsync(NvmeTcpController controller) =>
        [.. MemoryMarshal.Cast<byte, uint>(await controller.GetLogPageAsync(LogPageIdentifier.ChangedNamespaceList, 4096)).ToArray().TakeWhile(n => n != 0)];

    [Fact]
    public async Task Attach_and_removal_of_a_namespace_are_noticed_with_its_nsid()
    {
        await using NvmeTcpController controller = await ListenAsync();
        Task<AsynchronousEvent> change = await controller.RequestEventAsync();
        await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 7, bdev_name = "Null0" } });
        try
        {
            Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, (await change.WaitAsync(Soon)).Raw);
            Assert.Equal([7u], await ChangedAsync(controller));
            Assert.Empty(await ChangedAsync(controller));
            Assert.Equal([1u, 2u, 7u], await controller.ActiveNamespacesAsync());
            await new NamespaceIo(controller.Io, 7, 512).ReadAsync(0, 8);
            change = await controller.RequestEventAsync();
        }
        finally
        {
            await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 7 });
        }
        Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, (await change.WaitAsync(Soon)).Raw);
        Assert.Equal([7u], await ChangedAsync(controller));
        Assert.Equal([1u, 2u], await controller.ActiveNamespacesAsync());
        CompletionQueueEntry gone = await controller.Io.SubmitAsync(NvmeCommands.Io(NvmOpcode.Read, 7, 0, 1), dataIn: new byte[512]);
        Assert.True(gone.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), $"status is {gone.Status}");
    }

    [Fact]
    public async Task Resize_is_noticed_and_identify_shows_it()
    {
        await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 8, bdev_name = "Null0" } });
        try
        {
            await using NvmeTcpController controller = await ListenAsync();
            ulong before = (await controller.IdentifyNamespaceAsync(8)).Nsze;
            Task<AsynchronousEvent> change = await controller.RequestEventAsync();
            await Target.RpcAsync("bdev_null_resize", new { name = "Null0", new_size = (int)(before * 512 / 1048576) + 64 });
            Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, (await change.WaitAsync(Soon)).Raw);
            Assert.Equal([8u], await ChangedAsync(controller));
            Assert.Equal(before + 64 * 2048, (await controller.IdentifyNamespaceAsync(8)).Nsze);
        }
        finally
        {
            await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 8 });
        }
    }

    [Fact]
    public async Task Event_waits_for_a_request_and_is_masked_until_its_page_is_read()
    {
        await using NvmeTcpController controller = await ListenAsync();
        await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 9, bdev_name = "Null0" } });
        try
        {
            Task<AsynchronousEvent> late = await controller.RequestEventAsync();
            await late.WaitAsync(Soon);
            // Not read yet: the next change stays silent.
            Task<AsynchronousEvent> masked = await controller.RequestEventAsync();
            await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 9 });
            await Assert.ThrowsAsync<TimeoutException>(() => masked.WaitAsync(TimeSpan.FromMilliseconds(300)));
            Assert.Equal([9u], await ChangedAsync(controller));
            await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 9, bdev_name = "Null0" } });
            await masked.WaitAsync(Soon);
        }
        finally
        {
            await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 9 });
        }
    }

    [Fact]
    public async Task Notices_that_are_off_do_not_come()
    {
        await using NvmeTcpController controller = await ListenAsync();
        await controller.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, 0);
        Task<AsynchronousEvent> none = await controller.RequestEventAsync();
        await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 10, bdev_name = "Null0" } });
        await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 10 });
        await Assert.ThrowsAsync<TimeoutException>(() => none.WaitAsync(TimeSpan.FromMilliseconds(300)));
    }

    [Fact]
    public async Task Requests_beyond_the_limit_are_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        List<Task<AsynchronousEvent>> waiting = [];
        for (int i = 0; i <= controller.Identify.Aerl; i++)
        {
            waiting.Add(await controller.RequestEventAsync());
        }
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Admin(AdminOpcode.AsynchronousEventRequest));
        Assert.True(cqe.Status.Is(CommandSpecificStatusCode.AsynchronousEventRequestLimitExceeded), $"status is {cqe.Status}");
        Assert.All(waiting, w => Assert.False(w.IsCompleted));
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Namespaces_come_and_go_under_load()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 2 });
        using CancellationTokenSource stop = new();
        Task[] load = [.. controller.IoQueues.Select(queue => Task.Run(async () =>
        {
            byte[] buffer = new byte[4096];
            int good = 0;
            while (!stop.IsCancellationRequested)
            {
                CompletionQueueEntry[] all = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => queue.SubmitAsync(NvmeCommands.Io(NvmOpcode.Read, 11, (ulong)i * 8, 8), dataIn: new byte[4096])));
                Assert.All(all, cqe => Assert.True(cqe.Status.IsSuccess || cqe.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat) || cqe.Status.Is(GenericStatusCode.NamespaceNotReady)
                    || cqe.Status.Is(GenericStatusCode.CommandAbortedDueToSqDeletion) || cqe.Status.StatusCodeType == StatusCodeType.PathRelated, $"status is {cqe.Status}"));
                good += all.Count(cqe => cqe.Status.IsSuccess);
            }
            Assert.True(good > 0);
        }))];
        for (int i = 0; i < 30; i++)
        {
            await Target.RpcAsync("nvmf_subsystem_add_ns", new { nqn = Target.Subnqn, @namespace = new { nsid = 11, bdev_name = "Null0" } });
            await Task.Delay(30);
            await Target.RpcAsync("nvmf_subsystem_remove_ns", new { nqn = Target.Subnqn, nsid = 11 });
            await Task.Delay(10);
        }
        await stop.CancelAsync();
        await Task.WhenAll(load).WaitAsync(TimeSpan.FromSeconds(20));
    }
}
