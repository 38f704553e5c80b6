using Spindle.Bdev.Lvol;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Lvol;

/// <summary>Stores come back with their bdevs, and go with them.</summary>
public sealed class LvolLifecycleTests(ContractHost host) : LvolTest(host)
{
    private Task ExaminedAsync() => Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());

    [Fact]
    public async Task A_store_whose_bdev_goes_goes_with_it_and_is_recovered_when_it_is_back()
    {
        var (store, disk) = await StoreAsync();
        string id = await CreateAsync(store, "v");
        byte[] data = RandomBytes(new Random(1), 3000 / 512 * 512);
        await WriteAsync(id, 65536, data);
        await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{id}}","snapshot_name":"s"}""");
        byte[] all = await ReadAsync(id);
        var client = await OpenAsync(id, closeWhenRemoved: true);
        await Host.UnregisterAsync(disk.Name);
        Assert.Null(Host.Registry.Find(id));
        Assert.DoesNotContain(Host.Modules.Lvol.Service<LvolStores>().All, other => other.Name == store);
        await client.DisposeAsync();
        var again = disk.CutPower(new Random(1));
        again.CompletesLater = false;
        await Host.RegisterAsync(again);
        await ExaminedAsync();
        Assert.Equal(all, await ReadAsync($"{store}/v"));
        Assert.Equal(all, await ReadAsync($"{store}/s"));
        Assert.Equal(id, Host.Registry.Find($"{store}/v")!.Name);
    }

    [Fact]
    public async Task A_store_that_was_shut_down_is_clean()
    {
        var (store, disk) = await StoreAsync();
        string id = await CreateAsync(store, "v", thin: false);
        await WriteAsync(id, 512, RandomBytes(new Random(1), 512));
        byte[] all = await ReadAsync(id);
        var stores = Host.Modules.Lvol.Service<LvolStores>();
        await Host.OnAppAsync(() => stores.UnloadAsync(stores.All.Single(other => other.Name == store)));
        Assert.Null(Host.Registry.Find(id));
        byte[] bytes;
        await using (var client = await OpenAsync(disk.Name, write: false)) bytes = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
        Assert.Empty(await Blobs.BlobstoreCheck.RunAsync(new Blobs.Images.MemoryStoreSource(bytes, 512)));
        await Host.UnregisterAsync(disk.Name);
        var again = disk.CutPower(new Random(1));
        again.CompletesLater = false;
        await Host.RegisterAsync(again);
        await ExaminedAsync();
        Assert.Equal(all, await ReadAsync(id));
    }

    [Fact]
    public async Task A_clone_of_a_bdev_outside_waits_for_it_and_keeps_others_from_writing()
    {
        var (store, _) = await StoreAsync();
        var outside = new MemoryDisk(ContractHost.NewName(ModuleHarness.Examined), 512, 2000) { CompletesLater = false, Uuid = Guid.NewGuid() };
        await Host.RegisterAsync(outside);
        Track(outside.Name);
        byte[] data = RandomBytes(new Random(1), 2000 * 512);
        await WriteAsync(outside.Name, 0, data);
        await CallAsync("bdev_lvol_clone_bdev", $$"""{"bdev":"{{outside.Name}}","lvs_name":"{{store}}","clone_name":"c"}""");
        byte[] expected = [.. data, .. new byte[(16 * 65536) - data.Length]];
        Assert.Equal(expected, await ReadAsync($"{store}/c"));
        var refused = await Assert.ThrowsAsync<SpindleException>(() => OpenAsync(outside.Name));
        Assert.Equal(Errno.EPERM, refused.Errno);
        byte[] own = RandomBytes(new Random(2), 512);
        await WriteAsync($"{store}/c", 65536, own);
        own.CopyTo(expected, 65536);
        Assert.Equal(expected, await ReadAsync($"{store}/c"));
        await Host.UnregisterAsync(outside.Name);
        Assert.True((bool)(await InfoAsync(store, "c"))["is_degraded"]!);
        await Host.RegisterAsync(outside.CutPower(new Random(1)));
        await ExaminedAsync();
        var lvols = Host.Modules.Lvol.Service<Lvols>();
        await Eventually.IsTrueAsync(() => lvols.Find($"{store}/c") is { Blob.IsDegraded: false }, "the clone to find its bdev again");
        Assert.Equal(expected, await ReadAsync($"{store}/c"));
        await CallAsync("bdev_lvol_inflate", $$"""{"name":"{{store}}/c"}""");
        Assert.Equal(expected, await ReadAsync($"{store}/c"));
        // It is free again.
        await WriteAsync(outside.Name, 0, own);
        Assert.Equal(expected, await ReadAsync($"{store}/c"));
    }

    [Fact]
    public async Task Reads_and_writes_go_on_while_volumes_change()
    {
        var (store, _) = await StoreAsync(16);
        int seed = Environment.TickCount;
        string id = await CreateAsync(store, "v", 2);
        var clients = new[] { await OpenAsync(id, worker: 0), await OpenAsync(id, worker: 1) };
        using var stop = new CancellationTokenSource();
        // Each writes and reads blocks of its own.
        var loads = clients.Select(async (client, half) =>
        {
            var random = new Random(seed + half);
            byte[][] blocks = [.. Enumerable.Range(0, 2048).Select(_ => new byte[512])];
            int count = 0;
            while (!stop.IsCancellationRequested)
            {
                int block = random.Next(2048);
                ulong at = (ulong)((block * 2) + half);
                if (random.Next(2) == 0)
                {
                    byte[] data = RandomBytes(random, 512);
                    await client.WriteBytesAsync(at, data);
                    blocks[block] = data;
                }
                else
                {
                    byte[] read = await client.ReadBytesAsync(at, 1);
                    Assert.True(blocks[block].AsSpan().SequenceEqual(read), $"seed {seed}: block {at} after {count} I/Os");
                }
                count++;
            }
            return count;
        }).ToArray();
        for (int round = 0; round < 6; round++)
        {
            await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{id}}","snapshot_name":"s{{round}}"}""");
            if (round == 1) await CallAsync("bdev_lvol_delete", $$"""{"name":"{{store}}/s0"}""");
            if (round == 3) await CallAsync("bdev_lvol_decouple_parent", $$"""{"name":"{{id}}"}""");
            if (round == 4) await CallAsync("bdev_lvol_inflate", $$"""{"name":"{{id}}"}""");
            await Task.Delay(20, Cancel);
        }
        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(loads), count => Assert.True(count > 10));
    }
}
