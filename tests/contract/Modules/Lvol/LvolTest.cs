using System.Text.Json.Nodes;
using Spindle.ContractTests.Harness;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Lvol;

/// <summary>A test with stores of volumes, as a client makes them.</summary>
public abstract class LvolTest(ContractHost host) : BdevTest(host)
{
    protected const int Mebibyte = 1 << 20;

    protected async Task<JsonNode?> CallAsync(string method, string? parameters = null) => JsonNode.Parse(await Host.Modules.Lvol.CallAsync(method, parameters));

    protected async Task<RpcException> FailsAsync(string method, string parameters) => await Assert.ThrowsAsync<RpcException>(() => Host.Modules.Lvol.CallAsync(method, parameters));

    /// <summary>A disk in memory that is examined when it appears.</summary>
    protected async Task<MemoryDisk> DiskAsync(ulong mebibytes = 8, uint blockSize = 512)
    {
        var disk = new MemoryDisk(ContractHost.NewName(ModuleHarness.Examined), blockSize, (mebibytes << 20) / blockSize) { CompletesLater = false };
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        return disk;
    }

    /// <summary>A store with clusters of 64 KiB on a disk; gone with it.</summary>
    protected async Task<(string Store, MemoryDisk Disk)> StoreAsync(ulong mebibytes = 8)
    {
        var disk = await DiskAsync(mebibytes);
        string name = ContractHost.NewName("lvs");
        await CallAsync("bdev_lvol_create_lvstore", $$"""{"bdev_name":"{{disk.Name}}","lvs_name":"{{name}}","cluster_sz":65536}""");
        return (name, disk);
    }

    /// <summary>Makes a volume and returns its UUID.</summary>
    protected async Task<string> CreateAsync(string store, string name, ulong mebibytes = 1, bool thin = true) => (string)(await CallAsync("bdev_lvol_create",
        $$"""{"lvs_name":"{{store}}","lvol_name":"{{name}}","size_in_mib":{{mebibytes}},"thin_provision":{{(thin ? "true" : "false")}}}"""))!;

    protected async Task WriteAsync(string name, int at, byte[] data)
    {
        await using var client = await OpenAsync(name);
        await client.WriteBytesAsync((ulong)at / client.Bdev.BlockSize, data);
    }

    protected async Task<byte[]> ReadAsync(string name)
    {
        await using var client = await OpenAsync(name, write: false);
        return await client.ReadBytesAsync(0, client.Bdev.BlockCount);
    }

    protected async Task<JsonObject> StoreInfoAsync(string store) => (JsonObject)(await CallAsync("bdev_lvol_get_lvstores", $$"""{"lvs_name":"{{store}}"}"""))!.AsArray()[0]!;

    protected async Task<JsonObject> InfoAsync(string store, string name) =>
        (JsonObject)(await CallAsync("bdev_lvol_get_lvols", $$"""{"lvs_name":"{{store}}"}"""))!.AsArray().Single(lvol => (string)lvol!["name"]! == name)!;
}
