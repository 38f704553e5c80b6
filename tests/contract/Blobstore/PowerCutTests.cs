using Spindle.Bdevs;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Whatever the moment of a power cut: the store loads, is in order, and has every acknowledged change and every byte that was made durable.</summary>
public sealed class PowerCutTests(ContractHost host, ITestOutputHelper output) : StoreTest(host)
{
    private const int Size = 1 << 20;

    private async Task<(PowerCutDisk Disk, VolumeRun Run)> RunAsync(int seed, uint block, bool writeCache, uint atomic, int steps)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("cut"), block, new byte[Size], writeCache, atomic);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        var run = new VolumeRun(Host, disk, new Random(seed), Cluster);
        await run.StartAsync();
        try
        {
            await run.RunAsync(steps);
            await run.CompareAsync();
        }
        finally
        {
            await run.StopAsync();
        }
        return (disk, run);
    }

    [Theory]
    [InlineData(4096, false, 0)]
    [InlineData(4096, true, 0)]
    [InlineData(512, false, 0)]
    [InlineData(512, true, 0)]
    [InlineData(512, true, 4096)]
    public async Task Random_steps_leave_what_the_model_says(int block, bool writeCache, int atomic)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        for (int i = 0; i < 4; i++)
        {
            var (disk, _) = await RunAsync(seed + i, (uint)block, writeCache, (uint)atomic, 80);
            var problems = await BlobstoreCheckOf(disk.Cut(disk.Moments, new Random(0)), (uint)block);
            Assert.Empty(problems);
        }
    }

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData(4096, false, 0, 130)]
    [InlineData(4096, true, 0, 130)]
    [InlineData(512, false, 0, 130)]
    [InlineData(512, true, 0, 130)]
    [InlineData(512, true, 4096, 60)]
    public async Task Any_moment(int block, bool writeCache, int atomic, int cuts)
    {
        int seed = Environment.TickCount, done = 0, twice = 0;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var (disk, run) = await RunAsync(seed, (uint)block, writeCache, (uint)atomic, 70);
        int first = run.Steps[0].Begin;
        for (int i = 0; i < cuts; i++)
        {
            int moment = random.Next(first, disk.Moments + 1), fate = random.Next();
            byte[] bytes = disk.Cut(moment, new Random(fate));
            string where = $"seed {seed}, cut after moment {moment} of {disk.Moments}, fate {fate}";
            var model = VolumeModel.At(run.Steps, moment, (int)(Cluster / disk.BlockSize), writeCache);
            string history = VolumeRun.Text(run.Steps.Where(step => step.Begin < moment));
            var problems = await BlobstoreCheckOf(bytes, (uint)block);
            Assert.True(problems.All(problem => !problem.IsDamage), $"{where}: {string.Join(' ', problems.Select(problem => problem.Text))}\n{history}");
            var recovered = await RecoverAsync(bytes, (uint)block, writeCache, (uint)atomic, where);
            await CompareAsync(recovered.Cut(recovered.Moments, new Random(0)), model, (uint)block, where, history);
            done++;
            // The power goes again while it recovers.
            if (i % 3 != 0) continue;
            byte[] again = recovered.Cut(random.Next(recovered.Moments + 1), new Random(random.Next()));
            var second = await RecoverAsync(again, (uint)block, writeCache, (uint)atomic, where + ", and again while it recovered");
            await CompareAsync(second.Cut(second.Moments, new Random(0)), model, (uint)block, where + ", and again while it recovered", history);
            twice++;
        }
        var (writes, flushes) = disk.Counts;
        output.WriteLine($"{run.Steps.Count} steps, {writes} writes and {flushes} flushes on the disk; {done} cuts, {twice} of them twice");
        Assert.True(done == cuts);
    }

    [Theory]
    [InlineData(512, false)]
    [InlineData(512, true)]
    [InlineData(4096, true)]
    public async Task A_growth_is_done_or_not(int block, bool writeCache)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var small = new PowerCutDisk(ContractHost.NewName("cut"), (uint)block, new byte[Size / 2], writeCache);
        await Host.RegisterAsync(small);
        Track(small.Name);
        var open = await OpenStoreAsync(small.Name, new() { ClusterSize = Cluster });
        await CreateBlobAsync(open, "first", 4, thin: false);
        await CloseStoreAsync(open);
        byte[] bytes = [.. small.Cut(small.Moments, random), .. new byte[Size / 2]];
        var disk = new PowerCutDisk(ContractHost.NewName("cut"), (uint)block, bytes.ToArray(), writeCache);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        open = await OpenStoreAsync(disk.Name);
        uint before = open.Store.DataClusters;
        await Host.OnAppAsync(() => open.Store.GrowAsync());
        int grown = disk.Moments;
        Assert.Equal(before + (Size / 2 / Cluster), open.Store.DataClusters);
        await CreateBlobAsync(open, "second", before, thin: false);
        int second = disk.Moments;
        await CloseStoreAsync(open);
        for (int moment = 0; moment <= disk.Moments; moment++)
        {
            string where = $"seed {seed}, moment {moment} of {disk.Moments}";
            var recovered = await RecoverAsync(disk.Cut(moment, new Random(seed + moment)), (uint)block, writeCache, 0, where);
            byte[] now = recovered.Cut(recovered.Moments, random);
            Assert.Empty(await BlobstoreCheckOf(now, (uint)block));
            var image = await StoreReader.ReadAsync(new MemoryStoreSource(now, (uint)block));
            Assert.True(image.Layout.DataClusters == before + (Size / 2 / Cluster) || (moment < grown && image.Layout.DataClusters == before), where);
            Assert.True(image.Blobs.Count == 2 || (moment < second && image.Blobs.Count == 1), where);
        }
    }

    private static Task<IReadOnlyList<StoreProblem>> BlobstoreCheckOf(byte[] bytes, uint block) => Spindle.Blobs.BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, block));

    private async Task<PowerCutDisk> RecoverAsync(byte[] bytes, uint block, bool writeCache, uint atomic, string where)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("cut"), block, bytes, writeCache, atomic);
        await Host.RegisterAsync(disk);
        try
        {
            await CloseStoreAsync(await OpenStoreAsync(disk.Name));
        }
        catch (SpindleException e)
        {
            Assert.Fail($"{where}: {e.Message}");
        }
        finally
        {
            await Host.UnregisterAsync(disk.Name);
        }
        return disk;
    }

    private static async Task CompareAsync(byte[] bytes, VolumeModel model, uint block, string where, string history)
    {
        Assert.Empty(await BlobstoreCheckOf(bytes, block));
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, block));
        Assert.True(image.WasClean, where);
        var there = image.Blobs.Values.ToDictionary(StoredImage.NameOf);
        foreach (string name in there.Keys) Assert.True(model.Volumes.ContainsKey(name), $"{where}: {name} is there, and should not be\n{history}");
        foreach (var (name, volume) in model.Volumes)
        {
            if (!there.TryGetValue(name, out var blob))
            {
                Assert.True(volume.Unsure, $"{where}: {name} is not there\n{history}");
                continue;
            }
            byte[] content = StoredImage.Content(image, blob, bytes);
            int blocks = content.Length / (int)block;
            Assert.True(volume.SizeUnsure ? blocks >= volume.Blocks.Length : blocks == volume.Blocks.Length, $"{where}: {name} has {blocks} blocks, not {volume.Blocks.Length}\n{history}");
            for (int i = 0; i < volume.Blocks.Length; i++)
            {
                var now = content.AsSpan(i * (int)block, (int)block);
                if (volume.Blocks[i].Any(value => VolumeRun.Filled(content.AsSpan(i * (int)block, (int)block), value))) continue;
                Assert.Fail($"{where}: block {i} of {name} is none of {string.Join(", ", volume.Blocks[i].Select(value => $"{value:x}"))} but starts {Convert.ToHexString(now[..16])}\n{history}");
            }
        }
    }
}
