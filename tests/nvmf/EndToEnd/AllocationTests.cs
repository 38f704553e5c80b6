using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.Modules;

namespace Spindle.NvmfTests.EndToEnd;

/// <summary>A whole target and Spindle's own initiator on one reactor: what that reactor's thread allocates, either of them has allocated.</summary>
public sealed class AllocationTests
{
    internal static string Modules
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "build.cake"))) folder = folder.Parent;
            return Path.Combine(folder.FullName, "artifacts", "modules");
        }
    }

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("randread", "4K", 1_000_000)]
    [InlineData("randwrite", "4K", 500_000)]
    [InlineData("randrw", "128K", 20_000)]
    public async Task Steady_io_through_passthru_on_malloc_over_tcp_allocates_nothing(string pattern, string size, int ios)
    {
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [Modules],
            Modules = [new("bdev-malloc"), new("bdev-passthru"), new("frontend-nvmf"), new("tool-nvmeperf")],
        });
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 65536, "block_size": 512 }""");
        await host.CallAsync("bdev_passthru_create", """{ "name": "P0", "base_bdev_name": "M0" }""");
        await host.CallAsync("nvmf_create_transport", """{ "trtype": "TCP" }""");
        await host.CallAsync("nvmf_create_subsystem", """{ "nqn": "nqn.2026-11.io.spindle:a", "allow_any_host": true }""");
        await host.CallAsync("nvmf_subsystem_add_ns", """{ "nqn": "nqn.2026-11.io.spindle:a", "namespace": { "bdev_name": "P0" } }""");
        int port = FreePort();
        await host.CallAsync("nvmf_subsystem_add_listener",
            $$"""{ "nqn": "nqn.2026-11.io.spindle:a", "listen_address": { "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": "{{port}}" } }""");

        // The tool measures for a time; runs are added up until the count is reached. The first one warms everything up.
        await MeasureAsync(host, pattern, size, port, 1);
        long done = 0, allocated = 0;
        while (done < ios)
        {
            var (count, bytes) = await MeasureAsync(host, pattern, size, port, 3);
            done += count;
            allocated += bytes;
        }
        Assert.Equal(0, allocated);
    }

    internal static async Task<(long Count, long Allocated)> MeasureAsync(SpindleHost host, string pattern, string size, int port, int seconds)
    {
        var output = new StringWriter();
        int exitCode = -1;
        var tool = host.Modules.Find("tool-nvmeperf")!;
        if (tool.PreparationCompleted is { } prepared) await prepared;
        await host.InvokeAsync(async () => exitCode = await ((ToolModule)tool.Instance!).RunAsync(tool.ContextForTool,
            ["--address", $"127.0.0.1:{port}", "--nqn", "nqn.2026-11.io.spindle:a", "--rw", pattern, "--io-size", size, "--qd", "32", "--time", $"{seconds}", "--json"],
            output, default));
        Assert.True(exitCode == 0, output.ToString());
        var result = JsonDocument.Parse(output.ToString()).RootElement.GetProperty("results")[0];
        return (result.GetProperty("ios").GetInt64(), result.GetProperty("allocated_bytes").GetInt64());
    }

    internal static int FreePort()
    {
        using var socket = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        socket.Start();
        return ((System.Net.IPEndPoint)socket.LocalEndpoint).Port;
    }
}
