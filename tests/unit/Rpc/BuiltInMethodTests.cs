using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Spindle.Bdevs;
using Spindle.Host.Logging;
using Spindle.Host.Modules;
using Spindle.Host.Notifications;
using Spindle.Host.Rpc;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Rpc;

/// <summary>The host's own methods, called as clients call them, on real reactors and a real bdev layer.</summary>
public sealed class BuiltInMethodTests : IAsyncLifetime
{
    private HostMethods _methods = null!;
    private BdevHost _host = null!;
    private ServiceProvider _services = null!;
    private RpcDispatcher _rpc = null!;
    private IFrameworkLifecycle _lifecycle = null!;

    public async ValueTask InitializeAsync()
    {
        _methods = await HostMethods.StartAsync();
        (_host, _services, _rpc, _lifecycle) = (_methods.Host, _methods.Services, _methods.Rpc, _methods.Lifecycle);
    }

    public ValueTask DisposeAsync() => _methods.DisposeAsync();

    Task<JsonElement> CallAsync(string method, string? parameters = null) => _methods.CallAsync(method, parameters);

    Task<(int Code, string Message)> FailAsync(string method, string? parameters = null) => _methods.FailAsync(method, parameters);

    static string[] Members(JsonElement value) => [.. value.EnumerateObject().Select(m => m.Name)];

    Task AddAsync(Bdev bdev) => _methods.AddAsync(bdev);

    [Fact]
    public async Task The_version_is_that_of_the_rpcs()
    {
        var version = await CallAsync("spdk_get_version");
        Assert.StartsWith("SPDK v26.01", version.GetProperty("version").GetString());
        Assert.Equal("{\"major\":26,\"minor\":1,\"patch\":0,\"suffix\":\"\"}", version.GetProperty("fields").GetRawText());
        Assert.Equal((-32602, "spdk_get_version method requires no parameters"), await FailAsync("spdk_get_version", "{\"a\":1}"));
    }

    [Fact]
    public async Task Methods_are_listed_by_phase()
    {
        var all = (await CallAsync("rpc_get_methods")).EnumerateArray().Select(m => m.GetString()!).ToArray();
        Assert.Contains("bdev_set_options", all);
        var current = (await CallAsync("rpc_get_methods", "{\"current\":true,\"include_aliases\":true}")).EnumerateArray().Select(m => m.GetString()!).ToArray();
        Assert.DoesNotContain("bdev_set_options", current);
        Assert.Contains("bdev_get_bdevs", current);
        var (code, message) = await FailAsync("rpc_get_methods", "{\"current\":1}");
        Assert.Equal(-32602, code);
        Assert.StartsWith("Invalid parameters: params.current", message);
    }

    [Fact]
    public async Task Every_method_has_a_summary_and_so_has_every_parameter()
    {
        await Task.CompletedTask;
        foreach (var name in _rpc.Methods.Names())
        {
            Assert.True(_rpc.Methods.TryFind(name, out var method));
            Assert.False(string.IsNullOrWhiteSpace(method.Summary), name);
            Assert.All(method.Parameters, p => Assert.False(string.IsNullOrWhiteSpace(p.Summary), $"{name}.{p.Name}"));
        }
    }

    /// <summary>Zones that nobody does I/O on.</summary>
    private sealed class ZonedBdev : Bdev
    {
        public ZonedBdev(string name) : base(name, "Zoned disk", 512, 1024)
        {
            ZoneSizeBlocks = 256;
            MaxOpenZones = 3;
            OptimalOpenZones = 2;
        }

        public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement;

        protected override Spindle.Threading.IoChannel CreateChannel(Spindle.Threading.IStorageThread thread) => new MemoryBdev.Channel();

        public override void Submit(Spindle.Threading.IoChannel channel, BdevIo io) => io.Complete(io.Generation, BdevIoStatus.Success);
    }

