using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>
/// The requests of SPDK's rpc.py (v26.01) with the parameters that it sends when it is given the least: many switches come with every call,
/// those of other transports and of features that are off among them. <see cref="SpdkRpcScriptTests"/> runs the script itself.
/// </summary>
[Trait("Category", "Slow")]
public sealed class RpcScriptRequestTests
{
    const string Nqn = "nqn.2026-11.io.spindle:script", Host = "nqn.2014-08.org.example:host";

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2, NewLine = "\n" };

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    static readonly (string Method, string? Parameters)[] Startup =
    [
        ("spdk_get_version", null),
        ("rpc_get_methods", """{"current":false,"include_aliases":false}"""),
        ("rpc_get_methods", """{"current":true,"include_aliases":false}"""),
        ("log_get_level", null),
        ("log_set_level", """{"level":"NOTICE"}"""),
        ("log_get_print_level", null),
        ("log_set_print_level", """{"level":"INFO"}"""),
        ("log_get_flags", null),
        ("log_set_flag", """{"flag":"bdev"}"""),
        ("log_clear_flag", """{"flag":"bdev"}"""),
        ("iobuf_set_options", """{"small_pool_count":4096,"large_pool_count":512,"small_bufsize":8192,"large_bufsize":135168,"enable_numa":false}"""),
        ("bdev_set_options", """{"bdev_io_pool_size":65535,"bdev_io_cache_size":256,"bdev_auto_examine":false}"""),
        ("nvmf_set_config", """{"discovery_filter":"match_any"}"""),
        ("nvmf_set_max_subsystems", """{"max_subsystems":64}"""),
        ("framework_start_init", null),
        ("framework_wait_init", null),
    ];

    static IEnumerable<(string Method, string? Parameters)> Runtime(string disk, int port)
    {
        var target = $$"""{"trtype":"TCP","traddr":"{{ServedSubsystem.Address}}","adrfam":"IPv4","trsvcid":"{{port}}"}""";
        return
        [
            ("framework_get_subsystems", null),
            ("framework_get_config", """{"name":"bdev"}"""),
            ("framework_get_reactors", null),
            ("thread_get_stats", null),
            ("thread_get_pollers", null),
            ("iobuf_get_stats", null),
            ("notify_get_types", null),
            ("notify_get_notifications", null),
            ("notify_get_notifications", """{"id":0,"max":10}"""),
            ("bdev_malloc_create", """{"num_blocks":32768,"block_size":512,"name":"Malloc0","md_interleave":false,"dif_is_head_of_md":false}"""),
            ("bdev_malloc_create", """{"num_blocks":2048,"block_size":4096,"md_interleave":false,"dif_is_head_of_md":false}"""),
            ("bdev_malloc_create", """{"num_blocks":16384,"block_size":512,"name":"Dif","md_size":8,"md_interleave":true,"dif_type":1,"dif_is_head_of_md":false}"""),
            ("bdev_null_create", """{"num_blocks":32768,"block_size":512,"name":"Null0","dif_is_head_of_md":false}"""),
            ("bdev_null_resize", """{"name":"Null0","new_size":32}"""),
            ("bdev_aio_create", $$"""{"filename":"{{disk}}","name":"Aio0","block_size":512,"readonly":false,"fallocate":false,"nowait":false}"""),
            ("bdev_aio_rescan", """{"name":"Aio0"}"""),
            ("bdev_passthru_create", """{"base_bdev_name":"Malloc0","name":"Pt0"}"""),
            ("bdev_get_bdevs", null),
            ("bdev_get_bdevs", """{"name":"Pt0"}"""),
            ("bdev_get_bdevs", """{"name":"Aio0","timeout":1000}"""),
            ("bdev_get_iostat", """{"per_channel":false}"""),
            ("bdev_get_iostat", """{"name":"Malloc0","per_channel":true}"""),
            ("bdev_reset_iostat", null),
            ("bdev_reset_iostat", """{"name":"Malloc0","mode":"maxmin"}"""),
            ("bdev_examine", """{"name":"Malloc0"}"""),
            ("bdev_wait_for_examine", null),
            ("nvmf_create_transport", """
                {"no_srq":false,"c2h_success":true,"trtype":"TCP","max_queue_depth":128,"max_io_qpairs_per_ctrlr":16,"in_capsule_data_size":8192,
                 "max_io_size":131072,"io_unit_size":131072,"max_aq_depth":128,"zcopy":false,"dif_insert_or_strip":false,"no_wr_batching":false,
                 "disable_mappable_bar0":false,"disable_adaptive_irq":false,"disable_shadow_doorbells":false,"disable_command_passthru":false}
                """),
            ("nvmf_get_transports", null),
            ("nvmf_get_transports", """{"trtype":"TCP"}"""),
            ("nvmf_create_subsystem", $$"""
                {"nqn":"{{Nqn}}","serial_number":"SPDK0001","model_number":"Peer","allow_any_host":false,"max_namespaces":8,"ana_reporting":false,
                 "passthrough":false,"enable_nssr":false}
                """),
            ("nvmf_get_subsystems", null),
            ("nvmf_get_subsystems", $$"""{"nqn":"{{Nqn}}"}"""),
            ("nvmf_subsystem_add_ns", $$"""{"nqn":"{{Nqn}}","namespace":{"bdev_name":"Pt0","no_auto_visible":false,"hide_metadata":false} }"""),
            ("nvmf_subsystem_add_ns", $$"""
                {"nqn":"{{Nqn}}","namespace":{"bdev_name":"Aio0","nsid":3,"nguid":"0123456789abcdef0123456789abcdef","eui64":"0123456789abcdef",
                 "no_auto_visible":false,"hide_metadata":false} }
                """),
            ("nvmf_subsystem_add_listener", $$"""{"nqn":"{{Nqn}}","secure_channel":false,"listen_address":{{target}} }"""),
            ("nvmf_subsystem_add_listener", $$"""{"nqn":"{{ServedSubsystem.Discovery}}","secure_channel":false,"listen_address":{{target}} }"""),
            ("nvmf_subsystem_get_listeners", $$"""{"nqn":"{{Nqn}}"}"""),
            ("nvmf_subsystem_add_host", $$"""{"nqn":"{{Nqn}}","host":"{{Host}}"}"""),
            ("nvmf_subsystem_remove_host", $$"""{"nqn":"{{Nqn}}","host":"{{Host}}"}"""),
            ("nvmf_subsystem_allow_any_host", $$"""{"nqn":"{{Nqn}}","allow_any_host":true}"""),
            ("nvmf_subsystem_allow_any_host", $$"""{"nqn":"{{Nqn}}","allow_any_host":false}"""),
            ("nvmf_subsystem_get_controllers", $$"""{"nqn":"{{Nqn}}"}"""),
            ("nvmf_subsystem_get_qpairs", $$"""{"nqn":"{{Nqn}}"}"""),
            ("nvmf_get_stats", null),
            ("nvmf_subsystem_remove_ns", $$"""{"nqn":"{{Nqn}}","nsid":3}"""),
            ("nvmf_subsystem_remove_listener", $$"""{"nqn":"{{Nqn}}","listen_address":{{target}} }"""),
            ("nvmf_delete_subsystem", $$"""{"nqn":"{{Nqn}}"}"""),
            ("bdev_passthru_delete", """{"name":"Pt0"}"""),
            ("bdev_aio_delete", """{"name":"Aio0"}"""),
            ("bdev_null_delete", """{"name":"Null0"}"""),
            ("bdev_malloc_delete", """{"name":"Malloc0"}"""),
        ];
    }

    [Fact]
    public async Task Each_request_is_answered_with_a_result()
    {
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { WaitForRpc = true }, Ct);
        var disk = Path.Combine(spindle.Folder, "disk");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20], Ct);
        var refused = new List<string>();
        foreach (var (method, parameters) in Startup.Concat(Runtime(disk, new ServedSubsystem().Port)))
        {
            // The script opens a connection for each run of it.
            using var client = await RpcClient.ConnectAsync(spindle.RpcSocket, Ct);
            var request = new JsonObject { ["jsonrpc"] = "2.0", ["method"] = method, ["id"] = 1 };
            if (parameters is not null) request["params"] = JsonNode.Parse(parameters);
            await client.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString(Indented)), Ct);
            var reply = await client.ReceiveAsync(Ct);
            if (!reply.TryGetProperty("result", out _)) refused.Add($"{method} {parameters}: {reply}");
        }

        Assert.Empty(refused);
        Assert.Equal(["Dif", "Malloc1"], (await spindle.CallAsync("bdev_get_bdevs", ct: Ct)).EnumerateArray().Select(bdev => bdev.GetProperty("name").GetString()).Order());

        // It takes a closed connection for this call's success.
        var before = await Assert.ThrowsAsync<RpcException>(() => spindle.CallAsync("spdk_kill_instance", new { sig_name = "SIGNONE" }, Ct));
        Assert.True(before.Code < 0);
        try { await spindle.CallAsync("spdk_kill_instance", new { sig_name = "SIGTERM" }, Ct); }
        catch (IOException) { }
        Assert.Equal(0, await spindle.WaitForExitAsync(TimeSpan.FromSeconds(30)));
        Assert.False(File.Exists(spindle.RpcSocket));
    }
}
