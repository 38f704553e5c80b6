using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Stores that SPDK wrote (<c>Images/README.md</c>) are read as SPDK reads them.</summary>
public sealed class SpdkImageTests(ContractHost host) : StoreTest(host)
{
    private const string Thick = "f25a77af261364fb268db112217392db1c106dc4a29bd0f53d1b57b890cf2271", Thin = "b4cec6c4d0ff77b19235e1a2ef02c9309cc2343616f3923575b88b065f5587c8",
        Clone = "e4094db908102faa5691103de233e614f8695eeb24d20df473efc9d2fc5657b5", External = "c10682e7dff59a25a05a89d192388a92e560436cb6fa26e0d0ca4cfb1b373e54";

    private async Task<string> DiskAsync(byte[] bytes, uint blockSize)
    {
        var disk = new MemoryDisk(ContractHost.NewName("spdk"), blockSize, (ulong)bytes.Length / blockSize);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        var client = await OpenAsync(disk.Name);
        for (int at = 0; at < bytes.Length; at += 1 << 20) await client.WriteBytesAsync((ulong)at / blockSize, bytes.AsSpan(at, Math.Min(1 << 20, bytes.Length - at)).ToArray());
        await client.DisposeAsync();
        return disk.Name;
    }

    private async Task<string> SumAsync(Blob blob)
    {
        string name = await ShowAsync(blob);
        await using var client = await OpenAsync(name, write: false);
        string sum = StoredImage.Sum(await client.ReadBytesAsync(0, client.Bdev.BlockCount));
        await client.DisposeAsync();
        await Host.UnregisterAsync(name);
        return sum;
    }

    private static Blob Find(OpenStore open, string name) => open.Store.Blobs.Single(blob => NameOf(blob) == name && blob != open.Store.SuperBlob);

    [Theory]
    [InlineData("clean.img.gz", 5)]
    [InlineData("unclean.img.gz", 7)]
    public async Task Volumes_snapshots_and_clones_are_there_byte_for_byte(string image, int blobs)
    {
        byte[] bytes = StoredImage.Embedded(image);
        var problems = await BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, 4096));
        Assert.Equal(image == "clean.img.gz" ? [] : ["The store was not shut down cleanly."], problems.Select(problem => problem.Text));
        string disk = await DiskAsync(bytes, 4096);
        // The second time as this library left it.
        for (int round = 0; round < 2; round++)
        {
            var open = await OpenStoreAsync(disk);
            Assert.Equal("LVOLSTORE", System.Text.Encoding.ASCII.GetString(open.Store.Type.Span).TrimEnd('\0'));
            Assert.Equal(blobs, open.Store.Blobs.Count);
            Assert.Equal((65536u, 119u), (open.Store.ClusterSize, open.Store.DataClusters));
            // What SPDK said: 16 of thick, 6 of snap, 2 of clone.
            Assert.Equal(119u - 24, open.Store.FreeClusters);
            Assert.Equal(2144862208ul, open.Store.MaxGrowableSize);
            Assert.Equal([Thick, Thin, Thin, Clone], [await SumAsync(Find(open, "thick")), await SumAsync(Find(open, "thin")), await SumAsync(Find(open, "snap")), await SumAsync(Find(open, "clone"))]);
            Assert.Equal((16u, 0u, 6u), (Find(open, "thick").AllocatedClusters, Find(open, "thin").AllocatedClusters, Find(open, "snap").AllocatedClusters));
            Assert.True(Find(open, "thick").IsReadOnly && Find(open, "snap").IsReadOnly && !Find(open, "thin").IsReadOnly);
            Assert.Equal(Find(open, "snap"), Find(open, "thin").Parent);
            if (image == "unclean.img.gz")
            {
                Assert.Equal(Clone, await SumAsync(Find(open, "snap2")));
                Assert.Equal((Find(open, "snap2"), Find(open, "snap")), (Find(open, "clone").Parent, Find(open, "snap2").Parent));
                Assert.Equal(StoredImage.Sum(new byte[1 << 20]), await SumAsync(Find(open, "late")));
            }
            await CloseStoreAsync(open);
        }
    }

    [Fact]
    public async Task A_clone_of_a_bdev_outside_reads_through_it_and_is_degraded_without()
    {
        string outside = await DiskAsync(StoredImage.Pattern(3, 64), 512), disk = await DiskAsync(StoredImage.Embedded("external.img.gz"), 512);
        IBdevDescriptor? opened = null;
        var open = await OpenStoreAsync(disk, resolver: id =>
        {
            Assert.Equal("00000000-0000-4000-8000-0000000000e5", System.Text.Encoding.ASCII.GetString(id).TrimEnd('\0'));
            return opened = Host.Registry.Open(outside, write: false, static (_, _, _) => { });
        });
        var blob = Find(open, "eclone");
        Assert.Equal(External, await SumAsync(blob));
        Assert.False(blob.IsDegraded);
        string name = await ShowAsync(blob);
        await using (var client = await OpenAsync(name))
        {
            using var buffer = new TestBuffer(512);
            Assert.True((await client.ReadAsync(buffer, 300, 1)).IsSuccess);
            await Host.OnAppAsync(() => open.Store.SetExternalAsync(blob, null));
            Assert.True(blob.IsDegraded);
            Assert.Equal(Errno.EIO, (await client.ReadAsync(buffer, 300, 1)).Result.ErrorNumber);
            Assert.Equal(Errno.EIO, (await client.WriteAsync(buffer, 300, 1)).Result.ErrorNumber);
            // What is the clone's own is there.
            Assert.True((await client.ReadAsync(buffer, 80, 1)).IsSuccess);
            await Host.OnAppAsync(() => open.Store.SetExternalAsync(blob, opened));
            Assert.Equal(External, StoredImage.Sum(await client.ReadBytesAsync(0, client.Bdev.BlockCount)));
            await client.WriteBytesAsync(301, RandomBytes(new Random(1), 512));
            Assert.Equal(StoredImage.Pattern(3, 64)[(300 * 512)..(301 * 512)], await client.ReadBytesAsync(300, 1));
        }
        byte[] before;
        await using (var client = await OpenAsync(name)) before = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
        await Host.OnAppAsync(() => open.Store.InflateAsync(blob));
        Assert.Null(blob.ExternalSnapshotId);
        await using (var client = await OpenAsync(name)) Assert.Equal(before, await client.ReadBytesAsync(0, client.Bdev.BlockCount));
        await Host.UnregisterAsync(name);
        await CloseStoreAsync(open);
        await Host.OnAppAsync(() => opened!.Close());
    }
}
