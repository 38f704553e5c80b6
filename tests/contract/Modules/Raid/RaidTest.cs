using System.Text.Json.Nodes;
using Spindle.Bdev.Raid;
using Spindle.ContractTests.Harness;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>A test with arrays, as a client makes them, on disks in memory that are examined when they appear.</summary>
public abstract class RaidTest(ContractHost host) : BdevTest(host)
{
    protected const uint Block = 512;

    /// <summary>Blocks before the data of a member with a superblock.</summary>
    protected const ulong DataOffset = (1 << 20) / Block;

    protected Task<string> CallAsync(string method, string parameters) => Host.Modules.Raid.CallAsync(method, parameters);

    protected async Task<RpcException> FailsAsync(string method, string parameters) => await Assert.ThrowsAsync<RpcException>(() => CallAsync(method, parameters));

    protected RaidArrays Arrays => Host.Modules.Raid.Service<RaidArrays>();

    /// <summary>A disk in memory with room for a superblock and so many blocks of data.</summary>
    protected static MemoryDisk NewDisk(ulong dataBlocks = 2048, bool writeCache = false, Guid? uuid = null) =>
        new(ContractHost.NewName(ModuleHarness.Examined), Block, DataOffset + dataBlocks, writeCache) { Uuid = uuid ?? Guid.NewGuid() };

    protected async Task<MemoryDisk[]> DisksAsync(int count, ulong dataBlocks = 2048, bool writeCache = false)
    {
        var disks = new MemoryDisk[count];
        for (int i = 0; i < count; i++)
        {
            disks[i] = NewDisk(dataBlocks, writeCache);
            await AppearAsync(disks[i]);
        }
        return disks;
    }

    /// <summary>Registers a disk and waits until it was examined.</summary>
    protected async Task AppearAsync(Bdevs.Bdev disk)
    {
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        await ExaminedAsync();
    }

    protected Task ExaminedAsync() => Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());

    protected Task VanishAsync(Bdevs.Bdev disk) => Host.UnregisterAsync(disk.Name).WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>What is on a disk, on another object with the same identity: a disk that was taken out of one machine.</summary>
    protected async Task<MemoryDisk> MovedAsync(MemoryDisk disk, Guid? uuid = null)
    {
        byte[] bytes;
        await using (var client = await OpenAsync(disk.Name, write: false)) bytes = await client.ReadBytesAsync(0, disk.BlockCount);
        return await FilledAsync(bytes, uuid ?? disk.Uuid);
    }

    /// <summary>A disk, not registered, that has these bytes.</summary>
    protected async Task<MemoryDisk> FilledAsync(byte[] bytes, Guid uuid)
    {
        // Written under a name that is not examined.
        var disk = new MemoryDisk(ContractHost.NewName("quiet"), Block, (ulong)bytes.Length / Block);
        await Host.RegisterAsync(disk);
        await using (var client = await OpenAsync(disk.Name)) await client.WriteBytesAsync(0, bytes);
        await Host.UnregisterAsync(disk.Name);
        return disk.Renamed(ContractHost.NewName(ModuleHarness.Examined), uuid);
    }

    /// <summary>Makes an array; its name.</summary>
    protected async Task<string> ArrayAsync(string level, IEnumerable<string> members, bool superblock = true, int stripKib = 0)
    {
        string name = ContractHost.NewName("raid");
        await CallAsync("bdev_raid_create", $$"""
            {"name":"{{name}}","raid_level":"{{level}}","base_bdevs":[{{string.Join(',', members.Select(member => $"\"{member}\""))}}],"superblock":{{(superblock ? "true" : "false")}}{{(stripKib > 0 ? $",\"strip_size_kb\":{stripKib}" : "")}}}
            """);
        return Track(name);
    }

    protected Task<string> ArrayAsync(string level, IEnumerable<Bdevs.Bdev> members, bool superblock = true, int stripKib = 0) => ArrayAsync(level, members.Select(member => member.Name), superblock, stripKib);

    protected async Task<JsonObject?> InfoAsync(string name) =>
        (JsonObject?)JsonNode.Parse(await CallAsync("bdev_raid_get_bdevs", """{"category":"all"}"""))!.AsArray().FirstOrDefault(array => (string)array!["name"]! == name);

    protected static async Task UntilAsync(Func<Task<bool>> isTrue, string what)
    {
        for (long end = Environment.TickCount64 + 30_000; !await isTrue();)
        {
            Assert.True(Environment.TickCount64 < end, $"after 30 s still waiting for {what}");
            await Task.Delay(2, Cancel);
        }
    }

    /// <summary>Waits until an array has all members, and all are rebuilt.</summary>
    protected Task WholeAsync(string name) => UntilAsync(() => Host.OnAppAsync(() => Task.FromResult(
        Arrays.Find(name) is { State: RaidState.Online } array && array.Discovered == array.Slots.Count && array.Operational == array.Slots.Count)), $"{name} to be whole");

    protected async Task<string> StateAsync(string name) => (string?)(await InfoAsync(name))?["state"] ?? "gone";

    protected Task AddAsync(string name, Bdevs.Bdev disk) => CallAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{disk.Name}}"}""");

    protected Task RemoveAsync(Bdevs.Bdev disk) => CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disk.Name}}"}""");

    protected Task DeleteAsync(string name) => CallAsync("bdev_raid_delete", $$"""{"name":"{{name}}"}""");

    /// <summary>The data of a member.</summary>
    protected async Task<byte[]> RawAsync(Bdevs.Bdev disk, ulong offset = DataOffset)
    {
        await using var client = await OpenAsync(disk.Name, write: false);
        return await client.ReadBytesAsync(offset, disk.BlockCount - offset);
    }

    protected async Task<byte[]> ReadAllAsync(string name)
    {
        await using var client = await OpenAsync(name, write: false);
        return await client.ReadBytesAsync(0, client.Bdev.BlockCount);
    }

    protected async Task WriteAsync(string name, ulong block, byte[] bytes)
    {
        await using var client = await OpenAsync(name);
        await client.WriteBytesAsync(block, bytes);
    }
}
