using Spindle.Host.Faults;
using Spindle.PluginTests.Support;
using Spindle.Rpc;

namespace Spindle.PluginTests.Faults;

/// <summary>A plugin goes wrong in each way there is: it is named, its bdevs go, and a bdev beside it does not notice.</summary>
public sealed class ContainedFaultTests
{
    [Theory]
    [InlineData("poller", "poller 'faulty poller'")]
    [InlineData("message", "message")]
    [InlineData("async-void", "message on storage thread app_thread")]
    [InlineData("async-void-pool", "threw on a thread where nobody catches")]
    [InlineData("own-thread", "threw on a thread where nobody catches")]
    [InlineData("thread-pool", "threw on a thread where nobody catches")]
    public async Task An_exception_outside_of_io_marks_the_module_and_removes_its_bdevs(string what, string logged)
    {
        await using var host = await FaultyHost.StartAsync();
        await host.LoadAsync();
        await using var load = await Load.StartAsync(host.Host, "Other0", 16);
        await host.ArmAsync(what);
        await host.UntilFaultyAsync();
        await host.UntilGoneAsync("Faulty0");
        Assert.True(host.Log.Has(logged, "bdev-faulty 1.0.0", "on purpose"), string.Join("\n", host.Log.Lines));
        Assert.Contains("on purpose", (await host.ModuleAsync()).GetProperty("problem").GetString());
        await EndAsync(host, load);
    }

    [Theory]
    [InlineData("submit", "Faulty0")]
    [InlineData("completion", "Other0")]
    public async Task An_exception_for_an_io_fails_that_io_and_marks_the_module(string what, string named)
    {
        await using var host = await FaultyHost.StartAsync();
        await host.LoadAsync();
        await using var load = await Load.StartAsync(host.Host, "Other0", 16);
        await host.ArmAsync(what);
        var result = await host.ReadAsync("Faulty0");
        if (what == "submit") Assert.Equal(Errno.EIO, result.ErrorNumber);
        await host.UntilFaultyAsync();
        await host.UntilGoneAsync("Faulty0");
        Assert.True(host.Log.Has("bdev-faulty 1.0.0", named, "on purpose"), string.Join("\n", host.Log.Lines));
        await EndAsync(host, load);
    }

    [Fact]
    public async Task An_exception_in_an_rpc_fails_the_call_and_marks_the_module()
    {
        await using var host = await FaultyHost.StartAsync();
        await host.LoadAsync();
        var error = await Assert.ThrowsAsync<RpcException>(() => host.ArmAsync("rpc"));
        Assert.Equal(RpcErrorCode.InternalError, error.Code);
        await host.UntilFaultyAsync();
        await host.UntilGoneAsync("Faulty0");
        Assert.True(host.Log.Has("faulty_arm", "bdev-faulty", "on purpose"));
    }