    [Fact]
    public async Task A_zoned_bdev_is_shown_with_spdks_members_about_zones()
    {
        await AddAsync(new ZonedBdev("Z0"));
        var bdev = Assert.Single((await CallAsync("bdev_get_bdevs", "{\"name\":\"Z0\"}")).EnumerateArray());
        Assert.Equal(["claimed", "zoned", "zone_size", "max_open_zones", "optimal_open_zones", "supported_io_types"], Members(bdev).SkipWhile(name => name != "claimed").TakeWhile(name => name != "driver_specific"));
        Assert.True(bdev.GetProperty("zoned").GetBoolean());
        Assert.Equal((256, 3, 2), (bdev.GetProperty("zone_size").GetInt32(), bdev.GetProperty("max_open_zones").GetInt32(), bdev.GetProperty("optimal_open_zones").GetInt32()));
        Assert.Equal((true, true, false), (bdev.GetProperty("supported_io_types").GetProperty("get_zone_info").GetBoolean(),
            bdev.GetProperty("supported_io_types").GetProperty("zone_management").GetBoolean(), bdev.GetProperty("supported_io_types").GetProperty("zone_append").GetBoolean()));
    }

    [Fact]
    public async Task A_bdev_is_shown_with_spdks_members()
    {
        await AddAsync(new MemoryBdev("M0"));
        var bdev = Assert.Single((await CallAsync("bdev_get_bdevs", "{\"name\":\"M0\"}")).EnumerateArray());
        Assert.Equal(["name", "aliases", "product_name", "block_size", "num_blocks", "preferred_write_alignment", "preferred_write_granularity", "optimal_write_size",
            "preferred_unmap_alignment", "preferred_unmap_granularity", "uuid", "numa_id", "assigned_rate_limits", "claimed", "zoned", "supported_io_types", "driver_specific"], Members(bdev));
        Assert.Equal(bdev.GetProperty("uuid").GetString(), Assert.Single(bdev.GetProperty("aliases").EnumerateArray()).GetString());
        Assert.Equal((512, 1024), (bdev.GetProperty("block_size").GetInt32(), bdev.GetProperty("num_blocks").GetInt32()));
        var types = bdev.GetProperty("supported_io_types");
        Assert.Equal(22, Members(types).Length);
        Assert.True(types.GetProperty("read").GetBoolean());
        Assert.True(types.GetProperty("write_zeroes").GetBoolean()); // emulated
        Assert.False(types.GetProperty("unmap").GetBoolean());
        Assert.Equal("M0", Assert.Single((await CallAsync("bdev_get_bdevs", $"{{\"name\":\"{bdev.GetProperty("uuid").GetString()}\"}}")).EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_bdev_that_is_not_there_is_no_such_device_at_once_or_after_the_timeout()
    {
        var (code, message) = await FailAsync("bdev_get_bdevs", "{\"name\":\"nope\"}");
        Assert.Equal(-19, code);
        Assert.StartsWith("No such device", message);
        Assert.Equal(-19, (await FailAsync("bdev_get_bdevs", "{\"name\":\"nope\",\"timeout\":30}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_get_bdevs", "{\"name\":5}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_get_bdevs", "{\"timeout\":-1}")).Code);
    }

    [Fact]
    public async Task A_bdev_that_comes_in_time_is_waited_for()
    {
        var call = CallAsync("bdev_get_bdevs", "{\"name\":\"M1\",\"timeout\":60000}");
        await Task.Delay(30, TestContext.Current.CancellationToken);
        Assert.False(call.IsCompleted);
        await AddAsync(new MemoryBdev("M0"));
        await AddAsync(new MemoryBdev("M1"));
        Assert.Equal("M1", Assert.Single((await call.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task Counters_are_shown_and_reset()
    {
        await AddAsync(new MemoryBdev("M0"));
        await AddAsync(new MemoryBdev("M1"));
        await _host.RunAsync(async () =>
        {
            var descriptor = _host.Bdevs.Open("M0", true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            using (var buffer = _host.Environment.Memory.Allocate(4096))
            {
                await channel.ReadAsync([buffer.Slice(0, 1024)], 0, 2);
            }
            channel.Put();
            descriptor.Close();
        });
        var all = await CallAsync("bdev_get_iostat");
        Assert.Equal(["tick_rate", "ticks", "bdevs"], Members(all));
        var one = (await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"],\"reset_mode\":\"all\"}")).GetProperty("bdevs")[0];
        Assert.Equal(22, Members(one).Length);
        Assert.Equal((1, 1024), (one.GetProperty("num_read_ops").GetInt32(), one.GetProperty("bytes_read").GetInt32()));
        Assert.Equal(0, (await CallAsync("bdev_get_iostat", "{\"name\":\"M0\"}")).GetProperty("bdevs")[0].GetProperty("num_read_ops").GetInt32());
        Assert.Equal(["tick_rate", "ticks", "name", "channels"], Members(await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"],\"per_channel\":true}")));
        Assert.True((await CallAsync("bdev_reset_iostat", "{\"mode\":\"maxmin\"}")).GetBoolean());
        Assert.Equal(-22, (await FailAsync("bdev_get_iostat", "{\"per_channel\":true}")).Code);
        Assert.Equal(-22, (await FailAsync("bdev_get_iostat", "{\"name\":\"M0\",\"names\":[\"M1\"]}")).Code);
        Assert.Equal(-19, (await FailAsync("bdev_get_iostat", "{\"name\":\"nope\"}")).Code);
        Assert.Equal(-19, (await FailAsync("bdev_reset_iostat", "{\"name\":\"nope\"}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_reset_iostat", "{\"mode\":\"some\"}")).Code);
    }

    [Fact]
    public async Task Threads_and_reactors_are_shown_with_spdks_members()
    {
        var statistics = await CallAsync("thread_get_stats");
        var app = statistics.GetProperty("threads")[0];
        Assert.Equal(["name", "id", "cpumask", "busy", "idle", "active_pollers_count", "timed_pollers_count", "paused_pollers_count"], Members(app));
        Assert.Equal(("app_thread", "1"), (app.GetProperty("name").GetString(), app.GetProperty("cpumask").GetString()));
        await _host.RunAsync(() =>
        {
            var timed = _host.Threads.AppThread.RegisterPoller("timed", static _ => Spindle.Threading.PollResult.Idle, null, TimeSpan.FromSeconds(1));
            var active = _host.Threads.AppThread.RegisterPoller("active", static _ => Spindle.Threading.PollResult.Idle, null, wake: PollerWake.Events);
            active.Pause();
            return Task.CompletedTask;
        });
        var pollers = (await CallAsync("thread_get_pollers")).GetProperty("threads")[0];
        Assert.Equal(["name", "id", "active_pollers", "timed_pollers", "paused_pollers"], Members(pollers));
        Assert.Equal(["name", "id", "state", "run_count", "busy_count", "period_ticks"], Members(pollers.GetProperty("timed_pollers")[0]));
        Assert.Equal("paused", pollers.GetProperty("paused_pollers")[0].GetProperty("state").GetString());
        var reactors = await CallAsync("framework_get_reactors");
        Assert.Equal(["tick_rate", "pid", "reactors"], Members(reactors));
        Assert.Equal(2, reactors.GetProperty("reactors").GetArrayLength());
        Assert.Equal(["lcore", "tid", "busy", "idle", "in_interrupt", "irq", "sys", "usr", "lw_threads"], Members(reactors.GetProperty("reactors")[0]));
        Assert.Equal(["name", "id", "cpumask", "elapsed"], Members(reactors.GetProperty("reactors")[0].GetProperty("lw_threads")[0]));
        if (OperatingSystem.IsLinux())
        {
            Assert.NotEqual(0, reactors.GetProperty("reactors")[1].GetProperty("tid").GetInt32());
        }
        Assert.Equal((-32602, "'thread_get_stats' requires no arguments"), await FailAsync("thread_get_stats", "{}"));
        Assert.Equal((-32602, "`framework_get_reactors` requires no arguments"), await FailAsync("framework_get_reactors", "{}"));
    }

    [Fact]
    public async Task Log_levels_and_flags_are_changed()
    {
        var settings = _services.GetRequiredService<LogSettings>();
        settings.Flag("rpc");
        Assert.Equal("NOTICE", (await CallAsync("log_get_level")).GetString());
        Assert.True((await CallAsync("log_set_print_level", "{\"level\":\"debug\"}")).GetBoolean());
        Assert.Equal("DEBUG", (await CallAsync("log_get_print_level")).GetString());
        Assert.True((await CallAsync("log_set_level", "{\"level\":\"ERROR\"}")).GetBoolean());
        Assert.Equal(SpindleLogLevel.Error, settings.Level);
        var (code, message) = await FailAsync("log_set_level", "{\"level\":\"loud\"}");
        Assert.Equal(-32602, code);
        Assert.StartsWith("invalid log level", message);
        Assert.True((await CallAsync("log_set_flag", "{\"flag\":\"rpc\"}")).GetBoolean());
        Assert.True((await CallAsync("log_get_flags")).GetProperty("rpc").GetBoolean());
        Assert.True((await CallAsync("log_clear_flag", "{\"flag\":\"all\"}")).GetBoolean());
        Assert.False((await CallAsync("log_get_flags")).GetProperty("rpc").GetBoolean());
        Assert.StartsWith("invalid log flag", (await FailAsync("log_set_flag", "{\"flag\":\"nope\"}")).Message);
        Assert.Equal(-32603, (await FailAsync("log_set_flag")).Code);
    }

    [Fact]
    public async Task Notifications_are_read_from_an_id_on()
    {
        var ring = _services.GetRequiredService<NotificationRing>();
        ring.Notify("bdev_register", "M0");
        ring.Notify("bdev_unregister", "M0");
        Assert.Equal("[\"bdev_unregister\",\"bdev_register\"]", (await CallAsync("notify_get_types")).GetRawText());
        Assert.Equal("[{\"type\":\"bdev_unregister\",\"ctx\":\"M0\",\"id\":1}]", (await CallAsync("notify_get_notifications", "{\"id\":1,\"max\":5}")).GetRawText());
        Assert.Equal(2, (await CallAsync("notify_get_notifications")).GetArrayLength());
        Assert.Equal((-32602, "No parameters required"), await FailAsync("notify_get_types", "{}"));
        Assert.StartsWith("Invalid argument", (await FailAsync("notify_get_notifications", "{\"id\":-1}")).Message);
    }

    [Fact]
    public async Task Options_are_set_before_initialization_only()
    {
        Assert.Equal(-1, (await FailAsync("bdev_set_options", "{}")).Code);
        _rpc.Methods.Phase = RpcPhase.Startup;
        Assert.True((await CallAsync("bdev_set_options", "{\"bdev_io_pool_size\":5000,\"bdev_auto_examine\":false}")).GetBoolean());
        var (code, message) = await FailAsync("bdev_set_options", "{\"bdev_io_pool_size\":100}");
        Assert.Equal(-32602, code);
        Assert.StartsWith("Pool size 100 too small for cache size 256", message);
        Assert.True((await CallAsync("iobuf_set_options", "{\"small_pool_count\":2048,\"enable_numa\":false}")).GetBoolean());
        Assert.Equal(-22, (await FailAsync("iobuf_set_options", "{\"small_bufsize\":5}")).Code);
        Assert.Equal(-22, (await FailAsync("iobuf_set_options", "{\"enable_numa\":true}")).Code);
        Assert.Equal(-32602, (await FailAsync("iobuf_set_options", "{\"small_bufsize\":\"x\"}")).Code);
        _rpc.Methods.Phase = RpcPhase.Runtime;
        var saved = await CallAsync("framework_get_config", "{\"name\":\"bdev\"}");
        Assert.Equal(["bdev_set_options", "bdev_wait_for_examine"], saved.EnumerateArray().Select(c => c.GetProperty("method").GetString()));
        Assert.Equal(5000, saved[0].GetProperty("params").GetProperty("bdev_io_pool_size").GetInt32());
        Assert.Equal(2048, (await CallAsync("framework_get_config", "{\"name\":\"iobuf\"}"))[0].GetProperty("params").GetProperty("small_pool_count").GetInt32());
        Assert.Equal((-32602, "Subsystem 'nope' not found"), await FailAsync("framework_get_config", "{\"name\":\"nope\"}"));
        Assert.Equal("[{\"subsystem\":\"iobuf\",\"depends_on\":[]},{\"subsystem\":\"bdev\",\"depends_on\":[\"iobuf\"]}]", (await CallAsync("framework_get_subsystems")).GetRawText());
    }

    [Fact]
    public async Task Examination_is_denied_by_pattern_which_is_saved()
    {
        _rpc.Methods.Phase = RpcPhase.Startup;
        Assert.True((await CallAsync("bdev_set_options", """{"examine_deny":["Disk?","backup-*"]}""")).GetBoolean());
        var (code, message) = await FailAsync("bdev_set_options", """{"examine_deny":["a",""]}""");
        Assert.Equal(-32602, code);
        Assert.Contains("examine_deny", message);
        _rpc.Methods.Phase = RpcPhase.Runtime;
        var saved = await CallAsync("framework_get_config", "{\"name\":\"bdev\"}");
        Assert.Equal("""["Disk?","backup-*"]""", saved[0].GetProperty("params").GetProperty("examine_deny").GetRawText());
    }

    [Fact]
    public async Task Examination_is_asked_for_and_waited_for()
    {
        Assert.True((await CallAsync("bdev_wait_for_examine")).GetBoolean());
        Assert.Equal(-22, (await FailAsync("bdev_examine", "{\"name\":\"M0\"}")).Code);
        _host.Registry.Options = _host.Registry.Options with { AutoExamine = false };
        Assert.True((await CallAsync("bdev_examine", "{\"name\":\"M0\"}")).GetBoolean());
        Assert.Equal(-17, (await FailAsync("bdev_examine", "{\"name\":\"M0\"}")).Code);
        Assert.Equal(-32602, (await FailAsync("bdev_examine")).Code);
        Assert.Equal(JsonValueKind.Array, (await CallAsync("iobuf_get_stats")).ValueKind);
    }

    [Fact]
    public async Task Life_is_the_hosts()
    {
        _lifecycle.WaitInitAsync().Returns(Task.CompletedTask);
        _lifecycle.StartInitAsync().Returns(Task.CompletedTask);
        Assert.True((await CallAsync("framework_wait_init")).GetBoolean());
        Assert.Equal(-1, (await FailAsync("framework_start_init")).Code);
        Assert.True((await CallAsync("spdk_kill_instance", "{\"sig_name\":\"SIGTERM\"}")).GetBoolean());
        Assert.True((await CallAsync("spdk_kill_instance", "{\"sig_name\":\"2\"}")).GetBoolean());
        _lifecycle.Received(1).RequestShutdown("SIGTERM");
        _lifecycle.Received(1).RequestShutdown("SIGINT");
        Assert.StartsWith("Invalid parameters", (await FailAsync("spdk_kill_instance", "{\"sig_name\":\"SIGNOPE\"}")).Message);
        Assert.Equal(-32602, (await FailAsync("spdk_kill_instance")).Code);
        _rpc.Methods.Phase = RpcPhase.Startup;
        Assert.True((await CallAsync("framework_start_init")).GetBoolean());
        await _lifecycle.Received(1).StartInitAsync();
    }
}
