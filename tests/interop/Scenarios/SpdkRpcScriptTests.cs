using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>
/// SPDK's own rpc.py, unchanged, against Spindle. It runs only when asked for, with the folder of an SPDK checkout (tag v26.01) in
/// <c>SPINDLE_PEER_SPDK</c>: nothing of SPDK's belongs to this project. <see cref="ConfigurationRoundTripTests"/> sends what it sends, always.
/// </summary>
[Trait("Category", "Slow")]
public sealed class SpdkRpcScriptTests
{
    const string Nqn = "nqn.2026-11.io.spindle:peer";

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    static string Script()
    {
        var folder = Environment.GetEnvironmentVariable("SPINDLE_PEER_SPDK");
        if (string.IsNullOrEmpty(folder)) Assert.Fail("Set SPINDLE_PEER_SPDK to the folder of an SPDK checkout (git clone -b v26.01 https://github.com/spdk/spdk).");
        var script = Path.Combine(folder, "scripts", "rpc.py");
        Assert.True(File.Exists(script), $"{script} is missing");
        return script;
    }

    static Task<CommandResult> RunAsync(SpindleProcess spindle, string[] arguments, string? input = null) =>
        CommandResult.RunAsync(RequiredTool.Find("python3"), [Script(), "-s", spindle.RpcSocket, .. arguments], input, Ct);

    static async Task<string> RpcAsync(SpindleProcess spindle, string arguments, string? input = null)
    {
        var result = await RunAsync(spindle, arguments.Split(' '), input);
        Assert.True(result.ExitCode == 0, $"rpc.py {arguments}: exit status {result.ExitCode}\n{result.Output}{result.Error}");
        return result.Output;
    }

