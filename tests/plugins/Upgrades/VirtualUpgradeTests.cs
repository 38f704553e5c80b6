using System.Buffers.Binary;
using System.Text.Json;
using Spindle.Bdevs;
using Spindle.Host.Hosting;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Upgrades;

/// <summary>Modules whose bdevs sit on others are exchanged under load: keys, partitions and claims go with them.</summary>
public sealed class VirtualUpgradeTests : IDisposable
{
    private const string Key1 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    private const string Key2 = "f0e0d0c0b0a090807060504030201000f1e1d1c1b1a191817161514131211101";

    private readonly ModulesOnDisk _modules = new();
    private readonly LogList _log = new();

    public void Dispose() => _modules.Dispose();

    private Task<SpindleHost> StartAsync(params string[] modules)
    {
        Assert.True(Host.Modules.VersionRange.TryParse("0.1.0", out var first));
        return SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [_modules.Root], Modules = [.. modules.Select(m => new Host.Manifests.AppModule(m, first))], Logging = _log,
            CoreCount = 2, Iobuf = new() { SmallPoolCount = 512, LargePoolCount = 64 },
        });
    }

    private async Task UpgradeAsync(SpindleHost host, string module, string version)
    {
        var reply = JsonDocument.Parse(await host.CallAsync("module_upgrade", $$"""{ "name": "{{module}}", "version": "{{version}}" }""")).RootElement;
        Assert.Equal(version, reply.GetProperty("to").GetString());
        Assert.True(reply.GetProperty("old_code_unloaded").GetBoolean(), string.Join("\n", _log.Lines));
    }

    [Fact]
    public async Task Crypto_bdevs_keep_their_keys()
    {
        _modules.Add("bdev-malloc", "0.1.0", "0.2.0").Add("bdev-crypto", "0.1.0", "0.2.0");
        await using var host = await StartAsync("bdev-malloc", "bdev-crypto");
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await host.CallAsync("accel_crypto_key_create", $$"""{ "name": "K0", "cipher": "AES_XTS", "tweak_mode": "SIMPLE_LBA", "key": "{{Key1}}", "key2": "{{Key2}}" }""");
        await host.CallAsync("accel_crypto_key_create", """{ "name": "K1", "cipher": "AES_XTS", "deferred": true }""");
        await host.CallAsync("bdev_crypto_create", """{ "base_bdev_name": "M0", "name": "C0", "key_name": "K0" }""");
        await host.CallAsync("bdev_crypto_create", """{ "base_bdev_name": "C0", "name": "C1", "key_name": "K0" }""");
        await host.CallAsync("bdev_crypto_create", """{ "base_bdev_name": "M1", "name": "C2", "key_name": "K1" }""");
        string keys = await host.CallAsync("accel_crypto_keys_get"), config = await host.CallAsync("framework_get_config", """{ "name": "bdev" }""");
        await using (var load = await Load.StartAsync(host, "C1", 32))
        {
            foreach (var (module, version) in new[] { ("bdev-crypto", "0.2.0"), ("bdev-malloc", "0.2.0"), ("bdev-crypto", "0.1.0") })
            {
                await Task.Delay(50);
                await UpgradeAsync(host, module, version);
            }
            long seen = load.Completed;
            await Task.Delay(50);
            Assert.True(load.Completed > seen, "I/O has stopped");
            await load.StopAsync();
            Assert.Null(load.Problem);
        }
        Assert.Equal(keys, await host.CallAsync("accel_crypto_keys_get"));
        Assert.Equal(config, await host.CallAsync("framework_get_config", """{ "name": "bdev" }"""));
        // The new version has what waits, and the bases' events.
        await host.CallAsync("bdev_malloc_create", """{ "name": "M1", "num_blocks": 64, "block_size": 512 }""");
        await host.CallAsync("accel_crypto_key_create", $$"""{ "name": "K1", "cipher": "AES_XTS", "key": "{{Key2}}", "key2": "{{Key1}}" }""");
        Assert.NotNull(host.Bdevs.Find("C2"));
        await host.CallAsync("bdev_malloc_delete", """{ "name": "M0" }""");
        await host.CallAsync("bdev_malloc_delete", """{ "name": "M1" }""");
        Assert.Equal("[]", await host.CallAsync("bdev_get_bdevs"));
    }

    [Fact]
    public async Task Partitions_stay_where_they_are()
    {
        _modules.Add("bdev-aio", "0.1.0", "0.2.0").Add("bdev-gpt", "0.1.0", "0.2.0");
        string file = Path.Combine(_modules.Root, "disk.img");
        WriteTable(file, 65536, (1000, 20999), (30000, 30999));
        await using var host = await StartAsync("bdev-aio", "bdev-gpt");
        await host.CallAsync("bdev_aio_create", $$"""{ "name": "A0", "filename": "{{file}}", "block_size": 512 }""");
        await host.CallAsync("bdev_wait_for_examine");
        string before = await host.CallAsync("bdev_get_bdevs");
        Assert.Equal((20000ul, 1000ul), (host.Bdevs.Find("A0p1")!.BlockCount, host.Bdevs.Find("A0p2")!.BlockCount));
        await using (var load = await Load.StartAsync(host, "A0p1", 32))
        {
            foreach (var (module, version) in new[] { ("bdev-gpt", "0.2.0"), ("bdev-aio", "0.2.0"), ("bdev-gpt", "0.1.0") })
            {
                await Task.Delay(50);
                await UpgradeAsync(host, module, version);
            }
            await load.StopAsync();
            Assert.Null(load.Problem);
        }
        Assert.Equal(before, await host.CallAsync("bdev_get_bdevs"));
        await host.CallAsync("bdev_aio_delete", """{ "name": "A0" }""");
        Assert.Equal("[]", await host.CallAsync("bdev_get_bdevs"));
        await host.CallAsync("bdev_aio_create", $$"""{ "name": "A0", "filename": "{{file}}", "block_size": 512 }""");
        await host.CallAsync("bdev_wait_for_examine");
        Assert.NotNull(host.Bdevs.Find("A0p2"));
    }

    [Fact]
    public async Task Split_delay_and_error_bdevs_go_on_in_one_stack()
    {
        _modules.Add("bdev-malloc", "0.1.0", "0.2.0").Add("bdev-split", "0.1.0", "0.2.0").Add("bdev-delay", "0.1.0", "0.2.0").Add("bdev-error", "0.1.0", "0.2.0");
        await using var host = await StartAsync("bdev-malloc", "bdev-split", "bdev-delay", "bdev-error");
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await host.CallAsync("bdev_split_create", """{ "base_bdev": "M0", "split_count": 4 }""");
        await host.CallAsync("bdev_error_create", """{ "base_name": "M0p1" }""");
        // The slow ones would hold I/O up for longer than an upgrade may take.
        await host.CallAsync("bdev_delay_create", """
            { "name": "D0", "base_bdev_name": "EE_M0p1", "avg_read_latency": 100, "p99_read_latency": 300000000, "avg_write_latency": 100, "p99_write_latency": 300000000 }
            """);
        await host.CallAsync("bdev_delay_create", """
            { "name": "D1", "base_bdev_name": "later", "avg_read_latency": 1, "p99_read_latency": 2, "avg_write_latency": 3, "p99_write_latency": 4 }
            """);
        string bdevs = await host.CallAsync("bdev_get_bdevs"), config = await host.CallAsync("framework_get_config", """{ "name": "bdev" }""");
        await using (var load = await Load.StartAsync(host, "D0", 32))
        {
            foreach (var (module, version) in new[] { ("bdev-delay", "0.2.0"), ("bdev-split", "0.2.0"), ("bdev-error", "0.2.0"), ("bdev-malloc", "0.2.0"), ("bdev-delay", "0.1.0"), ("bdev-split", "0.1.0"), ("bdev-error", "0.1.0") })
            {
                await Task.Delay(50);
                await UpgradeAsync(host, module, version);
                if (module == "bdev-delay") continue;
                await host.CallAsync("bdev_delay_update_latency", """{ "delay_bdev_name": "D0", "latency_type": "p99_read", "latency_us": 300 }""");
                await host.CallAsync("bdev_delay_update_latency", """{ "delay_bdev_name": "D0", "latency_type": "p99_write", "latency_us": 300 }""");
            }
            await load.StopAsync();
            Assert.Null(load.Problem);
        }
        Assert.Equal(bdevs.Replace("300000000", "300"), await host.CallAsync("bdev_get_bdevs"));
        Assert.Equal(config.Replace("300000000", "300"), await host.CallAsync("framework_get_config", """{ "name": "bdev" }"""));
        await host.CallAsync("bdev_error_delete", """{ "name": "EE_M0p1" }""");
        await host.CallAsync("bdev_malloc_delete", """{ "name": "M0" }""");
        await host.CallAsync("bdev_malloc_create", """{ "name": "later", "num_blocks": 64, "block_size": 512 }""");
        Assert.NotNull(host.Bdevs.Find("D1"));
        await host.CallAsync("bdev_malloc_delete", """{ "name": "later" }""");
        Assert.Equal("[]", await host.CallAsync("bdev_get_bdevs"));
    }

    [Fact]
    public async Task What_is_injected_goes_along_and_what_is_held_ends()
    {
        _modules.Add("bdev-malloc", "0.1.0").Add("bdev-error", "0.1.0", "0.2.0");
        await using var host = await StartAsync("bdev-malloc", "bdev-error");
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 64, "block_size": 512 }""");
        await host.CallAsync("bdev_error_create", """{ "base_name": "M0" }""");
        await host.CallAsync("bdev_error_inject_error", """{ "name": "EE_M0", "io_type": "read", "error_type": "pending", "num": 4294967295 }""");
        await host.CallAsync("bdev_error_inject_error", """{ "name": "EE_M0", "io_type": "flush", "error_type": "failure", "num": 2, "offset_blocks": 8, "num_blocks": 8 }""");
        await using var io = await BdevUser.OpenAsync(host, "EE_M0");
        var held = io.ReadAsync(0, 1);
        Assert.Equal(BdevIoStatus.Failed, await io.FlushAsync(0, 64));
        Assert.False(held.IsCompleted);
        await UpgradeAsync(host, "bdev-error", "0.2.0");
        Assert.Equal(BdevIoStatus.Aborted, await held.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(BdevIoStatus.Success, await io.FlushAsync(0, 8));
        Assert.Equal(BdevIoStatus.Failed, await io.FlushAsync(15, 1));
        Assert.Equal(BdevIoStatus.Success, await io.FlushAsync(15, 1));
        var heldAgain = io.ReadAsync(0, 1);
        await Task.Delay(20);
        Assert.False(heldAgain.IsCompleted);
        await host.CallAsync("bdev_error_inject_error", """{ "name": "EE_M0", "io_type": "clear", "error_type": "failure" }""");
        await io.ResetAsync();
        Assert.Equal(BdevIoStatus.Aborted, await heldAgain.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task Zones_keep_their_states_and_write_pointers()
    {
        _modules.Add("bdev-malloc", "0.1.0").Add("bdev-zone-block", "0.1.0", "0.2.0");
        await using var host = await StartAsync("bdev-malloc", "bdev-zone-block");
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await host.CallAsync("bdev_zone_block_create", """{ "name": "Z0", "base_bdev": "M0", "zone_capacity": 10000, "optimal_open_zones": 1 }""");
        await host.CallAsync("bdev_zone_block_create", """{ "name": "Z1", "base_bdev": "later", "zone_capacity": 64, "optimal_open_zones": 1 }""");
        const ulong size = 16384;
        string before = await host.CallAsync("bdev_get_bdevs"), config = await host.CallAsync("framework_get_config", """{ "name": "bdev" }""");
        await using (var zones = await ZoneAppender.StartAsync(host, "Z0"))
        {
            await zones.ManageAsync(0, BdevZoneAction.Reset);
            await zones.ManageAsync(size, BdevZoneAction.Reset);
            await zones.ManageAsync(size, BdevZoneAction.Open);
            var appending = zones.AppendAsync(0, most: 9000);
            foreach (string version in new[] { "0.2.0", "0.1.0", "0.2.0" })
            {
                await Task.Delay(20);
                await UpgradeAsync(host, "bdev-zone-block", version);
            }
            zones.Stop();
            int appended = await appending;
            Assert.True(appended > 3, $"{appended} appends");
            var now = await zones.LookAsync(4);
            Assert.Equal((BdevZoneState.ImplicitlyOpen, (ulong)appended), (now[0].State, now[0].WritePointer));
            Assert.Equal((BdevZoneState.ExplicitlyOpen, size), (now[1].State, now[1].WritePointer));
            Assert.Equal((BdevZoneState.Full, (2 * size) + 10000), (now[2].State, now[2].WritePointer));
        }
        Assert.Equal(before, await host.CallAsync("bdev_get_bdevs"));
        Assert.Equal(config, await host.CallAsync("framework_get_config", """{ "name": "bdev" }"""));
        await host.CallAsync("bdev_malloc_create", """{ "name": "later", "num_blocks": 1024, "block_size": 512 }""");
        Assert.NotNull(host.Bdevs.Find("Z1"));
        foreach (string name in new[] { "M0", "later" }) await host.CallAsync("bdev_malloc_delete", $$"""{ "name": "{{name}}" }""");
        Assert.Equal("[]", await host.CallAsync("bdev_get_bdevs"));
    }

    /// <summary>A protective MBR and a primary table with partitions of SPDK's type, 512-byte blocks.</summary>
    private static void WriteTable(string path, uint blocks, params (ulong First, ulong Last)[] partitions)
    {
        byte[] area = new byte[34 * 512];
        area[450] = 0xee;
        BinaryPrimitives.WriteUInt32LittleEndian(area.AsSpan(454), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(area.AsSpan(458), blocks - 1);
        (area[510], area[511]) = (0x55, 0xaa);
        for (int i = 0; i < partitions.Length; i++)
        {
            var entry = area.AsSpan(1024 + (i * 128));
            new Guid("6527994e-2c5a-4eec-9613-8f5944074e8b").TryWriteBytes(entry);
            Guid.NewGuid().TryWriteBytes(entry[16..]);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], partitions[i].First);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], partitions[i].Last);
        }
        var header = area.AsSpan(512, 512);
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], 92);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], 34);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], blocks - 34);
        BinaryPrimitives.WriteUInt64LittleEndian(header[72..], 2);
        BinaryPrimitives.WriteUInt32LittleEndian(header[80..], 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header[84..], 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header[88..], Crc(area.AsSpan(1024)));
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc(header[..92]));
        using var file = File.Create(path);
        file.SetLength(blocks * 512L);
        file.Write(area);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc >> 1) ^ (0xedb88320 & (0u - (crc & 1)));
        }
        return ~crc;
    }
}
