using Spindle.Bdev.Lvol;
using Spindle.Blobs;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Blobstore;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Lvol;

/// <summary>Disks with damaged metadata, as the host finds them: nothing ends but what is damaged, and that is told.</summary>
public sealed class LvolDamageTests(ContractHost host, ITestOutputHelper output) : LvolTest(host)
{
    private const int Size = 2 << 20;

    /// <summary>A store that was shut down, with volumes v (a clone of s), w and x.</summary>
    private async Task<(byte[] Bytes, string Store, Dictionary<string, byte[]> Contents)> StoredAsync()
    {
        var (store, disk) = await StoreAsync(2);
        var random = new Random(1);
        var contents = new Dictionary<string, byte[]>();
        foreach (string name in (string[])["v", "w", "x"])
        {
            await CreateAsync(store, name, 1);
            await WriteAsync($"{store}/{name}", 4096, RandomBytes(random, 5 * 4096));
        }
        await CallAsync("bdev_lvol_snapshot", $$"""{"lvol_name":"{{store}}/v","snapshot_name":"s"}""");
        await WriteAsync($"{store}/v", 8192, RandomBytes(random, 4096));
        foreach (string name in (string[])["v", "w", "x", "s"]) contents[name] = await ReadAsync($"{store}/{name}");
        var stores = Host.Modules.Lvol.Service<LvolStores>();
        await Host.OnAppAsync(() => stores.UnloadAsync(stores.All.Single(other => other.Name == store)));
        byte[] bytes;
        await using (var client = await OpenAsync(disk.Name, write: false)) bytes = await client.ReadBytesAsync(0, Size / 512);
        await Host.UnregisterAsync(disk.Name);
        return (bytes, store, contents);
    }

    private async Task<string> ShowDiskAsync(byte[] bytes)
    {
        var disk = new PowerCutDisk(ContractHost.NewName(ModuleHarness.Examined), 512, bytes.ToArray(), writeCache: false);
        await Host.RegisterAsync(disk);
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync()).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        return disk.Name;
    }

    [Fact]
    public async Task One_damaged_volume_is_told_and_the_others_are_served()
    {
        var (bytes, store, contents) = await StoredAsync();
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, 512));
        var damaged = image.Blobs.Values.Single(blob => StoredImage.NameOf(blob) == "w");
        bytes[(int)image.Layout.PageOffset(damaged.RootPage) + 2000] ^= 1;
        string disk = await ShowDiskAsync(bytes);
        var info = await StoreInfoAsync(store);
        Assert.Equal($$"""[{"name":"w","blob_id":{{damaged.Id}}}]""", info["damaged_lvols"]!.ToJsonString());
        Assert.Equal(["s", "v", "x"], (await CallAsync("bdev_lvol_get_lvols", $$"""{"lvs_name":"{{store}}"}"""))!.AsArray().Select(lvol => (string)lvol!["name"]!).Order());
        foreach (string name in (string[])["s", "v", "x"]) Assert.Equal(contents[name], await ReadAsync($"{store}/{name}"));
        Assert.Null(Host.Registry.Find($"{store}/w"));
        // Where a volume has clusters it can be written; nothing can be made.
        byte[] own = RandomBytes(new Random(2), 512);
        await WriteAsync($"{store}/x", 4096, own);
        var e = await FailsAsync("bdev_lvol_create", $$"""{"lvs_name":"{{store}}","lvol_name":"new","size_in_mib":1}""");
        Assert.StartsWith("Input/output error", e.Message);
        Assert.Contains("spindle fsck --repair", e.Message);
        await Host.UnregisterAsync(disk);
    }

    [Fact]
    public async Task Whatever_is_in_the_metadata_the_host_goes_on_and_serves_what_is_in_order()
    {
        int seed = Environment.TickCount, served = 0, damagedStores = 0, refused = 0;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var (original, store, contents) = await StoredAsync();
        var layout = (await StoreReader.ReadAsync(new MemoryStoreSource(original, 512))).Layout;
        var stores = Host.Modules.Lvol.Service<LvolStores>();
        for (int i = 0; i < 60; i++)
        {
            byte[] bytes = original.ToArray();
            string where = $"seed {seed}, round {i}: {RepairTests.Mutate(bytes, layout, random)}";
            var problems = await BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, 512));
            string disk = await ShowDiskAsync(bytes);
            if (stores.All.FirstOrDefault(other => other.BaseName == disk) is not { } found) refused++;
            else
            {
                // What the check says is damaged is not served as if it were not, and the store says so.
                bool damaged = problems.Any(problem => problem.IsDamage);
                Assert.True(damaged == found.Blobs.Damaged.Count > 0, where);
                if (damaged) damagedStores++;
                foreach (var lvol in found.Lvols.ToArray())
                {
                    Assert.True(!found.Blobs.Damaged.ContainsKey(lvol.Blob.Id), where);
                    if (lvol.Bdev is null || lvol.Blob.Size > 4 << 20) continue;
                    byte[] now = await ReadAsync(lvol.Id);
                    // With a right CRC anything is possible but a crash; without, what is served reads as it did.
                    if (!where.Contains("kind 3", StringComparison.Ordinal) && !where.Contains("kind 4", StringComparison.Ordinal))
                        Assert.True(contents[lvol.Name].AsSpan().SequenceEqual(now), $"{where} {lvol.Name} reads otherwise");
                    served++;
                }
            }
            await Host.UnregisterAsync(disk);
            Assert.DoesNotContain(stores.All, other => other.BaseName == disk);
        }
        output.WriteLine($"{served} volumes served, {damagedStores} stores with damage, {refused} refused");
        Assert.True(served > 20 && damagedStores > 5);
    }
}