    [Fact(Explicit = true)]
    public async Task Every_method_works_as_rpc_py_calls_it()
    {
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { WaitForRpc = true }, Ct);
        var disk = Path.Combine(spindle.Folder, "disk");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20], Ct);
        var port = new ServedSubsystem().Port;
        var address = $"-t TCP -a {ServedSubsystem.Address} -f IPv4 -s {port}";

        string[] startup =
        [
            "spdk_get_version", "rpc_get_methods", "rpc_get_methods -c", "log_get_level", "log_set_level NOTICE", "log_get_print_level", "log_set_print_level INFO",
            "log_get_flags", "log_set_flag bdev", "log_clear_flag bdev",
            "iobuf_set_options --small-pool-count 4096 --large-pool-count 512 --small-bufsize 8192 --large-bufsize 135168",
            "bdev_set_options -p 65535 -c 256 -d", "nvmf_set_config -d match_any", "nvmf_set_max_subsystems -x 64", "framework_start_init", "framework_wait_init",
        ];
        foreach (var call in startup) await RpcAsync(spindle, call);

        string[] calls =
        [
            "framework_get_subsystems", "framework_get_config bdev", "framework_get_reactors", "thread_get_stats", "thread_get_pollers", "iobuf_get_stats",
            "notify_get_types", "notify_get_notifications", "notify_get_notifications -i 0 -n 10",
            "bdev_malloc_create -b Malloc0 16 512", "bdev_malloc_create 8 4096", "bdev_malloc_create -b Dif 8 512 -m 8 -i -t 1",
            "bdev_null_create Null0 16 512", "bdev_null_resize Null0 32", $"bdev_aio_create {disk} Aio0 512", "bdev_aio_rescan Aio0",
            "bdev_passthru_create -b Malloc0 -p Pt0", "bdev_get_bdevs", "bdev_get_bdevs -b Pt0", "bdev_get_bdevs -b Aio0 -t 1000",
            "bdev_get_iostat", "bdev_get_iostat -b Malloc0", "bdev_get_iostat -b Malloc0 -c", "bdev_reset_iostat", "bdev_reset_iostat -b Malloc0 -m maxmin",
            "bdev_examine -b Malloc0", "bdev_wait_for_examine",
            "nvmf_create_transport -t TCP -q 128 -m 16 -c 8192 -i 131072 -u 131072 -a 128", "nvmf_get_transports", "nvmf_get_transports --trtype TCP",
            $"nvmf_create_subsystem {Nqn} -s SPDK0001 -d Peer -m 8", "nvmf_get_subsystems", $"nvmf_get_subsystems {Nqn}",
            $"nvmf_subsystem_add_ns {Nqn} Pt0", $"nvmf_subsystem_add_ns {Nqn} Aio0 -n 3 -g 0123456789abcdef0123456789abcdef -e 0123456789abcdef",
            $"nvmf_subsystem_add_ns {Nqn} Null0 -n 5 -u 7e2bcd0c-6f5b-4a1c-9d55-0a1b2c3d4e5f",
            $"nvmf_subsystem_add_listener {Nqn} {address}", $"nvmf_subsystem_add_listener discovery {address}", $"nvmf_subsystem_get_listeners {Nqn}",
            $"nvmf_subsystem_add_host {Nqn} nqn.2014-08.org.example:host", $"nvmf_subsystem_remove_host {Nqn} nqn.2014-08.org.example:host",
            $"nvmf_subsystem_allow_any_host -e {Nqn}", $"nvmf_subsystem_allow_any_host -d {Nqn}",
            $"nvmf_subsystem_get_controllers {Nqn}", $"nvmf_subsystem_get_qpairs {Nqn}", "nvmf_get_stats",
            "save_config", "save_subsystem_config -n nvmf",
            $"nvmf_subsystem_remove_ns {Nqn} 5", $"nvmf_subsystem_remove_listener {Nqn} {address}", $"nvmf_delete_subsystem {Nqn}",
            "bdev_passthru_delete Pt0", "bdev_aio_delete Aio0", "bdev_null_delete Null0", "bdev_malloc_delete Malloc0",
        ];
        foreach (var call in calls) await RpcAsync(spindle, call);

        var refused = await RunAsync(spindle, ["bdev_malloc_delete", "Malloc0"]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("\"code\": -19", refused.Output + refused.Error);

        await RpcAsync(spindle, "spdk_kill_instance SIGTERM");
        Assert.Equal(0, await spindle.WaitForExitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact(Explicit = true)]
    public async Task A_saved_configuration_loads_into_an_empty_host_as_itself()
    {
        var folder = Directory.CreateTempSubdirectory("spindle-peer-");
        try
        {
            var disk = Path.Combine(folder.FullName, "disk");
            await File.WriteAllBytesAsync(disk, new byte[1 << 20], Ct);
            string saved;
            await using (var first = await SpindleProcess.StartAsync(ct: Ct))
            {
                var target = $"-t TCP -a {ServedSubsystem.Address} -f IPv4 -s {new ServedSubsystem().Port}";
                foreach (var call in new[]
                {
                    "bdev_malloc_create -b Malloc0 16 512", "bdev_null_create Null0 16 4096", $"bdev_aio_create {disk} Aio0 512", "bdev_passthru_create -b Malloc0 -p Pt0",
                    "nvmf_create_transport -t TCP", $"nvmf_create_subsystem {Nqn} -s SPDK0001 -a", $"nvmf_subsystem_add_ns {Nqn} Pt0", $"nvmf_subsystem_add_ns {Nqn} Aio0 -n 7",
                    $"nvmf_subsystem_add_listener {Nqn} {target}", $"nvmf_subsystem_add_listener discovery {target}",
                }) await RpcAsync(first, call);
                saved = await RpcAsync(first, "save_config");
                await Machine.EndAsync(first);
            }

            foreach (var wait in new[] { false, true })
            {
                await using var second = await SpindleProcess.StartAsync(new SpindleOptions { WaitForRpc = wait }, Ct);
                await RpcAsync(second, "load_config", saved);
                var again = await RpcAsync(second, "save_config");
                Assert.True(JsonNode.DeepEquals(JsonNode.Parse(saved), JsonNode.Parse(again)), $"saved:\n{saved}\nloaded and saved again:\n{again}");
                Assert.Equal(4, JsonDocument.Parse(await RpcAsync(second, "bdev_get_bdevs")).RootElement.GetArrayLength());
                await Machine.EndAsync(second);
            }
        }
        finally { folder.Delete(recursive: true); }
    }
}
