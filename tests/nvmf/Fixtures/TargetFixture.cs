using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>Configures a target by RPC on a loopback port that was free, and watches over it with a connection of its own.</summary>
public abstract class TargetFixture : ITargetFixture
{
    private const ulong BystanderLba = 130_000;

    private readonly byte[] bystanderData = new byte[8192];
    private NvmeTcpController? bystander;

    public IPEndPoint Endpoint { get; } = FreePort();
    public string Subnqn => "nqn.2026-11.io.spindle:open";
    public string RestrictedSubnqn => "nqn.2026-11.io.spindle:restricted";
    public string AllowedHostnqn => "nqn.2026-11.io.spindle:host-allowed";
    public abstract bool IsRunning { get; }

    /// <summary>What the target said so far, for messages.</summary>
    protected abstract string Output { get; }

    public abstract Task<JsonElement> RpcAsync(string method, object? parameters = null);

    /// <summary>The listener's address as RPCs take it.</summary>
    public object ListenAddress() => new { trtype = "TCP", adrfam = "IPv4", traddr = Endpoint.Address.ToString(), trsvcid = Endpoint.Port.ToString() };

    protected async Task ConfigureAsync(TargetOptions options)
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
        bystander = await NvmeTcpController.ConnectAsync(Endpoint, Subnqn);
    }

    public async Task AssertHealthyAsync()
    {
        Assert.True(IsRunning, $"The target ended:\n{Tail()}");
        Assert.True(bystander!.Admin.Failure is null, $"The bystander's Admin Queue failed: {bystander.Admin.Failure}\n{Tail()}");
        NamespaceIo ns = new(bystander.Io, 1, 512);
        Random.Shared.NextBytes(bystanderData);
        await ns.WriteByR2TAsync(BystanderLba, bystanderData);
        byte[] read = await ns.ReadAsync(BystanderLba, 16);
        Assert.True(bystanderData.AsSpan().SequenceEqual(read), "The bystander read other data than it wrote.");
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (bystander is not null)
        {
            await bystander.DisposeAsync();
        }
        await StopAsync();
    }

    protected abstract ValueTask StopAsync();

    /// <summary>A loopback port that nobody listens on; another process may take it before the target does, which the start then says.</summary>
    private static IPEndPoint FreePort()
    {
        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return (IPEndPoint)probe.LocalEndpoint;
    }

    private string Tail() => Output.Length > 4000 ? Output[^4000..] : Output;
}
