using System.Text.Json.Nodes;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Secrets;

/// <summary>Keys of crypto bdevs do not leave the host: not by a reply, an error, the log or a saved configuration. And a host that is started again with the
/// saved configuration has its data.</summary>
public sealed class CryptoSecretTests : IDisposable
{
    private const string Key1 = "5ca1ab1e0ddba11c0ffee0decafbad00112358132134558914423337761098ab";
    private const string Key2 = "0123456789abcdeffedcba98765432105ca1ab1e0ddba11c0ffee0decafbad00";

    private readonly ModulesOnDisk _modules = new();
    private readonly LogList _log = new();
    private readonly List<string> _said = [];

    public void Dispose() => _modules.Dispose();

    private Task<SpindleHost> StartAsync(string? config = null) => SpindleHost.StartAsync(new SpindleHostOptions
    {
        ModuleFolders = [_modules.Root], Modules = [new AppModule("bdev-aio"), new AppModule("bdev-crypto")], Logging = _log, ConfigFile = config,
        Iobuf = new() { SmallPoolCount = 512, LargePoolCount = 64 },
    });

    /// <summary>Calls, and keeps what comes back, be it a reply or an error.</summary>
    private async Task<string> CallAsync(SpindleHost host, string method, string? parameters = null)
    {
        string said;
        try
        {
            said = await host.CallAsync(method, parameters?.Replace("KEY1", Key1, StringComparison.Ordinal).Replace("KEY2", Key2, StringComparison.Ordinal));
        }
        catch (Exception e)
        {
            said = e.ToString();
        }
        _said.Add(said);
        return said;
    }

