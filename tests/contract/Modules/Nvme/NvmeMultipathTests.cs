using Spindle.Bdevs;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>Several paths to one namespace.</summary>
public sealed class NvmeMultipathTests : NvmeTest
{
    private const string ForEver = ""","ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":1""";

    protected override string Subsystem => ""","ana_reporting":true""";

    private async Task<(PduProxy First, PduProxy Second)> AttachTwoAsync(int? secondPort = null)
    {
        PduProxy first = NewProxy(), second = NewProxy(secondPort);
        await AttachAsync(first, ForEver);
        Assert.Equal("""["Nvme0n1"]""", await AttachAsync(second, ForEver));
        return (first, second);
    }

    /// <summary>I/Os that went by each controller so far, by its identifier's order.</summary>
    private async Task<int[]> PdusAsync(params PduProxy[] proxies)
    {
        await Task.Yield();
        return [.. proxies.Select(proxy => proxy.PduCount)];
    }

    private static async Task ReadAsync(BdevClient client, int count)
    {
        for (int i = 0; i < count; i++) await client.ReadBytesAsync((ulong)i % 64, 1);
    }

    [Fact]
    public async Task Two_paths_are_one_bdev_and_the_passive_one_rests()
    {
        var (first, second) = await AttachTwoAsync();
        var client = await OpenAsync();
        await ReadAsync(client, 1);
        int[] before = await PdusAsync(first, second);
        await ReadAsync(client, 50);
        int[] after = await PdusAsync(first, second);
        Assert.True(after[0] - before[0] >= 50, $"{after[0] - before[0]} PDUs by the active path");
        Assert.True(after[1] - before[1] < 10, $"{after[1] - before[1]} PDUs by the passive path");
        Assert.Single(Host.Registry.All);
    }

