using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>What a write to a cluster that is not there yet costs, and whom it makes wait.</summary>
public sealed class FirstWriteTests(ContractHost host, ITestOutputHelper output) : StoreTest(host)
{
    private const uint Blocks = Cluster / 512;

    private async Task<(RecordingDisk Disk, OpenStore Open)> StoreAsync(ulong size = 4 << 20)
    {
        var disk = new RecordingDisk(ContractHost.NewName("recording"), 512, size);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        return (disk, await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = Cluster }));
    }

    private static (BdevIoType Type, ulong Offset, ulong Length)[] Data(RecordingDisk disk, OpenStore open) =>
        [.. disk.Seen.Where(seen => seen.Offset >= (ulong)open.Store.Layout.MetadataClusters * Cluster && seen.Type != BdevIoType.Read)];

    [Fact]
    public async Task A_write_of_a_whole_cluster_is_all_that_is_written()
    {
        var (disk, open) = await StoreAsync();
        var thin = await CreateBlobAsync(open, "thin", 8, thin: true);
        var client = await OpenAsync(await ShowAsync(thin));
        byte[] first = RandomBytes(new Random(1), Cluster), second = RandomBytes(new Random(2), Cluster), part = RandomBytes(new Random(3), 512);
        disk.Clear();
        await client.WriteBytesAsync(Blocks, first);
        Assert.Equal((BdevIoType.Write, (ulong)Cluster), Assert.Single(Data(disk, open)) is var only ? (only.Type, only.Length) : default);
        Assert.Equal(first, await client.ReadBytesAsync(Blocks, Blocks));
        disk.Clear();
        await client.WriteBytesAsync(5 * Blocks, part);
        Assert.Equal([BdevIoType.WriteZeroes, BdevIoType.Write], Data(disk, open).Select(seen => seen.Type));

        await client.DisposeAsync();
        await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, [Named("snap")]));
        client = await OpenAsync(Track(await ShowAsync(thin)));
        disk.Clear();
        await client.WriteBytesAsync(Blocks, second);
        Assert.Equal((BdevIoType.Write, (ulong)Cluster), Assert.Single(Data(disk, open)) is var whole ? (whole.Type, whole.Length) : default);
        Assert.DoesNotContain(disk.Seen, seen => seen.Type is BdevIoType.Copy or BdevIoType.Read);
        disk.Clear();
        await client.WriteBytesAsync(5 * Blocks + 1, part);
        Assert.Equal([BdevIoType.Copy, BdevIoType.Write], Data(disk, open).Select(seen => seen.Type));
        Assert.Equal((byte[])[.. part, .. part], await client.ReadBytesAsync(5 * Blocks, 2));
        Assert.Equal(second, await client.ReadBytesAsync(Blocks, Blocks));
        await client.DisposeAsync();
        foreach (var blob in open.Store.Blobs.Where(blob => blob.IsReadOnly)) Assert.Equal(first, await ReadAsync(blob, Blocks, Blocks));
        await CloseStoreAsync(open, clean: false);
    }

    [Fact]
    public async Task A_copy_that_takes_long_makes_no_other_cluster_wait()
    {
        var (disk, open) = await StoreAsync();
        var thin = await CreateBlobAsync(open, "thin", 8, thin: true);
        string name = await ShowAsync(thin);
        byte[] all = RandomBytes(new Random(1), 8 * Cluster);
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(0, all);
        await Host.UnregisterAsync(name);
        await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, [Named("snap")]));
        name = await ShowAsync(thin);
        await using (var client = await OpenAsync(name))
        {
            byte[] data = RandomBytes(new Random(2), 512);
            disk.Keep((type, _) => type == BdevIoType.Copy && disk.Kept == 0);
            var slow = client.WriteBytesAsync(3, data);
            await Eventually.IsTrueAsync(() => disk.Kept == 1, "the copy of the first cluster to begin");
            // Others that are there, and others that have to be copied first; the first one is read as it was.
            for (uint cluster = 1; cluster < 8; cluster++)
            {
                await client.WriteBytesAsync((cluster * Blocks) + 7, data).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
                data.CopyTo(all, (int)((cluster * Cluster) + (7 * 512)));
            }
            Assert.Equal(all[..(int)Cluster], await client.ReadBytesAsync(0, Blocks));
            Assert.False(slow.IsCompleted);
            // And a snapshot is made meanwhile.
            await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, [Named("meanwhile")])).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
            Assert.False(slow.IsCompleted);
            disk.Keep(null);
            await slow;
            byte[] before = all.ToArray();
            data.CopyTo(all, 3 * 512);
            Assert.Equal(all, await client.ReadBytesAsync(0, 8 * Blocks));
            var meanwhile = open.Store.Blobs.Single(blob => NameOf(blob) == "meanwhile");
            Assert.Equal(before, await ReadAsync(meanwhile, 0, 8 * Blocks));
        }
        await Host.UnregisterAsync(name);
        await CloseStoreAsync(open);
    }

    [Fact]
    public async Task A_parent_that_changes_during_a_copy_is_the_one_that_counts()
    {
        var (disk, open) = await StoreAsync();
        byte[][] contents = [RandomBytes(new Random(1), 2 * Cluster), RandomBytes(new Random(2), 2 * Cluster)];
        var snapshots = new List<Blob>();
        foreach (byte[] content in contents)
        {
            var blob = await CreateBlobAsync(open, $"v{snapshots.Count}", 2, thin: true);
            string shown = await ShowAsync(blob);
            await using (var client = await OpenAsync(shown)) await client.WriteBytesAsync(0, content);
            await Host.UnregisterAsync(shown);
            snapshots.Add(await Host.OnAppAsync(() => open.Store.SnapshotAsync(blob, [Named($"s{snapshots.Count}")])));
        }
        var clone = await Host.OnAppAsync(() => open.Store.CloneAsync(snapshots[0], [Named("clone")]));
        string name = await ShowAsync(clone);
        await using (var client = await OpenAsync(name))
        {
            byte[] data = RandomBytes(new Random(3), 512);
            disk.Keep((type, _) => type == BdevIoType.Copy);
            var write = client.WriteBytesAsync(4, data);
            await Eventually.IsTrueAsync(() => disk.Kept == 1, "the copy to begin");
            await Host.OnAppAsync(() => open.Store.SetParentAsync(clone, snapshots[1]));
            disk.Keep(null);
            await write;
            byte[] expected = contents[1].ToArray();
            data.CopyTo(expected, 4 * 512);
            Assert.Equal(expected, await client.ReadBytesAsync(0, 2 * Blocks));
        }
        await Host.UnregisterAsync(name);
        await CloseStoreAsync(open);
    }

    [Fact]
    public async Task A_chain_of_hundreds_reads_with_one_read_below_and_merges_under_load()
    {
        const int Deep = 300;
        var (disk, open) = await StoreAsync(16 << 20);
        var blob = await CreateBlobAsync(open, "v", 4, thin: true);
        string name = await ShowAsync(blob);
        byte[] expected = RandomBytes(new Random(1), 4 * Cluster);
        var client = await OpenAsync(name);
        await client.WriteBytesAsync(0, expected);
        var random = new Random(2);
        for (int i = 0; i < Deep; i++)
        {
            await Host.OnAppAsync(() => open.Store.SnapshotAsync(blob, [Named($"s{i}")]));
            // Some have data of their own: others nothing.
            if (i % 10 != 0) continue;
            byte[] data = RandomBytes(random, 512);
            int at = random.Next(2 * (int)Blocks);
            await client.WriteBytesAsync((ulong)at, data);
            data.CopyTo(expected, at * 512);
        }
        disk.Clear();
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 500; i++)
        {
            int at = random.Next(4 * (int)Blocks);
            Assert.Equal(expected[(at * 512)..((at + 1) * 512)], await client.ReadBytesAsync((ulong)at, 1));
        }
        output.WriteLine($"{clock.Elapsed.TotalMicroseconds / 500:0} µs for a read through {Deep} snapshots");
        Assert.Equal(500, disk.Seen.Count(seen => seen.Type == BdevIoType.Read));
        Assert.True(clock.Elapsed.TotalSeconds < 10);

        // Every other one in the middle goes, while the volume is read and written.
        using var stop = new CancellationTokenSource();
        int ios = 0;
        var load = Task.Run(async () =>
        {
            var own = new Random(3);
            while (!stop.IsCancellationRequested)
            {
                int at = (2 * (int)Blocks) + own.Next(2 * (int)Blocks);
                byte[] data = RandomBytes(own, 512);
                await client.WriteBytesAsync((ulong)at, data);
                data.CopyTo(expected, at * 512);
                Assert.Equal(data, await client.ReadBytesAsync((ulong)at, 1));
                ios++;
            }
        }, Cancel);
        uint used = open.Store.DataClusters - open.Store.FreeClusters;
        foreach (var snapshot in open.Store.Blobs.Where(other => other.IsReadOnly && NameOf(other) is var text && int.Parse(text[1..]) % 2 == 1).ToArray())
            await Host.OnAppAsync(() => open.Store.DeleteBlobAsync(snapshot)).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        await stop.CancelAsync();
        await load;
        output.WriteLine($"{ios} writes and reads during 150 merges, {used} clusters in use before and {open.Store.DataClusters - open.Store.FreeClusters} after");
        Assert.True(ios > 20);
        Assert.Equal(expected, await client.ReadBytesAsync(0, 4 * Blocks));
        await client.DisposeAsync();
        await Host.UnregisterAsync(name);
        await CloseStoreAsync(open);
        open = await OpenStoreAsync(disk.Name);
        Assert.Equal((Deep / 2) + 1, open.Store.Blobs.Count);
        await CloseStoreAsync(open);
        byte[] bytes;
        await using (var reader = await OpenAsync(disk.Name, write: false)) bytes = await reader.ReadBytesAsync(0, reader.Bdev.BlockCount);
        Assert.Empty(await BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, 512)));
    }

    private async Task<byte[]> ReadAsync(Blob blob, uint at, uint blocks)
    {
        string name = await ShowAsync(blob);
        byte[] bytes;
        await using (var client = await OpenAsync(name, write: false)) bytes = await client.ReadBytesAsync(at, blocks);
        await Host.UnregisterAsync(name);
        return bytes;
    }
}