    private void CheckNothingWasSaid()
    {
        Assert.NotEmpty(_said);
        foreach (string text in _said.Concat(_log.Lines))
        {
            // Half of the digits are too many, in whatever case; and no bytes in another notation.
            foreach (string key in new[] { Key1, Key2 })
            {
                Assert.DoesNotContain(key[..16], text, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain(key[^16..], text, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain(Convert.ToBase64String(Convert.FromHexString(key))[..20], text);
            }
        }
    }

    private static async Task<string> SaveAsync(SpindleHost host, string path)
    {
        var config = new JsonObject
        {
            ["subsystems"] = new JsonArray(new JsonObject { ["subsystem"] = "bdev", ["config"] = JsonNode.Parse(await host.CallAsync("framework_get_config", """{ "name": "bdev" }""")) }),
        };
        await File.WriteAllTextAsync(path, config.ToJsonString());
        return config.ToJsonString();
    }

    private string DiskFile()
    {
        string path = Path.Combine(_modules.Root, "disk.img");
        using var file = File.Create(path);
        file.SetLength(1 << 20);
        return path;
    }

    private string KeyFile()
    {
        string path = Path.Combine(_modules.Root, "disk.key");
        File.WriteAllText(path, $"{Key1}\n{Key2}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    [Fact]
    public async Task No_reply_error_log_or_saved_configuration_has_a_key()
    {
        _modules.Add("bdev-aio", "0.1.0").Add("bdev-crypto", "0.1.0");
        string saved;
        await using (var host = await StartAsync())
        {
            await CallAsync(host, "bdev_aio_create", $$"""{ "name": "A0", "filename": "{{DiskFile()}}", "block_size": 512 }""");
            Assert.Equal("true", await CallAsync(host, "accel_crypto_key_create", """{ "name": "K0", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" }"""));
            Assert.Equal("true", await CallAsync(host, "accel_crypto_key_create", $$"""{ "name": "K1", "cipher": "AES_XTS", "key_file": "{{KeyFile()}}" }"""));
            Assert.Equal("\"C0\"", await CallAsync(host, "bdev_crypto_create", """{ "base_bdev_name": "A0", "name": "C0", "key_name": "K0", "key": "KEY1", "key2": "KEY2" }"""));
            Assert.Equal("\"C1\"", await CallAsync(host, "bdev_crypto_create", """{ "base_bdev_name": "C0", "name": "C1", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" }"""));
            foreach (string wrong in new[]
            {
                """{ "name": "K0", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" }""", """{ "name": "K2", "cipher": "KEY1", "key": "KEY2" }""",
                """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY1" }""", """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1KEY2", "key2": "KEY2" }""",
                """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1x", "key2": "KEY2" }""", """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2", "unknown": "KEY1" }""",
                """{ "name": "K2", "cipher": "AES_XTS", "key": ["KEY1"], "key2": "KEY2" }""", """{ "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" }""",
                """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2", "tweak_mode": "KEY2" }""", """{ "name": "K2", "cipher": "AES_CBC", "key": "KEY1" }""",
                """{ "name": "K2", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" """,
            }) await CallAsync(host, "accel_crypto_key_create", wrong);
            await CallAsync(host, "bdev_crypto_create", """{ "base_bdev_name": "A0", "name": "C2", "cipher": "AES_XTS", "key": "KEY1", "key2": "KEY2" }""");
            await CallAsync(host, "accel_crypto_key_destroy", """{ "key_name": "K0" }""");
            foreach (string method in new[] { "accel_crypto_keys_get", "bdev_get_bdevs", "rpc_get_methods", "module_get_modules", "spindle_get_health", "notify_get_notifications" })
                await CallAsync(host, method);
            await CallAsync(host, "accel_crypto_keys_get", """{ "key_name": "K1" }""");
            _said.Add(saved = await SaveAsync(host, Path.Combine(_modules.Root, "saved.json")));
        }
        Assert.Contains("K1", saved);
        CheckNothingWasSaid();
        // Nor by a configuration that does not load.
        string bad = Path.Combine(_modules.Root, "bad.json");
        await File.WriteAllTextAsync(bad, $$"""
            { "subsystems": [ { "subsystem": "bdev", "config": [
              { "method": "accel_crypto_key_create", "params": { "name": "K", "cipher": "AES_XTS", "key": "{{Key1}}", "key2": "{{Key1}}" } } ] } ] }
            """);
        _said.Add((await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(bad))).ToString());
        Assert.Contains("key and key2 are the same", _said[^1]);
        CheckNothingWasSaid();
    }

    [Fact]
    public async Task A_key_file_brings_the_data_back_after_a_restart()
    {
        _modules.Add("bdev-aio", "0.1.0").Add("bdev-crypto", "0.1.0");
        string config = Path.Combine(_modules.Root, "saved.json");
        byte[] data = new byte[8192];
        Random.Shared.NextBytes(data);
        await using (var host = await StartAsync())
        {
            await host.CallAsync("bdev_aio_create", $$"""{ "name": "A0", "filename": "{{DiskFile()}}", "block_size": 512 }""");
            await host.CallAsync("accel_crypto_key_create", $$"""{ "name": "K0", "cipher": "AES_XTS", "key_file": "{{KeyFile()}}" }""");
            await host.CallAsync("bdev_crypto_create", """{ "base_bdev_name": "A0", "name": "C0", "key_name": "K0" }""");
            await Blocks.WriteAsync(host, "C0", 100, data);
            await SaveAsync(host, config);
        }
        Assert.Equal(-1, File.ReadAllBytes(Path.Combine(_modules.Root, "disk.img")).AsSpan().IndexOf(data.AsSpan(0, 64)));
        await using (var host = await StartAsync(config)) Assert.Equal(data, await Blocks.ReadAsync(host, "C0", 100, data.Length));
    }

    [Fact]
    public async Task A_key_that_came_in_a_call_is_waited_for_after_a_restart()
    {
        _modules.Add("bdev-aio", "0.1.0").Add("bdev-crypto", "0.1.0");
        const string Make = $$"""{ "name": "K0", "cipher": "AES_XTS", "key": "{{Key1}}", "key2": "{{Key2}}" }""";
        string config = Path.Combine(_modules.Root, "saved.json");
        byte[] data = new byte[8192];
        Random.Shared.NextBytes(data);
        await using (var host = await StartAsync())
        {
            await host.CallAsync("bdev_aio_create", $$"""{ "name": "A0", "filename": "{{DiskFile()}}", "block_size": 512 }""");
            await host.CallAsync("accel_crypto_key_create", Make);
            await host.CallAsync("bdev_crypto_create", """{ "base_bdev_name": "A0", "name": "C0", "key_name": "K0" }""");
            await Blocks.WriteAsync(host, "C0", 100, data);
            await SaveAsync(host, config);
        }
        Assert.True(_log.Has("K0", "saved without its secret"));
        await using (var host = await StartAsync(config))
        {
            Assert.NotNull(host.Bdevs.Find("A0"));
            Assert.Null(host.Bdevs.Find("C0"));
            await host.CallAsync("accel_crypto_key_create", Make);
            Assert.Equal(data, await Blocks.ReadAsync(host, "C0", 100, data.Length));
        }
    }
}
