using System.Diagnostics;
using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Upgrades;

/// <summary>Modules come and go many times, and nothing stays: no code, no thread, no descriptor, no memory.</summary>
public sealed class ChurnTests : IDisposable
{
    private readonly ModulesOnDisk _modules = new();

    public void Dispose() => _modules.Dispose();

    private Task<SpindleHost> StartAsync(params AppModule[] modules) => SpindleHost.StartAsync(new SpindleHostOptions
    {
        ModuleFolders = [_modules.Root], Modules = modules, CoreCount = 2, Iobuf = new() { SmallPoolCount = 512, LargePoolCount = 64 },
    });

    private readonly record struct Footprint(int Contexts, int Threads, int Descriptors, long HeapBytes, long ResidentBytes)
    {
        public static Footprint Now()
        {
            for (int i = 0; i < 3; i++)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                GC.WaitForPendingFinalizers();
            }
            using var process = Process.GetCurrentProcess();
            return new Footprint(System.Runtime.Loader.AssemblyLoadContext.All.Count(c => c.IsCollectible), process.Threads.Count,
                Directory.Exists("/proc/self/fd") ? Directory.GetFiles("/proc/self/fd").Length : 0, GC.GetTotalMemory(true), process.WorkingSet64);
        }
    }

    [Theory]
    [InlineData(50)]
    [InlineData(1000)]
    [Trait("Category", "Slow")]
    public async Task Loading_and_unloading_leaves_nothing(int cycles)
    {
        _modules.Add("bdev-malloc", "0.1.0");
        await using var host = await StartAsync();
        await CycleAsync(host, 10);
        var before = Footprint.Now();
        await CycleAsync(host, cycles);
        Check(before, cycles);
    }

    private static async Task CycleAsync(SpindleHost host, int cycles)
    {
        for (int i = 0; i < cycles; i++)
        {
            await host.CallAsync("module_load", """{ "name": "bdev-malloc" }""");
            await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 2048, "block_size": 512 }""");
            Assert.Contains("\"code_unloaded\":true", await host.CallAsync("module_unload", """{ "name": "bdev-malloc" }"""));
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    [Trait("Category", "Slow")]
    public async Task Upgrades_under_load_leave_nothing(int upgrades)
    {
        _modules.Add("bdev-malloc", "0.1.0", "0.2.0");
        await using var host = await StartAsync(new AppModule("bdev-malloc", VersionRange.TryParse("0.1.0", out var v) ? v : VersionRange.Any));
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await using var load = await Load.StartAsync(host, "M0", 128);
        var pauses = new List<double>();
        await UpgradeAsync(host, 4, []);
        var before = Footprint.Now();
        await UpgradeAsync(host, upgrades, pauses);
        Check(before, upgrades);
        await load.StopAsync();
        Assert.Null(load.Problem);
        pauses.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine($"{upgrades} upgrades, {load.Completed} I/Os: pause {pauses[pauses.Count / 2]:0.00} ms at the median, {pauses[^1]:0.00} ms at most");
    }

    private static async Task UpgradeAsync(SpindleHost host, int upgrades, List<double> pauses)
    {
        for (int i = 0; i < upgrades; i++)
        {
            var reply = JsonDocument.Parse(await host.CallAsync("module_upgrade", $$"""{ "name": "bdev-malloc", "version": "0.{{(i % 2 == 0 ? 2 : 1)}}.0" }""")).RootElement;
            Assert.True(reply.GetProperty("old_code_unloaded").GetBoolean(), $"round {i}");
            pauses.Add(reply.GetProperty("pause_us").GetUInt64() / 1000.0);
        }
    }

    private static void Check(Footprint before, int rounds)
    {
        var after = Footprint.Now();
        TestContext.Current.TestOutputHelper?.WriteLine($"{rounds} rounds: {before} became {after}");
        Assert.True(after.Contexts <= before.Contexts, $"{after.Contexts} load contexts live, {before.Contexts} before");
        // The thread pool's own threads come and go.
        Assert.InRange(after.Threads, 0, before.Threads + 6);
        Assert.InRange(after.Descriptors, 0, before.Descriptors + 8);
        Assert.InRange(after.HeapBytes, 0, before.HeapBytes + (4 << 20));
        Assert.InRange(after.ResidentBytes, 0, before.ResidentBytes + (48L << 20) + rounds * 16L * 1024);
    }
}