    [Fact]
    public async Task While_a_path_lives_nobody_sees_an_error()
    {
        var (first, second) = await AttachTwoAsync();
        PduProxy[] paths = [first, second];
        VerifiedLoad[] loads = [new(await OpenAsync(worker: 0), 0, 64, 3), new(await OpenAsync(worker: 1), 64, 64, 4)];
        var running = Task.WhenAll(loads.Select(load => load.RunAsync()));
        for (int round = 0; round < 4; round++)
        {
            var lost = paths[round % 2];
            int other = 1 - round % 2;
            await StateBecomesAsync("enabled", other);
            lost.Accepts = false;
            lost.Cut();
            int before = loads.Sum(load => load.Writes);
            await BecomesAsync(() => Task.FromResult(loads.Sum(load => load.Writes) > before + 20 || loads.Any(load => load.Failure is not null)), "writes by the other path", 5);
            lost.Accepts = true;
            await StateBecomesAsync("enabled", round % 2);
        }
        foreach (var load in loads) load.Stop();
        await running;
        Assert.All(loads, load => Assert.Null(load.Failure));
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task Paths_come_and_go_at_random_and_nothing_is_lost(int seed)
    {
        var (first, second) = await AttachTwoAsync();
        PduProxy[] paths = [first, second];
        bool[] lives = [true, true];
        await Nvme.CallAsync("bdev_nvme_set_multipath_policy", """{"name":"Nvme0n1","policy":"active_active","selector":"queue_depth"}""");
        VerifiedLoad[] loads = [new(await OpenAsync(worker: 0), 0, 64, seed), new(await OpenAsync(worker: 1), 64, 64, seed + 100)];
        var running = Task.WhenAll(loads.Select(load => load.RunAsync()));
        var random = new Random(seed);
        for (int step = 0; step < 25; step++)
        {
            await Task.Delay(random.Next(30));
            int which = random.Next(2);
            switch (random.Next(4))
            {
                case 0:
                    // A cut of either, or of both: they come back.
                    paths[which].Cut();
                    if (random.Next(3) == 0) paths[1 - which].Cut();
                    break;
                case 1 when lives[1 - which]:
                    lives[which] = paths[which].Accepts = false;
                    paths[which].Cut();
                    break;
                case 2:
                    lives[which] = paths[which].Accepts = true;
                    break;
                default:
                    await Nvme.CallAsync("bdev_nvme_set_multipath_policy",
                        random.Next(2) == 0 ? """{"name":"Nvme0n1","policy":"active_passive"}""" : """{"name":"Nvme0n1","policy":"active_active","rr_min_io":2}""");
                    break;
            }
        }
        first.Accepts = second.Accepts = true;
        await StateBecomesAsync("enabled", 0);
        await StateBecomesAsync("enabled", 1);
        foreach (var load in loads) load.Stop();
        await running;
        Assert.All(loads, load => Assert.True(load.Failure is null, $"seed {seed}: {load.Failure}"));
        Assert.All(loads, load => Assert.True(load.Writes > 0));
    }

    [Theory]
    [InlineData("round_robin", ",\"rr_min_io\":1")]
    [InlineData("queue_depth", "")]
    public async Task Active_paths_share_the_IO(string selector, string more)
    {
        var (first, second) = await AttachTwoAsync();
        await Nvme.CallAsync("bdev_nvme_set_multipath_policy", $$"""{"name":"Nvme0n1","policy":"active_active","selector":"{{selector}}"{{more}}}""");
        var client = await OpenAsync();
        await ReadAsync(client, 2);
        int[] before = await PdusAsync(first, second);
        for (int i = 0; i < 8; i++) await Task.WhenAll(Enumerable.Range(0, 16).Select(block => client.ReadBytesAsync((ulong)block, 1)));
        int[] after = await PdusAsync(first, second);
        Assert.All(after.Zip(before), pair => Assert.True(pair.First - pair.Second >= 50, $"{pair.First - pair.Second} of 128 I/Os by a path"));
    }

    [Fact]
    public async Task The_preferred_path_is_the_active_one_and_is_again_when_it_comes_back()
    {
        var (first, second) = await AttachTwoAsync();
        var client = await OpenAsync();
        await ReadAsync(client, 1);
        await Nvme.CallAsync("bdev_nvme_set_preferred_path", """{"name":"Nvme0n1","cntlid":2}""");
        int before = second.PduCount;
        await ReadAsync(client, 30);
        Assert.True(second.PduCount - before >= 30);
        second.Accepts = false;
        second.Cut();
        before = first.PduCount;
        await ReadAsync(client, 30);
        Assert.True(first.PduCount - before >= 30);
        second.Accepts = true;
        await StateBecomesAsync("enabled", 1);
        await BecomesAsync(async () =>
        {
            before = second.PduCount;
            await ReadAsync(client, 20);
            return second.PduCount - before >= 20;
        }, "the way back to the preferred path");
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_set_preferred_path", """{"name":"Nvme0n1","cntlid":9}"""))).Errno);
    }

    [Fact]
    public async Task Access_states_choose_the_path()
    {
        int otherPort = Harness.ServedDisks.FreePort();
        await Disk.ListenAsync(otherPort);
        var (first, second) = await AttachTwoAsync(otherPort);
        var client = await OpenAsync();
        await ReadAsync(client, 1);
        await SetAnaAsync(Disk.Port, "non_optimized");
        await BecomesUsedAsync(client, second);
        await SetAnaAsync(otherPort, "inaccessible");
        await BecomesUsedAsync(client, first);
        // None is accessible: I/O waits, and goes on when one is again.
        await SetAnaAsync(Disk.Port, "inaccessible");
        await BecomesAsync(async () => !(await CallAsync("bdev_nvme_get_io_paths")).GetRawText().Contains("\"accessible\":true", StringComparison.Ordinal), "no accessible path");
        var reading = client.ReadBytesAsync(3, 1);
        await Task.Delay(200);
        Assert.False(reading.IsCompleted);
        await SetAnaAsync(otherPort, "optimized");
        await reading;
        await BecomesUsedAsync(client, second);
    }

    private Task<string> SetAnaAsync(int port, string state) => Disk.Target.CallAsync("nvmf_subsystem_listener_set_ana_state", Disk.Listener(port, $$""","ana_state":"{{state}}" """));

    private static Task BecomesUsedAsync(BdevClient client, PduProxy path) => BecomesAsync(async () =>
    {
        int before = path.PduCount;
        await ReadAsync(client, 20);
        return path.PduCount - before >= 20;
    }, "I/O by that path");

    [Fact]
    public async Task One_path_may_be_detached_and_the_bdev_stays()
    {
        var (first, second) = await AttachTwoAsync();
        var client = await OpenAsync();
        var load = new VerifiedLoad(client, 0, 32, 5);
        var running = load.RunAsync();
        await Nvme.CallAsync("bdev_nvme_detach_controller", $$"""{"name":"Nvme0","trsvcid":"{{first.Port}}"}""");
        int before = load.Writes;
        await BecomesAsync(() => Task.FromResult(load.Writes > before + 20 || load.Failure is not null), "writes by the other path", 5);
        load.Stop();
        await running;
        Assert.Null(load.Failure);
        Assert.Equal(1, (await CallAsync("bdev_nvme_get_controllers"))[0].GetProperty("ctrlrs").GetArrayLength());
        Assert.True(second.PduCount > 20);
    }

    [Theory]
    [InlineData("""{"name":"Nvme0n1","policy":"active_passive","selector":"queue_depth"}""", -32603)]
    [InlineData("""{"name":"Nvme0n1","policy":"both"}""", -32603)]
    public async Task A_policy_that_is_none_is_refused(string parameters, int code)
    {
        await AttachAsync();
        Assert.Equal(code, (await Assert.ThrowsAsync<Rpc.RpcException>(() => Nvme.CallAsync("bdev_nvme_set_multipath_policy", parameters))).Code);
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() =>
            Nvme.CallAsync("bdev_nvme_set_multipath_policy", """{"name":"Nvme0n1","policy":"active_active","rr_min_io":0}"""))).Errno);
    }
}
