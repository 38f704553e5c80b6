using Spindle.Host.Faults;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Faults;

/// <summary>Plugins that take too long, for ever, or too much: the watchers name them, and do what the policy says.</summary>
public sealed class WatchdogTests
{
    private static readonly FaultOptions s_quick = new() { HoldLimit = TimeSpan.FromMilliseconds(100), HangLimit = TimeSpan.FromMilliseconds(300), IoTimeout = TimeSpan.FromMilliseconds(200) };

    [Theory]
    [InlineData("block-poller", "poller 'slow poller' of module bdev-faulty 1.0.0")]
    [InlineData("block-submit", "submit to bdev 'Faulty0' of module bdev-faulty 1.0.0")]
    public async Task What_holds_a_reactor_is_logged_by_name(string what, string named)
    {
        await using var host = await FaultyHost.StartAsync(s_quick with { HangLimit = TimeSpan.FromSeconds(30) });
        await host.LoadAsync();
        await host.ArmAsync(what);
        if (what == "block-submit") Assert.True((await host.ReadAsync("Faulty0")).IsSuccess);
        await host.Log.WaitForAsync("is held for more than", named);
        await host.Log.WaitForAsync("goes on", named);
        var health = await host.HealthAsync();
        var longest = health.GetProperty("reactors").EnumerateArray().MaxBy(r => r.GetProperty("longest_ms").GetUInt64());
        Assert.Equal("bdev-faulty 1.0.0", longest.GetProperty("longest_by").GetProperty("module").GetString());
        Assert.Equal("running", (await host.ModuleAsync()).GetProperty("state").GetString());
    }

    [Fact]
    public async Task One_that_never_returns_is_named_while_it_holds_the_app_thread()
    {
        await using var host = await FaultyHost.StartAsync(s_quick, cores: 1);
        await host.LoadAsync();
        var entry = host.Host.Modules.Find("bdev-faulty")!.Instance!;
        await host.ArmAsync("hang");
        var read = host.ReadAsync("Faulty0");
        var health = await host.UntilAsync(h => h.GetProperty("status").GetString() == "hung", "a reactor hangs");
        var held = health.GetProperty("reactors")[0].GetProperty("held_by");
        Assert.Equal("bdev-faulty 1.0.0", held.GetProperty("module").GetString());
        Assert.Equal("submit to bdev 'Faulty0'", held.GetProperty("what").GetString());
        // So that the test ends: nothing else brings the thread back.
        entry.GetType().GetProperty("Do")!.SetValue(entry, "");
        Assert.True((await read).IsSuccess);
        await host.UntilFaultyAsync();
    }

    [Theory]
    [InlineData("keep-until-abort", IoTimeoutAction.Abort, "They are aborted")]
    [InlineData("keep-until-reset", IoTimeoutAction.Reset, "The bdev is reset")]
    [InlineData("never", IoTimeoutAction.Remove, "The bdev is removed")]
    public async Task Io_that_is_never_completed_ends_by_policy(string what, IoTimeoutAction action, string logged)
    {
        await using var host = await FaultyHost.StartAsync(s_quick with { OnIoTimeout = action });
        await host.LoadAsync();
        await host.ArmAsync(what);
        await using var load = await Load.StartAsync(host.Host, "Faulty0", 4);
        await host.UntilAsync(h => h.GetProperty("stuck_io").GetArrayLength() > 0, "stuck I/O is named");
        await host.Log.WaitForAsync(logged, "bdev-faulty 1.0.0", "Faulty0");
        if (action == IoTimeoutAction.Remove)
        {
            await host.UntilGoneAsync("Faulty0");
            Assert.True(load.RemoveCame);
        }
        else
        {
            for (int i = 0; i < 500 && load.Errors < 4; i++) await Task.Delay(10);
            Assert.InRange(load.Errors, 4, long.MaxValue);
            await host.ArmAsync("");
        }
    }

    [Fact]
    public async Task Buffers_of_io_that_was_failed_are_not_used_again_until_the_module_is_gone()
    {
        await using var host = await FaultyHost.StartAsync(s_quick with { OnIoTimeout = IoTimeoutAction.Remove });
        await host.LoadAsync();
        await host.ArmAsync("never");
        int free = 0;
        await host.Host.InvokeAsync(async () =>
        {
            var iobuf = host.Host.Iobuf.CreateChannel("test", 1, 1);
            Assert.True(iobuf.TryGet(4096, out var lent));
            var done = new TaskCompletionSource<Spindle.Bdevs.BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            var removed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var disk = host.Host.Bdevs.Open("Faulty0", true, static (_, _, state) => ((TaskCompletionSource)state!).TrySetResult(), removed);
            var channel = disk.GetChannel();
            Assert.Equal(0, channel.Read([lent.Slice(0, 512)], 0, 1, static (object? s, in Spindle.Bdevs.BdevIoResult r) =>
                ((TaskCompletionSource<Spindle.Bdevs.BdevIoResult>)s!).TrySetResult(r), done));
            Assert.Equal(Errno.EIO, (await done.Task).ErrorNumber);
            iobuf.Put(lent);
            channel.Put();
            disk.Close();
            // Every buffer of the pool but that one can be had.
            var seen = new List<Spindle.Memory.IoVec>();
            while (iobuf.TryGet(4096, out var buffer)) seen.Add(buffer);
            Assert.DoesNotContain(seen, b => b.Address == lent.Address);
            free = seen.Count;
            foreach (var buffer in seen) iobuf.Put(buffer);
            iobuf.Dispose();
        });
        Assert.Equal(1UL, (await host.ModuleAsync()).GetProperty("quarantined_ios").GetUInt64());
        await host.UntilGoneAsync("Faulty0");
        Assert.Contains("\"code_unloaded\":true", await host.Host.CallAsync("module_unload", """{ "name": "bdev-faulty", "force": true }"""));
        // It comes back when the module's last object is gone, on which nobody waits.
        int back = 0;
        for (int i = 0; i < 100 && back != free + 1; i++)
        {
            if (i > 0) await Task.Delay(100);
            await host.Host.InvokeAsync(() =>
            {
                var iobuf = host.Host.Iobuf.CreateChannel("test", 1, 1);
                var seen = new List<Spindle.Memory.IoVec>();
                while (iobuf.TryGet(4096, out var buffer)) seen.Add(buffer);
                back = seen.Count;
                foreach (var buffer in seen) iobuf.Put(buffer);
                iobuf.Dispose();
                return Task.CompletedTask;
            });
        }
        Assert.True(free + 1 == back, $"{back} buffers of {free + 1}; {Spindle.Host.Memory.BufferQuarantine.Count} in quarantine");
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Unbounded_allocation_is_reported_with_the_modules_name()
    {
        await using var host = await FaultyHost.StartAsync(new FaultOptions { HeapLimit = GC.GetTotalMemory(false) + (32 << 20) });
        await host.LoadAsync();
        await host.ArmAsync("allocate");
        await host.Log.WaitForAsync("The managed heap has", "module bdev-faulty 1.0.0, poller 'greedy poller'");
        await host.UntilAsync(h => h.GetProperty("memory").GetProperty("allocators").EnumerateArray().Any(a =>
            a.GetProperty("module").GetString() == "bdev-faulty 1.0.0"), "the module is among the allocators");
    }
}