    [Fact]
    public async Task By_policy_an_exception_in_an_rpc_is_only_that_calls()
    {
        await using var host = await FaultyHost.StartAsync(new FaultOptions { RpcFaults = false });
        await host.LoadAsync();
        await Assert.ThrowsAsync<RpcException>(() => host.ArmAsync("rpc"));
        Assert.True((await host.ReadAsync("Faulty0")).IsSuccess);
        Assert.Equal("running", (await host.ModuleAsync()).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("twice", "a second time")]
    [InlineData("late", "too late")]
    [InlineData("wrong-thread", "on the wrong thread")]
    public async Task A_bad_completion_is_counted_and_harms_nothing(string what, string logged)
    {
        await using var host = await FaultyHost.StartAsync();
        await host.LoadAsync();
        await host.ArmAsync(what);
        for (int i = 0; i < 10; i++) Assert.True((await host.ReadAsync("Faulty0")).IsSuccess);
        await host.UntilAsync(h => h.GetProperty("modules").EnumerateArray().Any(m => m.GetProperty("bad_completions").GetUInt64() >= 10), "10 bad completions");
        Assert.True(host.Log.Has(logged, "bdev-faulty 1.0.0", "Faulty0"));
        Assert.Equal("running", (await host.ModuleAsync()).GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_stop_that_throws_does_not_keep_the_module()
    {
        await using var host = await FaultyHost.StartAsync();
        await host.LoadAsync();
        await host.ArmAsync("stop");
        Assert.Contains("\"code_unloaded\":true", await host.Host.CallAsync("module_unload", """{ "name": "bdev-faulty" }"""));
        Assert.True(host.Log.Has("StopAsync", "bdev-faulty 1.0.0", "on purpose"));
    }

    [Theory]
    [InlineData("", "1.0.1-constructor", -1020, "its constructor failed")]
    [InlineData("throw-initialize", "1.0.0", -1020, "could not be started")]
    [InlineData("hang-initialize", "1.0.0", -1024, "did not start within")]
    public async Task A_module_that_does_not_come_up_is_refused_with_its_code(string what, string version, int code, string message)
    {
        await using var host = await FaultyHost.StartAsync();
        host.Host.Modules.StartTimeout = TimeSpan.FromMilliseconds(300);
        var error = await Assert.ThrowsAsync<RpcException>(() => host.LoadAsync(what, version));
        Assert.Contains(message, error.Message);
        Assert.Equal(code, error.Code);
        Assert.Null(host.Host.Modules.Find("bdev-faulty"));
        // The name is free for one that works.
        await host.LoadAsync();
        Assert.True((await host.ReadAsync("Faulty0")).IsSuccess);
    }

    [Fact]
    public async Task A_context_that_is_held_is_named()
    {
        await using var host = await FaultyHost.StartAsync();
        host.Host.Modules.UnloadTimeout = TimeSpan.FromMilliseconds(300);
        await host.LoadAsync();
        await host.ArmAsync("leak");
        Assert.Contains("\"code_unloaded\":false", await host.Host.CallAsync("module_unload", """{ "name": "bdev-faulty" }"""));
        Assert.Equal("bdev-faulty 1.0.0", (await host.HealthAsync()).GetProperty("unloaded_but_held")[0].GetString());
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task The_99th_percentile_of_another_bdev_does_not_notice()
    {
        await using var host = await FaultyHost.StartAsync();
        await RunAsync(host, fault: false); // compiles
        var calm = await RunAsync(host, fault: false);
        var beside = await RunAsync(host, fault: true);
        TestContext.Current.TestOutputHelper?.WriteLine($"p99 {calm.TotalMicroseconds:0} us without, {beside.TotalMicroseconds:0} us beside a module that faults, is removed and unloaded");
        // Noise of a shared machine, not a bound of the host's.
        Assert.InRange(beside.TotalMilliseconds, 0, calm.TotalMilliseconds * 3 + 5);
    }

    private static async Task<TimeSpan> RunAsync(FaultyHost host, bool fault)
    {
        await using var load = await Load.StartAsync(host.Host, "Other0", 32);
        await Task.Delay(100);
        load.Latencies = [];
        if (fault)
        {
            await host.LoadAsync();
            await host.ArmAsync("submit");
            Assert.Equal(Errno.EIO, (await host.ReadAsync("Faulty0")).ErrorNumber);
            await host.UntilGoneAsync("Faulty0");
            await host.Host.CallAsync("module_unload", """{ "name": "bdev-faulty", "force": true }""");
        }
        await Task.Delay(1000);
        await load.StopAsync();
        Assert.Null(load.Problem);
        var sorted = load.Latencies.Order().ToList();
        return TimeSpan.FromSeconds(sorted[sorted.Count * 99 / 100] / (double)System.Diagnostics.Stopwatch.Frequency);
    }

    private static async Task EndAsync(FaultyHost host, Load load)
    {
        long seen = load.Completed;
        await Task.Delay(50);
        await load.StopAsync();
        Assert.True(load.Completed > seen, "the other bdev's I/O has stopped");
        Assert.Null(load.Problem);
        Assert.Equal("running", (await host.ModuleAsync("bdev-malloc")).GetProperty("state").GetString());
        // It may go, and its code with it.
        Assert.Contains("\"code_unloaded\":true", await host.Host.CallAsync("module_unload", """{ "name": "bdev-faulty", "force": true }"""));
    }
}
