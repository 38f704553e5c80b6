using System.Net;
using System.Net.Sockets;
using Newtonsoft.Json.Linq;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Hosting;
using Spindle.Modules;
using Spindle.Threading;

namespace Spindle.PerformanceTests.Budgets;

/// <summary>A host with one reactor in the test's process: bdevs, a target and load generators, all on one thread whose costs are read.</summary>
public sealed class MeasuredHost : IAsyncLifetime
{
    private const string Nqn = "nqn.2026-11.io.spindle:budget";
    private readonly string _file = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"spindle-budget-{Guid.NewGuid():N}");
    private SpindleHost _host = null!;
    private int _port;

    /// <summary>Why no instructions are counted; empty when they are.</summary>
    public string NoInstructions { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [Path.Combine(Repository.Root, "artifacts", "modules")],
            Modules = [.. new[] { "bdev-null", "bdev-malloc", "bdev-passthru", "bdev-aio", "frontend-nvmf", "tool-bdevperf", "tool-nvmeperf" }
                .Select(name => new Spindle.Host.Manifests.AppModule(name))],
        });
        await using (var file = File.Create(_file)) file.SetLength(64 << 20);
        await CallAsync("bdev_null_create", """{ "name": "null", "num_blocks": 16384, "block_size": 4096 }""");
        await CallAsync("bdev_malloc_create", """{ "name": "malloc", "num_blocks": 16384, "block_size": 4096 }""");
        await CallAsync("bdev_malloc_create", """{ "name": "base", "num_blocks": 16384, "block_size": 4096 }""");
        await CallAsync("bdev_malloc_create", """{ "name": "served", "num_blocks": 16384, "block_size": 4096 }""");
        await CallAsync("bdev_passthru_create", """{ "name": "passthru", "base_bdev_name": "base" }""");
        await CallAsync("bdev_aio_create", $$"""{ "name": "aio", "filename": "{{_file}}", "block_size": 4096 }""");
        await CallAsync("nvmf_create_transport", """{ "trtype": "TCP" }""");
        await CallAsync("nvmf_create_subsystem", $$"""{ "nqn": "{{Nqn}}", "allow_any_host": true }""");
        await CallAsync("nvmf_subsystem_add_ns", $$"""{ "nqn": "{{Nqn}}", "namespace": { "bdev_name": "served" } }""");
        _port = FreePort();
        await CallAsync("nvmf_subsystem_add_listener",
            $$"""{ "nqn": "{{Nqn}}", "listen_address": { "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": "{{_port}}" } }""");
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        File.Delete(_file);
    }

    /// <summary>Runs load for a second and returns what it cost. A short run before compiles and connects what is to be.</summary>
    /// <param name="scenario">bdev/NAME/PATTERN/qN, or nvmf/malloc/PATTERN/qN.</param>
    public async Task<Cost> MeasureAsync(string scenario)
    {
        var parts = scenario.Split('/');
        bool overTcp = parts[0] == "nvmf";
        string bdev = overTcp ? "served" : parts[1];
        var tool = _host.Modules.Find(overTcp ? "tool-nvmeperf" : "tool-bdevperf")!;
        if (tool.PreparationCompleted is { } prepared) await prepared;
        string[] arguments = [.. overTcp ? ["--address", $"127.0.0.1:{_port}", "--nqn", Nqn] : new[] { "--bdev", bdev }, "--rw", parts[2], "--qd", parts[3][1..], "--json"];
        await RunAsync(tool, [.. arguments, "--time", "0.2", "--warmup", "0.3"]);

        var thread = tool.ContextForTool.Threads.CreateThread("budget", tool.ContextForTool.Threads.Cores[0]);
        InstructionCounter? counter = null;
        try
        {
            long calls = 0, instructions = 0, iosBefore = await IosAsync(bdev);
            await thread.InvokeAsync(() =>
            {
                counter = InstructionCounter.TryOpen(out string reason);
                NoInstructions = reason;
                calls = SystemCallCount.OfThisThread;
                instructions = counter?.Read() ?? 0;
                return Task.CompletedTask;
            });
            var result = await RunAsync(tool, [.. arguments, "--time", "1", "--warmup", "0"]);
            await thread.InvokeAsync(() =>
            {
                calls = SystemCallCount.OfThisThread - calls;
                instructions = (counter?.Read() ?? 0) - instructions;
                return Task.CompletedTask;
            });
            return new Cost(await IosAsync(bdev) - iosBefore, (long)result["allocated_bytes"]!, calls, counter is null ? null : instructions);
        }
        finally
        {
            counter?.Dispose();
            await thread.ExitAsync();
        }
    }

    private async Task<JToken> RunAsync(Spindle.Host.Modules.LoadedModule tool, string[] arguments)
    {
        var output = new StringWriter();
        int exitCode = -1;
        await _host.InvokeAsync(async () => exitCode = await ((ToolModule)tool.Instance!).RunAsync(tool.ContextForTool, arguments, output, default));
        Assert.True(exitCode == 0, output.ToString());
        return JObject.Parse(output.ToString())["results"]![0]!;
    }

    private async Task<long> IosAsync(string bdev)
    {
        var counters = JObject.Parse(await CallAsync("bdev_get_iostat", $$"""{ "name": "{{bdev}}" }"""))["bdevs"]![0]!;
        return (long)counters["num_read_ops"]! + (long)counters["num_write_ops"]!;
    }

    private Task<string> CallAsync(string method, string parameters) => _host.CallAsync(method, parameters);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
