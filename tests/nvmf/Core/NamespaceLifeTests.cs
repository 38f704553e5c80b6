using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

/// <summary>Namespaces that come and go under load, and commands that are aborted.</summary>
public class NamespaceLifeTests
{
    [Fact]
    public async Task A_removed_namespace_lets_its_commands_end_and_refuses_new_ones()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync(2);
        bdev.Hold = true;
        Task<Outcome>[] held = [host.ReadAsync(0, 1), host.Io[1].SendAsync(FakeHost.Nvm(NvmOpcode.Read, 1, 0, 1), toHost: 512)];
        await ConnectTests.WaitUntil(() => Task.FromResult(bdev.HeldCount == 2));
        Task removed = bench.RunAsync(() => Change(bench, s => bench.Target.Namespaces.RemoveAsync(s, s.FindNamespace(1)!)));
        // A read that comes before the removal is held like the others.
        await ConnectTests.WaitUntil(async () =>
        {
            Task<Outcome> read = host.ReadAsync(0, 1);
            await Task.WhenAny(read, Task.Delay(100));
            return read.IsCompletedSuccessfully && read.Result.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat);
        });
        Assert.Empty(await host.ActiveNamespacesAsync());
        Assert.False(removed.IsCompleted);
        bdev.Release();
        await removed;
        foreach (Task<Outcome> read in held) Assert.True((await read).Status.IsSuccess);
        Assert.Equal((0, 0), bench.Registry.GetUse(bdev));
    }

    [Fact]
    public async Task A_bdev_that_goes_away_takes_its_namespace_with_it()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        await bench.AddNamespaceAsync(new TestBdev("T1"));
        FakeHost host = await new FakeHost(bench).ConnectAsync(2);
        using CancellationTokenSource stop = new();
        int reads = 0;
        Task load = Task.WhenAll(host.Io.Select(io => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                Outcome outcome = await io.SendAsync(FakeHost.Nvm(NvmOpcode.Read, 1, 0, 1), toHost: 512);
                Assert.True(outcome.Status.IsSuccess || outcome.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), outcome.Status.ToString());
                Interlocked.Increment(ref reads);
            }
        })));
        await ConnectTests.WaitUntil(() => Task.FromResult(Volatile.Read(ref reads) > 100));
        await bench.RunAsync(() => bench.Bdevs.UnregisterAsync(bdev));
        await stop.CancelAsync();
        await load;
        Assert.Equal(new uint[] { 2 }, await host.ActiveNamespacesAsync());
        Assert.True((await host.ReadAsync(0, 1, nsid: 2)).Status.IsSuccess);
        Assert.Null(bench.Bdevs.Find("T0"));
    }

    /// <summary>Random adds and removals while hosts do I/O: every command ends with one of the statuses that fit.</summary>
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task Namespaces_come_and_go_at_random(int seed)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(2);
        for (int i = 1; i <= 4; i++)
        {
            string name = $"T{i}";
            await bench.RunAsync(() =>
            {
                bench.Bdevs.Register(new TestBdev(name));
                return Task.CompletedTask;
            });
        }
        using CancellationTokenSource stop = new();
        Task load = Task.WhenAll(host.Io.Select((io, queue) => Task.Run(async () =>
        {
            Random random = new(seed * 100 + queue);
            while (!stop.IsCancellationRequested)
            {
                uint nsid = (uint)random.Next(1, 5);
                Outcome outcome = await io.SendAsync(FakeHost.Nvm(NvmOpcode.Write, nsid, (ulong)random.Next(1000), 1), new byte[512]);
                Assert.True(outcome.Status.IsSuccess || outcome.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), $"seed {seed}: {outcome.Status}");
            }
        })));
        Random changes = new(seed);
        SortedSet<uint> model = [];
        for (int i = 0; i < 60; i++)
        {
            uint nsid = (uint)changes.Next(1, 5);
            if (!model.Remove(nsid))
            {
                await bench.RunAsync(() => Change(bench, s => bench.Target.Namespaces.AddAsync(s, new NamespaceParameters($"T{nsid}", nsid))));
                model.Add(nsid);
            }
            else
            {
                await bench.RunAsync(() => Change(bench, s => bench.Target.Namespaces.RemoveAsync(s, s.FindNamespace(nsid)!)));
            }
            Assert.Equal(model, await host.ActiveNamespacesAsync());
        }
        await stop.CancelAsync();
        await load;
    }

    [Fact]
    public async Task A_bdev_has_one_namespace()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        Assert.Equal(Errno.EPERM, await AddErrorAsync(bench, new NamespaceParameters("T0")));
        Assert.Equal(Errno.ENODEV, await AddErrorAsync(bench, new NamespaceParameters("None")));
        await bench.RunAsync(() =>
        {
            bench.Bdevs.Register(new TestBdev("T1"));
            bench.Bdevs.Register(new TestBdev("Separate", metadata: 8, interleaved: false));
            bench.Bdevs.Register(new TestBdev("Odd", blockSize: 1536));
            return Task.CompletedTask;
        });
        Assert.Equal(Errno.EEXIST, await AddErrorAsync(bench, new NamespaceParameters("T1", 1)));
        Assert.Equal(Errno.EINVAL, await AddErrorAsync(bench, new NamespaceParameters("T1", 33)));
        Assert.Equal(Errno.EINVAL, await AddErrorAsync(bench, new NamespaceParameters("T1", AnaGroupId: 33)));
        Assert.Equal(Errno.EINVAL, await AddErrorAsync(bench, new NamespaceParameters("Separate")));
        Assert.Equal(Errno.EINVAL, await AddErrorAsync(bench, new NamespaceParameters("Odd")));
        foreach (string name in new[] { "T1", "Separate", "Odd" }) Assert.Equal((0, 0), bench.Registry.GetUse(bench.Bdevs.Find(name)!));
    }

    [Fact]
    public async Task A_command_on_another_queue_is_aborted()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync(2);
        bdev.Hold = true;
        FakeRequest[] held = [.. host.Io.Select(io => io.Send(FakeHost.Nvm(NvmOpcode.Read, 1, 0, 1), toHost: 512))];
        await ConnectTests.WaitUntil(() => Task.FromResult(bdev.HeldCount == 2));
        for (ushort qid = 1; qid <= 2; qid++)
        {
            Assert.Equal(0u, (await AbortAsync(host, qid, held[qid - 1].Command.Cid)).Completion.Cdw0);
            Assert.True((await held[qid - 1].Done).Status.Is(GenericStatusCode.CommandAbortRequested));
        }
        Assert.Equal(1u, (await AbortAsync(host, 1, held[0].Command.Cid)).Completion.Cdw0);
        Assert.Equal(1u, (await AbortAsync(host, 9, 1)).Completion.Cdw0);
        bdev.Release();
    }

    [Fact]
    public async Task Deleting_a_subsystem_disconnects_its_hosts_and_gives_its_bdevs_back()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync(2);
        await bench.RunAsync(() => bench.Target.RemoveSubsystemAsync(bench.Target.FindSubsystem(CoreBench.Subsystem)!, CancellationToken.None));
        await Task.WhenAll(host.Io.Append(host.Admin).Select(c => c.ClosedTask)).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((0, 0), bench.Registry.GetUse(bdev));
        Assert.Single(bench.Transport.Listening);
        Assert.Null(bench.Target.FindSubsystem(CoreBench.Subsystem));
    }

    private static Task<Outcome> AbortAsync(FakeHost host, ushort qid, ushort cid)
    {
        SubmissionQueueEntry abort = new() { Opcode = (byte)AdminOpcode.Abort };
        abort.As<AbortCommand>().AbortSqid = qid;
        abort.As<AbortCommand>().AbortCid = cid;
        return host.Admin.SendAsync(abort);
    }

    private static async Task Change(CoreBench bench, Func<NvmfSubsystem, Task> change)
    {
        NvmfSubsystem subsystem = bench.Target.FindSubsystem(CoreBench.Subsystem)!;
        await subsystem.Gate.WaitAsync();
        try
        {
            await change(subsystem);
        }
        finally
        {
            subsystem.Gate.Release();
        }
    }

    private static async Task<int> AddErrorAsync(CoreBench bench, NamespaceParameters parameters)
    {
        SpindleException e = await Assert.ThrowsAsync<SpindleException>(() =>
            bench.RunAsync(() => Change(bench, s => bench.Target.Namespaces.AddAsync(s, parameters))));
        return e.Errno;
    }
}
