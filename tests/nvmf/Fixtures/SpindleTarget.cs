using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Spindle.InteropTests.Processes;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>The built command line as a process of its own, with a configuration made for the test on a port that was free.</summary>
public sealed class SpindleTarget : ITargetFixture
{
    private const ulong BystanderLba = 130_000;

    private readonly SpindleProcess process;
    private NvmeTcpController? bystander;
    private byte[] bystanderData = new byte[8192];

    private SpindleTarget(SpindleProcess process, IPEndPoint endpoint)
    {
        this.process = process;
        Endpoint = endpoint;
    }

    public IPEndPoint Endpoint { get; }
    public string Subnqn => "nqn.2026-11.io.spindle:open";
    public string RestrictedSubnqn => "nqn.2026-11.io.spindle:restricted";
    public string AllowedHostnqn => "nqn.2026-11.io.spindle:host-allowed";
    public bool IsRunning => !process.HasExited;

    public static async Task<SpindleTarget> StartAsync(TargetOptions? options = null)
    {
        IPEndPoint endpoint = FreePort();
        SpindleProcess process = await SpindleProcess.StartAsync(new SpindleOptions { StartTimeout = TimeSpan.FromSeconds(20) });
        SpindleTarget target = new(process, endpoint);
        try
        {
            await target.ConfigureAsync(options ?? new TargetOptions());
            target.bystander = await NvmeTcpController.ConnectAsync(endpoint, target.Subnqn);
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    private async Task ConfigureAsync(TargetOptions options)
    {
        await RpcAsync("bdev_malloc_create", new { name = "Malloc0", num_blocks = 131072, block_size = 512 });
        await RpcAsync("bdev_malloc_create", new { name = "Malloc1", num_blocks = 4096, block_size = 4096 });
        await RpcAsync("bdev_null_create", new { name = "Null0", num_blocks = 131072, block_size = 512 });
        await RpcAsync("nvmf_create_transport", new
        {
            trtype = "TCP",
            c2h_success = options.C2hSuccess,
            in_capsule_data_size = options.InCapsuleDataSize,
            max_io_size = options.MaxIoSize,
            max_queue_depth = options.MaxQueueDepth,
        });
        await RpcAsync("nvmf_create_subsystem", new { nqn = Subnqn, allow_any_host = true, serial_number = "SPINDLE0001", model_number = "Spindle test", max_namespaces = 32 });
        await RpcAsync("nvmf_subsystem_add_ns", new { nqn = Subnqn, @namespace = new { nsid = 1, bdev_name = "Malloc0" } });
        await RpcAsync("nvmf_subsystem_add_ns", new { nqn = Subnqn, @namespace = new { nsid = 2, bdev_name = "Malloc1" } });
        await RpcAsync("nvmf_create_subsystem", new { nqn = RestrictedSubnqn, allow_any_host = false, serial_number = "SPINDLE0002" });
        await RpcAsync("nvmf_subsystem_add_host", new { nqn = RestrictedSubnqn, host = AllowedHostnqn });
        foreach (string nqn in (string[])[Subnqn, RestrictedSubnqn, Spindle.Nvme.Nqn.Discovery])
        {
            await RpcAsync("nvmf_subsystem_add_listener", new { nqn, listen_address = ListenAddress() });
        }
    }

    /// <summary>The listener's address as RPCs take it.</summary>
    public object ListenAddress(int? port = null) => new { trtype = "TCP", adrfam = "IPv4", traddr = Endpoint.Address.ToString(), trsvcid = (port ?? Endpoint.Port).ToString() };

    public Task<JsonElement> RpcAsync(string method, object? parameters = null) => process.CallAsync(method, parameters).WaitAsync(TimeSpan.FromSeconds(10));

    public async Task AssertHealthyAsync()
    {
        Assert.True(IsRunning, $"The target process ended:\n{Tail()}");
        Assert.True(bystander!.Admin.Failure is null, $"The bystander's Admin Queue failed: {bystander.Admin.Failure}");
        NamespaceIo ns = new(bystander.Io, 1, 512);
        Random.Shared.NextBytes(bystanderData);
        await ns.WriteByR2TAsync(BystanderLba, bystanderData);
        byte[] read = await ns.ReadAsync(BystanderLba, 16);
        Assert.True(bystanderData.AsSpan().SequenceEqual(read), "The bystander read other data than it wrote.");
    }

    public async ValueTask DisposeAsync()
    {
        if (bystander is not null)
        {
            await bystander.DisposeAsync();
        }
        await process.DisposeAsync();
    }

    /// <summary>A loopback port that nobody listens on; another process may take it before the target does, which the start then says.</summary>
    public static IPEndPoint FreePort()
    {
        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return (IPEndPoint)probe.LocalEndpoint;
    }

    private string Tail()
    {
        string output = process.Output;
        return output.Length > 4000 ? output[^4000..] : output;
    }
}
