using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.Modules;
using Spindle.PluginTests.Support;
using Spindle.Rpc;

namespace Spindle.PluginTests.Upgrades;

/// <summary>The bdev behind an NVMe/TCP namespace is upgraded while an initiator keeps 128 commands in flight: it sees a pause and no error.</summary>
[Trait("Category", "Slow")]
public sealed class NvmeTcpUpgradeTests : IDisposable
{
    private readonly ModulesOnDisk _modules = new();

    public void Dispose() => _modules.Dispose();

    [Fact]
    public async Task An_initiator_at_depth_128_sees_no_error()
    {
        _modules.Add("bdev-malloc", "0.1.0", "0.2.0").Add("frontend-nvmf", "0.1.0", "0.2.0").Add("tool-nvmeperf", "0.1.0");
        Assert.True(VersionRange.TryParse("0.1.0", out var first));
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [_modules.Root], CoreCount = 2, StopTimeout = TimeSpan.FromSeconds(5),
            Modules = [new AppModule("bdev-malloc", first), new AppModule("frontend-nvmf", first), new AppModule("tool-nvmeperf")],
        });
        int port = FreePort();
        const string nqn = "nqn.2026-11.io.spindle:upgrade";
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 131072, "block_size": 512 }""");
        await host.CallAsync("nvmf_create_transport", """{ "trtype": "TCP", "max_queue_depth": 256 }""");
        await host.CallAsync("nvmf_create_subsystem", $$"""{ "nqn": "{{nqn}}", "allow_any_host": true }""");
        await host.CallAsync("nvmf_subsystem_add_ns", $$$"""{ "nqn": "{{{nqn}}}", "namespace": { "bdev_name": "M0" } }""");
        await host.CallAsync("nvmf_subsystem_add_listener", $$$"""{ "nqn": "{{{nqn}}}", "listen_address": { "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": "{{{port}}}" } }""");

        var output = new StringWriter();
        var tool = host.Modules.Find("tool-nvmeperf")!;
        int exitCode = -1;
        var perf = host.InvokeAsync(async () => exitCode = await ((ToolModule)tool.Instance!).RunAsync(tool.ContextForTool,
            ["--nqn", nqn, "--address", $"127.0.0.1:{port}", "--rw", "randrw", "--qd", "128", "--time", "4", "--warmup", "0.5", "--json"], output, CancellationToken.None));
        var pauses = new List<double>();
        await Task.Delay(1200);
        for (int i = 0; i < 6; i++)
        {
            var reply = JsonDocument.Parse(await host.CallAsync("module_upgrade", $$"""{ "name": "bdev-malloc", "version": "0.{{(i % 2 == 0 ? 2 : 1)}}.0" }""")).RootElement;
            pauses.Add(reply.GetProperty("pause_us").GetUInt64() / 1000.0);
            Assert.True(reply.GetProperty("old_code_unloaded").GetBoolean());
        }
        // The front-end holds connections, and says that it cannot hand them over.
        var error = await Assert.ThrowsAsync<RpcException>(() => host.CallAsync("module_upgrade", """{ "name": "frontend-nvmf", "version": "0.2.0" }"""));
        Assert.Equal(-1000 - (int)ModuleErrorCode.NotUpgradable, error.Code);
        Assert.Contains("connections", error.Message);
        await perf;
        Assert.True(exitCode == 0, output.ToString());
        TestContext.Current.TestOutputHelper?.WriteLine($"pauses {string.Join(", ", pauses.Select(p => $"{p:0.00}"))} ms at depth 128 over NVMe/TCP\n{output}");
        // The goal is 50 ms; a loaded machine is given more.
        Assert.All(pauses, pause => Assert.InRange(pause, 0, 500));

        // By force it is stopped and started with its configuration.
        Assert.Contains("\"restarted\":true", await host.CallAsync("module_upgrade", """{ "name": "frontend-nvmf", "version": "0.2.0", "force": true }"""));
        Assert.Contains(nqn, await host.CallAsync("nvmf_get_subsystems"));
    }

    private static int FreePort()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        return port;
    }
}
