using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>A configuration saved from one host and loaded into another gives the same configuration, however it is loaded.</summary>
[Trait("Category", "Slow")]
public sealed class ConfigurationRoundTripTests : IAsyncDisposable
{
    const string Nqn = "nqn.2026-11.io.spindle:saved", OtherNqn = "nqn.2026-11.io.spindle:other";

    readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("spindle-config-");

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync()
    {
        folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>A host with something of everything; what was made and deleted again must not be in what it saves.</summary>
    async Task<JsonObject> SaveAsync(bool options)
    {
        var disk = Path.Combine(folder.FullName, "disk");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20], Ct);
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { WaitForRpc = options }, Ct);
        Task Call(string method, object? parameters = null) => spindle.CallAsync(method, parameters, Ct);
        if (options)
        {
            await Call("iobuf_set_options", new { small_pool_count = 4096, large_pool_count = 256 });
            await Call("bdev_set_options", new { bdev_io_pool_size = 32768, bdev_io_cache_size = 128, bdev_auto_examine = true });
            await Call("nvmf_set_max_subsystems", new { max_subsystems = 77 });
            await Call("nvmf_set_config", new { discovery_filter = "transport,address,svcid" });
            await Call("framework_start_init");
        }

        await Call("bdev_malloc_create", new { name = "Malloc0", num_blocks = 32768, block_size = 512, uuid = "7e2bcd0c-6f5b-4a1c-9d55-0a1b2c3d4e5f" });
        await Call("bdev_malloc_create", new { name = "Dif", num_blocks = 4096, block_size = 512, md_size = 8, md_interleave = true, dif_type = 1 });
        await Call("bdev_null_create", new { name = "Null0", num_blocks = 1024, block_size = 4096 });
        await Call("bdev_null_resize", new { name = "Null0", new_size = 16 });
        await Call("bdev_aio_create", new { filename = disk, name = "Aio0", block_size = 4096 });
        await Call("bdev_passthru_create", new { name = "Pt0", base_bdev_name = "Malloc0" });
        await Call("bdev_malloc_create", new { name = "Gone", num_blocks = 64, block_size = 512 });
        await Call("bdev_malloc_delete", new { name = "Gone" });
        object Listener() => new { trtype = "TCP", adrfam = "IPv4", traddr = ServedSubsystem.Address, trsvcid = new ServedSubsystem().Port.ToString() };
        await Call("nvmf_create_transport", new { trtype = "TCP", max_queue_depth = 64, in_capsule_data_size = 8192 });
        await Call("nvmf_create_subsystem", new { nqn = Nqn, serial_number = "S1", model_number = "Model \"quoted\" \\ 1", allow_any_host = false, max_namespaces = 16 });
        await Call("nvmf_subsystem_add_host", new { nqn = Nqn, host = "nqn.2014-08.org.example:a" });
        await Call("nvmf_subsystem_add_ns", new { nqn = Nqn, @namespace = new { nsid = 4, bdev_name = "Pt0", nguid = "0123456789ABCDEF0123456789ABCDEF", eui64 = "0123456789ABCDEF" } });
        await Call("nvmf_subsystem_add_ns", new { nqn = Nqn, @namespace = new { bdev_name = "Aio0" } });
        await Call("nvmf_subsystem_add_listener", new { nqn = Nqn, listen_address = Listener() });
        await Call("nvmf_subsystem_add_listener", new { nqn = ServedSubsystem.Discovery, listen_address = Listener() });
        await Call("nvmf_create_subsystem", new { nqn = OtherNqn, allow_any_host = true });
        await Call("nvmf_subsystem_add_ns", new { nqn = OtherNqn, @namespace = new { nsid = 1, bdev_name = "Null0" } });

        var saved = await SaveAsync(spindle);
        var text = saved.ToJsonString();
        Assert.All(new[] { "\"Malloc0\"", "\"Dif\"", "\"Null0\"", "\"Aio0\"", "\"Pt0\"", Nqn, OtherNqn, "nqn.2014-08.org.example:a", disk }, part => Assert.Contains(part, text));
        Assert.DoesNotContain("\"Gone\"", text);
        await Machine.EndAsync(spindle);
        return saved;
    }

    static async Task<JsonObject> SaveAsync(SpindleProcess spindle)
    {
        using var client = await RpcClient.ConnectAsync(spindle.RpcSocket, Ct);
        return await new ConfigurationScript(client).SaveAsync(Ct);
    }

    static async Task SameAsync(JsonObject saved, SpindleProcess spindle)
    {
        var again = await SaveAsync(spindle);
        Assert.True(JsonNode.DeepEquals(saved, again), $"saved:\n{saved}\nloaded and saved again:\n{again}");
        Assert.Equal(["Aio0", "Dif", "Malloc0", "Null0", "Pt0"],
            (await spindle.CallAsync("bdev_get_bdevs", ct: Ct)).EnumerateArray().Select(bdev => bdev.GetProperty("name").GetString()).Order(StringComparer.Ordinal));
        var subsystems = (await spindle.CallAsync("nvmf_get_subsystems", ct: Ct)).EnumerateArray().ToDictionary(one => one.GetProperty("nqn").GetString()!);
        Assert.Equal([1, 4], subsystems[Nqn].GetProperty("namespaces").EnumerateArray().Select(one => one.GetProperty("nsid").GetInt32()).Order());
        Assert.Equal("Model \"quoted\" \\ 1", subsystems[Nqn].GetProperty("model_number").GetString());
        Assert.Equal(1, subsystems[Nqn].GetProperty("listen_addresses").GetArrayLength());
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task Loaded_call_by_call_into_a_host_that_waits_or_runs(bool waits)
    {
        var saved = await SaveAsync(options: waits);
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { WaitForRpc = waits }, Ct);
        using (var client = await RpcClient.ConnectAsync(spindle.RpcSocket, Ct))
        {
            var left = await new ConfigurationScript(client).LoadAsync(saved, Ct);
            // A host that runs has its options; only those calls come too late.
            if (waits) Assert.Empty(left);
            else Assert.All(left, method => Assert.Contains(method, new[] { "iobuf_set_options", "bdev_set_options", "nvmf_set_config", "nvmf_set_max_subsystems", "nvmf_set_crdt" }));
        }

        await SameAsync(saved, spindle);
    }

    [Fact]
    public async Task Loaded_as_the_configuration_file_of_a_start()
    {
        var saved = await SaveAsync(options: true);
        var file = Path.Combine(folder.FullName, "saved.json");
        await File.WriteAllTextAsync(file, saved.ToJsonString(new JsonSerializerOptions { WriteIndented = true }), Ct);
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Config = file }, Ct);
        await SameAsync(saved, spindle);
        // And once more: a restart after a crash.
        await spindle.KillAsync();
        await spindle.StartAgainAsync(Ct);
        await SameAsync(saved, spindle);
    }
}
