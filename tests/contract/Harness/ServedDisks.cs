using System.Net;
using System.Net.Sockets;
using Spindle.Bdev.Malloc;
using Spindle.Frontend.Nvmf;

namespace Spindle.ContractTests.Harness;

/// <summary>Spindle's own target, in a host of its own, for the initiators of the other one: disks in memory, each in a subsystem of its own.</summary>
public sealed class ServedDisks : IAsyncDisposable
{
    private static readonly SemaphoreSlim s_starting = new(1);
    private static ServedDisks? s_shared;

    private readonly TestHost _host;
    private readonly TestModule _malloc, _nvmf;

    private ServedDisks(TestHost host, TestModule malloc, TestModule nvmf)
    {
        _host = host;
        _malloc = malloc;
        _nvmf = nvmf;
    }

    public TestHost Host => _host;

    /// <summary>The one that tests share; it is there from its first use to the end of the process.</summary>
    public static async Task<ServedDisks> SharedAsync()
    {
        await s_starting.WaitAsync();
        try
        {
            return s_shared ??= await StartAsync();
        }
        finally
        {
            s_starting.Release();
        }
    }

    /// <summary>Starts one.</summary>
    /// <param name="transport">Members of nvmf_create_transport besides trtype, with a comma before each.</param>
    public static async Task<ServedDisks> StartAsync(string transport = "")
    {
        var host = await TestHost.StartAsync(new TestHostOptions { Cores = 1, Workers = 1, Ring = Environment.GetEnvironmentVariable("SPINDLE_TEST_RING") ?? "auto" });
        var malloc = await host.AddModuleAsync(new MallocModule());
        var nvmf = await host.AddModuleAsync(new NvmfFrontEnd());
        await nvmf.CallAsync("nvmf_create_transport", $$"""{"trtype":"TCP"{{transport}}}""");
        return new ServedDisks(host, malloc, nvmf);
    }

    /// <summary>Serves a new disk in memory.</summary>
    /// <param name="malloc">Members of bdev_malloc_create besides the name, with a comma before each.</param>
    /// <param name="subsystem">Members of nvmf_create_subsystem besides nqn and allow_any_host, with a comma before each.</param>
    public async Task<ServedDisk> AddAsync(string malloc, string subsystem = "")
    {
        var disk = new ServedDisk(this, TestHost.NewName("served"), FreePort());
        await _malloc.CallAsync("bdev_malloc_create", $$"""{"name":"{{disk.Name}}"{{malloc}}}""");
        await CallAsync("nvmf_create_subsystem", $$"""{"nqn":"{{disk.Nqn}}","allow_any_host":true,"serial_number":"{{disk.Name}}"{{subsystem}}}""");
        await CallAsync("nvmf_subsystem_add_ns", $$$"""{"nqn":"{{{disk.Nqn}}}","namespace":{"bdev_name":"{{{disk.Name}}}"}}""");
        await disk.ListenAsync(disk.Port);
        return disk;
    }

    /// <summary>Calls a method of the target.</summary>
    public Task<string> CallAsync(string method, string parameters) => _nvmf.CallAsync(method, parameters);

    internal Task<string> CallMallocAsync(string method, string parameters) => _malloc.CallAsync(method, parameters);

    /// <summary>A port that nobody listens on.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopModulesAsync();
        await _host.DisposeAsync();
    }
}

/// <summary>A disk that a target serves.</summary>
public sealed class ServedDisk(ServedDisks target, string name, int port)
{
    /// <summary>The bdev's name at the target.</summary>
    public string Name { get; } = name;

    public int Port { get; } = port;
    public string Nqn => $"nqn.2026-11.io.spindle:{Name}";

    public ServedDisks Target { get; } = target;

    /// <summary>What bdev_nvme_attach_controller takes.</summary>
    /// <param name="controller">The name.</param>
    /// <param name="more">Further members, with a comma before each.</param>
    /// <param name="at">The port; its own when absent.</param>
    public string Attach(string controller, string more = "", int? at = null) =>
        $$"""{"name":"{{controller}}","trtype":"TCP","traddr":"127.0.0.1","trsvcid":"{{at ?? Port}}","subnqn":"{{Nqn}}"{{more}}}""";

    public Task ListenAsync(int port) => Target.CallAsync("nvmf_subsystem_add_listener", Listener(port));

    public Task StopListeningAsync(int port) => Target.CallAsync("nvmf_subsystem_remove_listener", Listener(port));

    public string Listener(int port, string more = "") => $$$"""{"nqn":"{{{Nqn}}}","listen_address":{"trtype":"TCP","adrfam":"IPv4","traddr":"127.0.0.1","trsvcid":"{{{port}}}"}{{{more}}}}""";

    /// <summary>The target ends, and the disk with it.</summary>
    public async Task RemoveAsync()
    {
        await Target.CallAsync("nvmf_delete_subsystem", $$"""{"nqn":"{{Nqn}}"}""");
        await Target.CallMallocAsync("bdev_malloc_delete", $$"""{"name":"{{Name}}"}""");
    }
}
