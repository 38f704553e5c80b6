using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>The RPC methods: SPDK's replies and errors.</summary>
public sealed class NvmeRpcTests : NvmeTest
{
    [Fact]
    public async Task Attaching_returns_the_bdevs_and_detaching_takes_them_away()
    {
        Assert.Equal("""["Nvme0n1"]""", await AttachAsync());
        var bdev = Host.Registry.Find("Nvme0n1")!;
        Assert.Equal((Blocks, (uint)BlockSize, "NVMe disk"), (bdev.BlockCount, bdev.BlockSize, bdev.ProductName));
        Assert.Equal(Disk.Target.Host.Registry.Find(Disk.Name)!.Uuid, bdev.Uuid);
        Assert.Equal("true", await Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Nvme0"}"""));
        Assert.Null(Host.Registry.Find("Nvme0n1"));
        Assert.Equal("[]", await Nvme.CallAsync("bdev_nvme_get_controllers"));
    }

    [Fact]
    public async Task Controllers_are_listed_as_SPDK_lists_them()
    {
        await AttachAsync(more: ""","hostnqn":"nqn.2026-11.io.spindle:host" """);
        string expected = $$$"""
            [{"name":"Nvme0","ctrlrs":[{"state":"enabled","trid":{"trtype":"TCP","adrfam":"IPv4","traddr":"127.0.0.1","trsvcid":"{{{Disk.Port}}}","subnqn":"{{{Disk.Nqn}}}"},"cntlid":1,"host":{"nqn":"nqn.2026-11.io.spindle:host","addr":"","svcid":""}}]}]
            """;
        Assert.Equal(expected, await Nvme.CallAsync("bdev_nvme_get_controllers"));
        Assert.Equal(expected, await Nvme.CallAsync("bdev_nvme_get_controllers", """{"name":"Nvme0"}"""));
        var error = await Assert.ThrowsAsync<RpcException>(() => Nvme.CallAsync("bdev_nvme_get_controllers", """{"name":"Nvme7"}"""));
        Assert.Equal((22, "Controller Nvme7 does not exist"), (error.Code, error.Message));
    }

    [Fact]
    public async Task Paths_and_counters_are_listed_by_thread()
    {
        Assert.Equal("""{"poll_groups":[]}""", await Nvme.CallAsync("bdev_nvme_get_io_paths"));
        Assert.Equal("""{"poll_groups":[]}""", await Nvme.CallAsync("bdev_nvme_get_transport_statistics"));
        await AttachAsync();
        var client = await OpenAsync();
        await client.WriteBytesAsync(0, new byte[BlockSize]);
        Assert.Equal($$$"""
            {"poll_groups":[{"thread":"worker_0","io_paths":[{"bdev_name":"Nvme0n1","cntlid":1,"current":true,"connected":true,"accessible":true,"transport":{"trtype":"TCP","traddr":"127.0.0.1","trsvcid":"{{{Disk.Port}}}","adrfam":"IPv4"}}]}]}
            """, await Nvme.CallAsync("bdev_nvme_get_io_paths", """{"name":"Nvme0n1"}"""));
        Assert.Equal("""{"poll_groups":[]}""", await Nvme.CallAsync("bdev_nvme_get_io_paths", """{"name":"Nvme0n2"}"""));
        var transport = (await CallAsync("bdev_nvme_get_transport_statistics")).GetProperty("poll_groups")[0].GetProperty("transports")[0];
        Assert.Equal("TCP", transport.GetProperty("trname").GetString());
        // The connect command and the write.
        Assert.Equal((2, 2), (transport.GetProperty("submitted_requests").GetInt32(), transport.GetProperty("nvme_completions").GetInt32()));
    }

    [Fact]
    public async Task Health_is_told()
    {
        await AttachAsync();
        var health = await CallAsync("bdev_nvme_get_controller_health_info", """{"name":"Nvme0"}""");
        Assert.Equal(Disk.Name, health.GetProperty("serial_number").GetString());
        Assert.Equal("127.0.0.1", health.GetProperty("traddr").GetString());
        Assert.Equal(21, health.EnumerateObject().Count());
        var error = await Assert.ThrowsAsync<RpcException>(() => Nvme.CallAsync("bdev_nvme_get_controller_health_info", """{"name":"Nvme7"}"""));
        Assert.Equal(RpcErrorCode.InternalError, error.Code);
        Assert.StartsWith("Device not found", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trtype", "RDMA", Errno.EINVAL, "Failed to parse trtype: RDMA")]
    [InlineData("traddr", "example.org", Errno.EINVAL, "traddr")]
    [InlineData("trsvcid", "70000", Errno.EINVAL, "trsvcid")]
    [InlineData("adrfam", "ib", Errno.EINVAL, "Failed to parse adrfam: ib")]
    [InlineData("adrfam", "IPv6", Errno.EINVAL, "adrfam")]
    [InlineData("subnqn", "nonsense", Errno.EINVAL, "subnqn")]
    [InlineData("multipath", "both", Errno.EINVAL, "multipath")]
    [InlineData("psk", "key0", Errno.ENOTSUP, "psk")]
    [InlineData("hostaddr", "127.0.0.2", Errno.ENOTSUP, "hostaddr")]
    public async Task A_parameter_that_is_not_valid_is_named(string member, string value, int errno, string text)
    {
        string[] members = [.. new[] { ("name", "Nvme0"), ("trtype", "TCP"), ("traddr", "127.0.0.1"), ("trsvcid", $"{Disk.Port}"), ("subnqn", Disk.Nqn) }
            .Where(m => m.Item1 != member).Append((member, value)).Select(m => $"\"{m.Item1}\":\"{m.Item2}\"")];
        var error = await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_attach_controller", $"{{{string.Join(',', members)}}}"));
        Assert.Equal(errno, error.Errno);
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
        Assert.Equal("[]", await Nvme.CallAsync("bdev_nvme_get_controllers"));
    }

    [Theory]
    [InlineData(",\"num_io_queues\":0", "num_io_queues out of bounds")]
    [InlineData(",\"max_bdevs\":0", "max_bdevs cannot be zero")]
    [InlineData(",\"reconnect_delay_sec\":1", "must be 0 when ctrlr_loss_timeout_sec is 0")]
    [InlineData(",\"ctrlr_loss_timeout_sec\":5", "reconnect_delay_sec must not be 0")]
    [InlineData(",\"ctrlr_loss_timeout_sec\":5,\"reconnect_delay_sec\":6", "is more than ctrlr_loss_timeout_sec")]
    [InlineData(",\"ctrlr_loss_timeout_sec\":-1,\"reconnect_delay_sec\":3,\"fast_io_fail_timeout_sec\":2", "is more than fast_io_fail_timeout_sec")]
    public async Task A_number_that_does_not_fit_is_refused(string more, string text)
    {
        var error = await Assert.ThrowsAsync<SpindleException>(() => AttachAsync(more: more));
        Assert.Equal(Errno.EINVAL, error.Errno);
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_connected_says_why_and_leaves_nothing()
    {
        var refused = await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_attach_controller", Disk.Attach("Nvme0", at: ServedDisks.FreePort())));
        Assert.Equal(Errno.EIO, refused.Errno);
        Assert.Contains("cannot be attached", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_attach_controller", Disk.Attach("Nvme0").Replace(Disk.Nqn, Disk.Nqn + "x", StringComparison.Ordinal)));
        Assert.Equal("[]", await Nvme.CallAsync("bdev_nvme_get_controllers"));
    }

    [Fact]
    public async Task The_same_path_twice_and_multipath_disabled_are_refused_in_SPDKs_words()
    {
        await AttachAsync();
        var twice = await Assert.ThrowsAsync<SpindleException>(() => AttachAsync());
        Assert.Equal((Errno.EALREADY, "A controller named Nvme0 already exists with the specified network path"), (twice.Errno, twice.Message));
        var disabled = await Assert.ThrowsAsync<SpindleException>(() => AttachAsync(NewProxy(), ""","multipath":"disable" """));
        Assert.Equal((Errno.EALREADY, "A controller named Nvme0 already exists and multipath is disabled"), (disabled.Errno, disabled.Message));
        var host = await Assert.ThrowsAsync<SpindleException>(() => AttachAsync(NewProxy(), ""","hostnqn":"nqn.2026-11.io.spindle:other" """));
        Assert.StartsWith("A controller named Nvme0 already exists, but uses a different hostnqn", host.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_there_is_not_there()
    {
        foreach (string method in new[] { "detach", "reset", "enable", "disable" })
        {
            var error = await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync($"bdev_nvme_{method}_controller", """{"name":"Nvme7"}"""));
            Assert.Equal(Errno.ENODEV, error.Errno);
        }
        await AttachAsync();
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Nvme0","traddr":"127.0.0.9"}"""))).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_reset_controller", """{"name":"Nvme0","cntlid":77}"""))).Errno);
    }

    [Fact]
    public async Task Options_have_SPDKs_defaults_are_saved_and_are_not_changed_under_a_controller()
    {
        var saved = await SavedAsync();
        Assert.Equal("bdev_nvme_set_options action_on_timeout=none timeout_us=0 timeout_admin_us=0 keep_alive_timeout_ms=10000 arbitration_burst=0 low_priority_weight=0 " +
            "medium_priority_weight=0 high_priority_weight=0 nvme_adminq_poll_period_us=10000 nvme_ioq_poll_period_us=0 io_queue_requests=0 delay_cmd_submit=true " +
            "transport_retry_count=4 bdev_retry_count=3 transport_ack_timeout=0 ctrlr_loss_timeout_sec=0 reconnect_delay_sec=0 fast_io_fail_timeout_sec=0 " +
            "disable_auto_failback=false generate_uuids=false transport_tos=0 nvme_error_stat=false rdma_srq_size=0 io_path_stat=false allow_accel_sequence=false " +
            "rdma_max_cq_size=0 rdma_cm_event_timeout_ms=0 dhchap_digests=[ sha256 sha384 sha512 ] dhchap_dhgroups=[ null ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192 ] " +
            "rdma_umr_per_io=false tcp_connect_timeout_ms=0 enable_flush=true", Assert.Single(saved));
        await Nvme.CallAsync("bdev_nvme_set_options", """{"bdev_retry_count":5,"ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":2}""");
        Assert.Contains("bdev_retry_count=5", (await SavedAsync())[0], StringComparison.Ordinal);
        foreach (string wrong in new[] { """{"timeout_admin_us":5}""", """{"bdev_retry_count":-2}""", """{"ctrlr_loss_timeout_sec":1}""" })
            Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_set_options", wrong))).Errno);
        Assert.Equal(RpcErrorCode.InternalError, (await Assert.ThrowsAsync<RpcException>(() => Nvme.CallAsync("bdev_nvme_set_options", """{"action_on_timeout":"panic"}"""))).Code);
        await AttachAsync();
        var error = await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_set_options", "{}"));
        Assert.Equal(Errno.EPERM, error.Errno);
        Assert.StartsWith("RPC not permitted with nvme controllers already attached", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hotplug_is_accepted_when_it_is_off()
    {
        Assert.Equal("true", await Nvme.CallAsync("bdev_nvme_set_hotplug", """{"period_us":100000,"enable":false}"""));
        Assert.Equal(Errno.ENOTSUP, (await Assert.ThrowsAsync<SpindleException>(() => Nvme.CallAsync("bdev_nvme_set_hotplug", """{"enable":true}"""))).Errno);
    }

    [Fact]
    public async Task What_is_saved_brings_the_same_back()
    {
        await AttachAsync(more: ""","hdgst":true,"ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":2,"num_io_queues":4""");
        await Nvme.CallAsync("bdev_nvme_set_multipath_policy", """{"name":"Nvme0n1","policy":"active_active","rr_min_io":4}""");
        var saved = await SavedAsync();
        Assert.Equal(3, saved.Count);
        Assert.Contains($"trsvcid={Disk.Port} subnqn={Disk.Nqn} prchk_reftag=false prchk_guard=false ctrlr_loss_timeout_sec=-1 reconnect_delay_sec=2 fast_io_fail_timeout_sec=0 hostnqn=", saved[1], StringComparison.Ordinal);
        Assert.EndsWith("hdgst=true ddgst=false multipath=multipath fabrics_connect_timeout_us=0 num_io_queues=4", saved[1], StringComparison.Ordinal);
        Assert.Equal("bdev_nvme_set_multipath_policy name=Nvme0n1 policy=active_active selector=round_robin rr_min_io=4", saved[2]);
        string hostnqn = saved[1].Split(' ').Single(word => word.StartsWith("hostnqn=", StringComparison.Ordinal))["hostnqn=".Length..];
        await Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Nvme0"}""");
        await AttachAsync(more: $$""","hdgst":true,"ddgst":false,"ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":2,"num_io_queues":4,"multipath":"multipath","hostnqn":"{{hostnqn}}" """);
        await Nvme.CallAsync("bdev_nvme_set_multipath_policy", """{"name":"Nvme0n1","policy":"active_active","selector":"round_robin","rr_min_io":4}""");
        Assert.Equal(saved, await SavedAsync());
    }

    private async Task<IReadOnlyList<string>> SavedAsync()
    {
        var writer = new SavedCalls();
        await Host.OnAppAsync(() => Nvme.Module.WriteConfig(writer));
        return writer.Calls;
    }
}
