using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Upgrades;

/// <summary>Modules are exchanged while I/O runs: nobody sees an error, no byte is lost, and what was open stays open.</summary>
public sealed class LiveUpgradeTests : IDisposable
{
    private readonly ModulesOnDisk _modules = new();
    private readonly LogList _log = new();

    public void Dispose() => _modules.Dispose();

    private SpindleHostOptions Options(params string[] modules) => new()
    {
        ModuleFolders = [_modules.Root], Modules = [.. modules.Select(m => new Host.Manifests.AppModule(m, Version("0.1.0")))], Logging = _log,
        CoreCount = 2, Iobuf = new() { SmallPoolCount = 512, LargePoolCount = 64 },
    };

    private static Host.Modules.VersionRange Version(string text)
    {
        Assert.True(Host.Modules.VersionRange.TryParse(text, out var range));
        return range;
    }

    private static async Task<JsonElement> UpgradeAsync(SpindleHost host, string module, string version) =>
        JsonDocument.Parse(await host.CallAsync("module_upgrade", $$"""{ "name": "{{module}}", "version": "{{version}}" }""")).RootElement;

    [Theory]
    [InlineData("bdev-malloc", """{ "name": "B0", "num_blocks": 65536, "block_size": 512 }""", "bdev_malloc_create")]
    [InlineData("bdev-malloc", """{ "name": "B0", "num_blocks": 16384, "block_size": 512, "md_size": 8, "md_interleave": true, "dif_type": 1 }""", "bdev_malloc_create")]
    [InlineData("bdev-aio", """{ "name": "B0", "filename": "FILE", "block_size": 512 }""", "bdev_aio_create")]
    public async Task Data_and_load_survive_upgrades(string module, string parameters, string method)
    {
        _modules.Add(module, "0.1.0", "0.2.0", "0.3.0");
        var file = Path.Combine(_modules.Root, "disk.img");
        using (var disk = File.Create(file)) disk.SetLength(32 << 20);
        await using var host = await SpindleHost.StartAsync(Options(module));
        await host.CallAsync(method, parameters.Replace("FILE", file, StringComparison.Ordinal));
        var before = JsonDocument.Parse(await host.CallAsync("bdev_get_bdevs", """{ "name": "B0" }""")).RootElement[0].GetProperty("uuid").GetString();
        await using (var load = await Load.StartAsync(host, "B0", 128))
        {
            var pauses = new List<double>();
            foreach (var version in new[] { "0.2.0", "0.3.0", "0.1.0", "0.3.0" })
            {
                await Task.Delay(100);
                var reply = await UpgradeAsync(host, module, version);
                pauses.Add(reply.GetProperty("pause_us").GetUInt64() / 1000.0);
                Assert.Equal(version, reply.GetProperty("to").GetString());
                Assert.Equal("B0", reply.GetProperty("bdevs")[0].GetString());
                Assert.True(reply.GetProperty("old_code_unloaded").GetBoolean(), string.Join("\n", _log.Lines));
            }
            long seen = load.Completed;
            await Task.Delay(100);
            Assert.True(load.Completed > seen, "I/O has stopped");
            await load.StopAsync();
            Assert.Null(load.Problem);
            TestContext.Current.TestOutputHelper?.WriteLine($"{module}: {load.Completed} I/Os, pauses {string.Join(", ", pauses.Select(p => $"{p:0.00}"))} ms, slowest I/O {load.Slowest.TotalMilliseconds:0.0} ms");
            Assert.All(pauses, pause => Assert.InRange(pause, 0, 1000));
        }
        Assert.Equal(before, JsonDocument.Parse(await host.CallAsync("bdev_get_bdevs", """{ "name": "B0" }""")).RootElement[0].GetProperty("uuid").GetString());
        Assert.True(_log.Has("was upgraded", "0.2.0"));
    }

    [Fact]
    public async Task A_stack_is_upgraded_from_below_and_from_above()
    {
        _modules.Add("bdev-malloc", "0.1.0", "0.2.0").Add("bdev-passthru", "0.1.0", "0.2.0");
        await using var host = await SpindleHost.StartAsync(Options("bdev-malloc", "bdev-passthru"));
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await host.CallAsync("bdev_passthru_create", """{ "name": "P0", "base_bdev_name": "M0" }""");
        await host.CallAsync("bdev_passthru_create", """{ "name": "P1", "base_bdev_name": "P0" }""");
        await using (var load = await Load.StartAsync(host, "P1", 64))
        {
            await Task.Delay(50);
            Assert.Equal(2, (await UpgradeAsync(host, "bdev-passthru", "0.2.0")).GetProperty("bdevs").GetArrayLength());
            await UpgradeAsync(host, "bdev-malloc", "0.2.0");
            await Task.Delay(50);
            await UpgradeAsync(host, "bdev-passthru", "0.1.0");
            await Task.Delay(50);
            await load.StopAsync();
            Assert.Null(load.Problem);
        }
        // The new version has the base's events: deleting the base takes the whole stack away.
        await host.CallAsync("bdev_malloc_delete", """{ "name": "M0" }""");
        Assert.Equal("[]", await host.CallAsync("bdev_get_bdevs"));
    }

    [Fact]
    public async Task A_null_bdev_and_its_methods_are_the_new_versions()
    {
        _modules.Add("bdev-null", "0.1.0", "0.2.0");
        await using var host = await SpindleHost.StartAsync(Options("bdev-null"));
        await host.CallAsync("bdev_null_create", """{ "name": "N0", "num_blocks": 2048, "block_size": 512 }""");
        await UpgradeAsync(host, "bdev-null", "0.2.0");
        await host.CallAsync("bdev_null_create", """{ "name": "N1", "num_blocks": 2048, "block_size": 512 }""");
        await host.CallAsync("bdev_null_delete", """{ "name": "N0" }""");
        Assert.Equal("N1", JsonDocument.Parse(await host.CallAsync("bdev_get_bdevs")).RootElement[0].GetProperty("name").GetString());
    }
}
