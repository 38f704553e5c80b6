using Spindle.Bdevs;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>Loss of the connection, and what comes of it.</summary>
public sealed class NvmeRecoveryTests : NvmeTest
{
    private const string ForEver = ""","ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":1""";

    [Fact]
    public async Task A_connection_that_is_cut_again_and_again_loses_nothing()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ForEver);
        VerifiedLoad[] loads = [new(await OpenAsync(worker: 0), 0, 64, 1), new(await OpenAsync(worker: 1), 64, 64, 2)];
        var running = Task.WhenAll(loads.Select(load => load.RunAsync()));
        for (int i = 0; i < 10; i++)
        {
            await Task.Delay(40);
            proxy.Cut();
        }
        await StateBecomesAsync("enabled");
        int before = loads.Sum(load => load.Writes);
        await BecomesAsync(() => Task.FromResult(loads.Sum(load => load.Writes) > before + 20 || loads.Any(load => load.Failure is not null)), "more writes");
        foreach (var load in loads) load.Stop();
        await running;
        Assert.All(loads, load => Assert.Null(load.Failure));
    }

    [Fact]
    public async Task IO_waits_for_a_target_that_is_away()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ForEver);
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        proxy.Accepts = false;
        proxy.Cut();
        await StateBecomesAsync("reconnect_is_delayed");
        var reading = client.ReadBytesAsync(7, 1);
        await Task.Delay(300);
        Assert.False(reading.IsCompleted);
        proxy.Accepts = true;
        Assert.Equal(Pattern(1), await reading);
        Assert.Equal("enabled", await StateAsync());
    }

    [Fact]
    public async Task Without_reconnects_a_lost_controller_is_tried_once_and_a_reset_brings_it_back()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy);
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        proxy.Accepts = false;
        proxy.Cut();
        await StateBecomesAsync("failed");
        using var buffer = new TestBuffer(BlockSize);
        var outcome = await client.ReadAsync(buffer, 7, 1);
        Assert.Equal((BdevIoStatus.Failed, Errno.ENXIO), (outcome.Result.Status, outcome.Result.ErrorNumber));
        Assert.Equal(Errno.EIO, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_reset_controller", """{"name":"Nvme0"}"""))).Errno);
        proxy.Accepts = true;
        await Nvme.CallAsync("bdev_nvme_reset_controller", """{"name":"Nvme0"}""");
        Assert.Equal(Pattern(1), await client.ReadBytesAsync(7, 1));
    }

    [Fact]
    public async Task After_the_fast_failure_timeout_IO_fails_and_works_again_later()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ""","ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":1,"fast_io_fail_timeout_sec":1""");
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        proxy.Accepts = false;
        proxy.Cut();
        using var buffer = new TestBuffer(BlockSize);
        var outcome = await client.ReadAsync(buffer, 7, 1);
        Assert.Equal((BdevIoStatus.Failed, Errno.ENXIO), (outcome.Result.Status, outcome.Result.ErrorNumber));
        proxy.Accepts = true;
        await StateBecomesAsync("enabled");
        Assert.Equal(Pattern(1), await client.ReadBytesAsync(7, 1));
    }

    [Fact]
    public async Task After_the_loss_timeout_the_controller_and_its_bdevs_go()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ""","ctrlr_loss_timeout_sec":1,"reconnect_delay_sec":1""");
        proxy.Accepts = false;
        proxy.Cut();
        await BecomesAsync(async () => await Nvme.CallAsync("bdev_nvme_get_controllers") == "[]", "the end of the controller");
        Assert.Null(Host.Registry.Find("Nvme0n1"));
    }

    [Fact]
    public async Task A_disabled_controller_fails_IO_until_it_is_enabled()
    {
        await AttachAsync(more: ForEver);
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        await Nvme.CallAsync("bdev_nvme_disable_controller", """{"name":"Nvme0"}""");
        Assert.Equal("disabled", await StateAsync());
        using var buffer = new TestBuffer(BlockSize);
        Assert.Equal(Errno.ENXIO, (await client.ReadAsync(buffer, 7, 1)).Result.ErrorNumber);
        await Nvme.CallAsync("bdev_nvme_enable_controller", """{"name":"Nvme0"}""");
        Assert.Equal(Pattern(1), await client.ReadBytesAsync(7, 1));
    }

    [Fact]
    public async Task A_controller_may_be_detached_while_it_is_away()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ForEver);
        proxy.Accepts = false;
        proxy.Cut();
        await StateBecomesAsync("reconnect_is_delayed");
        await Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Nvme0"}""").WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Null(Host.Registry.Find("Nvme0n1"));
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("abort")]
    public async Task A_command_that_does_not_end_in_time_is_dealt_with(string action)
    {
        await Nvme.CallAsync("bdev_nvme_set_options", $$"""{"action_on_timeout":"{{action}}","timeout_us":300000,"timeout_admin_us":1000000}""");
        var proxy = NewProxy();
        await AttachAsync(proxy, ForEver);
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        // One response is lost; the reset makes the command go again.
        int lost = 0;
        proxy.ToHost = (pdu, _) => pdu[0] is 5 or 7 && pdu.Length > 500 && Interlocked.Exchange(ref lost, 1) == 0 ? null : pdu;
        Assert.Equal(Pattern(1), await client.ReadBytesAsync(7, 1));
        Assert.Equal(1, lost);
    }

    [Fact]
    public async Task A_target_that_is_silent_is_noticed_by_keep_alives()
    {
        await Nvme.CallAsync("bdev_nvme_set_options", """{"keep_alive_timeout_ms":600}""");
        var proxy = NewProxy();
        await AttachAsync(proxy, ForEver);
        proxy.Holds = true;
        await BecomesAsync(async () => await StateAsync() != "enabled", "the loss");
        proxy.Holds = false;
        await StateBecomesAsync("enabled");
    }

    [Fact]
    public async Task Failover_goes_to_the_other_address_of_a_controller()
    {
        PduProxy first = NewProxy(), second = NewProxy();
        await AttachAsync(first, ForEver + ""","multipath":"failover" """);
        Assert.Equal("""["Nvme0n1"]""", await AttachAsync(second, ForEver + ""","multipath":"failover" """));
        Assert.Equal(1, (await CallAsync("bdev_nvme_get_controllers"))[0].GetProperty("ctrlrs")[0].GetProperty("alternate_trids").GetArrayLength());
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(1));
        first.Accepts = false;
        first.Cut();
        Assert.Equal(Pattern(1), await client.ReadBytesAsync(7, 1));
        Assert.Equal($"{second.Port}", (await CallAsync("bdev_nvme_get_controllers"))[0].GetProperty("ctrlrs")[0].GetProperty("trid").GetProperty("trsvcid").GetString());
    }

    private static byte[] Pattern(int seed)
    {
        byte[] data = new byte[BlockSize];
        new Random(seed).NextBytes(data);
        return data;
    }
}
