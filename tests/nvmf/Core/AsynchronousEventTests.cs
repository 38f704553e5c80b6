using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Features;
using Spindle.Nvme.LogPages;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class AsynchronousEventTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task The_arrival_and_removal_of_a_namespace_are_told_once_until_the_list_is_read()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Task<Outcome> first = host.EventAsync(), second = host.EventAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"), 4);
        Outcome told = await first.WaitAsync(s_limit);
        Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, told.Completion.Cdw0);
        await bench.RunAsync(() => bench.Bdevs.UnregisterAsync(bdev));
        Assert.True((await host.AdminAsync(AdminOpcode.KeepAlive)).Status.IsSuccess);
        Assert.False(second.IsCompleted);
        Assert.Equal(new uint[] { 4 }, await ChangedAsync(host, retain: true));
        Assert.False(second.IsCompleted);
        // Read without Retain Asynchronous Event, and the next change is told again.
        Assert.Empty(await ChangedAsync(host));
        await bench.AddNamespaceAsync(new TestBdev("T1"), 7);
        Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, (await second.WaitAsync(s_limit)).Completion.Cdw0);
        Assert.Equal(new uint[] { 7 }, await ChangedAsync(host));
    }

    [Fact]
    public async Task An_event_waits_for_a_request()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        Assert.Equal(AsynchronousEvent.NamespaceAttributeChanged.Raw, (await host.EventAsync().WaitAsync(s_limit)).Completion.Cdw0);
    }

    [Fact]
    public async Task A_resize_is_told_and_seen()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0", blocks: 100));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Task<Outcome> request = host.EventAsync();
        Assert.True((await host.ReadAsync(100, 1)).Status.Is(GenericStatusCode.LbaOutOfRange));
        await bench.RunAsync(() =>
        {
            bench.Bdevs.Resize(bdev, 200);
            return Task.CompletedTask;
        });
        await request.WaitAsync(s_limit);
        Assert.Equal(200ul, (await host.IdentifyAsync<Spindle.Nvme.Identify.IdentifyNamespace>(Spindle.Nvme.Identify.IdentifyCns.Namespace, 1)).Nsze);
    }

    [Fact]
    public async Task Notices_that_are_not_enabled_are_not_told()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, 0)).Status.IsSuccess);
        Task<Outcome> request = host.EventAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        Assert.True((await host.AdminAsync(AdminOpcode.KeepAlive)).Status.IsSuccess);
        Assert.False(request.IsCompleted);
        // The list is kept all the same.
        Assert.Equal(new uint[] { 1 }, await ChangedAsync(host));
    }

    [Fact]
    public async Task More_requests_than_the_limit_are_refused()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Task<Outcome>[] kept = [.. Enumerable.Range(0, AsynchronousEventQueue.Limit).Select(_ => host.EventAsync())];
        Assert.True((await host.EventAsync()).Status.Is(CommandSpecificStatusCode.AsynchronousEventRequestLimitExceeded));
        await host.Admin.CloseAsync();
        foreach (Task<Outcome> request in kept) Assert.True((await request).Status.Is(GenericStatusCode.CommandAbortedDueToSqDeletion));
    }

    [Fact]
    public async Task A_request_can_be_aborted()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        FakeRequest request = host.Admin.Send(new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.AsynchronousEventRequest });
        SubmissionQueueEntry abort = new() { Opcode = (byte)AdminOpcode.Abort };
        abort.As<AbortCommand>().AbortCid = request.Command.Cid;
        Assert.Equal(0u, (await host.Admin.SendAsync(abort)).Completion.Cdw0);
        Assert.True((await request.Done).Status.Is(GenericStatusCode.CommandAbortRequested));
        Assert.Equal(1u, (await host.Admin.SendAsync(abort)).Completion.Cdw0);
    }

    [Fact]
    public async Task An_ANA_change_is_told_and_shown()
    {
        await using CoreBench bench = await CoreBench.StartAsync(subsystem: new SubsystemOptions { AnaReporting = true, MaxNamespaces = 4 });
        await bench.AddNamespaceAsync(new TestBdev("T0"), 1, anaGroup: 2);
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Task<Outcome> request = host.EventAsync();
        await bench.RunAsync(() =>
        {
            SubsystemListener listener = bench.Target.FindSubsystem(CoreBench.Subsystem)!.Listeners[0];
            listener.SetAnaState(2, AnaState.Inaccessible);
            foreach (NvmfController controller in bench.Target.FindSubsystem(CoreBench.Subsystem)!.Controllers) controller.PostAnaChanged();
            return Task.CompletedTask;
        });
        Assert.Equal(AsynchronousEvent.AsymmetricNamespaceAccessChange.Raw, (await request.WaitAsync(s_limit)).Completion.Cdw0);
        byte[] page = (await host.LogAsync(LogPageIdentifier.AsymmetricNamespaceAccess, 16 + 32 + 4)).Data;
        AnaGroupDescriptor group = WireBuffer.Read<AnaGroupDescriptor>(page.AsSpan(16));
        Assert.Equal((2u, 1u, AnaState.Inaccessible), (group.AnaGroupId, group.NumberOfNsidValues, group.AnaState));
        Assert.Equal(1u, BitConverter.ToUInt32(page, 48));
        Assert.True((await host.ReadAsync(0, 1)).Status.Is(PathStatusCode.AsymmetricAccessInaccessible));
    }

    [Fact]
    public void The_changed_list_overflows_to_one_entry()
    {
        ChangedNamespaceList list = new();
        Span<uint> entries = new uint[1024];
        for (uint nsid = 1; nsid <= 1024; nsid++) list.Add(1025 - nsid);
        list.Write(entries);
        Assert.Equal((1u, 1024u), (entries[0], entries[1023]));
        list.Add(2000);
        list.Write(entries);
        Assert.Equal((NvmeConstants.BroadcastNsid, 0u), (entries[0], entries[1]));
        list.Clear();
        list.Write(entries);
        Assert.Equal(0u, entries[0]);
    }

    private static async Task<uint[]> ChangedAsync(FakeHost host, bool retain = false) =>
        [.. MemoryMarshal.Cast<byte, uint>((await host.LogAsync(LogPageIdentifier.ChangedNamespaceList, 4096, retain: retain)).Data).ToArray().TakeWhile(nsid => nsid != 0)];
}
