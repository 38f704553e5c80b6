using System.Buffers.Binary;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Stores that are not laid out as most are: larger metadata pages, versions of the format before the mask of blobs.</summary>
public sealed class GeometryTests(ContractHost host) : StoreTest(host)
{
    [Theory]
    [InlineData(512u, 16384u, 65536u)]
    [InlineData(4096u, 8192u, 32768u)]
    [InlineData(4096u, 65536u, 262144u)]
    public async Task Larger_metadata_pages_hold_what_pages_of_4096_hold(uint block, uint page, uint cluster)
    {
        var disk = await NewDiskAsync(block, 8 << 20);
        var open = await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = cluster, PageSize = page });
        Assert.Equal(page, open.Store.Layout.PageSize);
        var expected = await FillAsync(open);
        await CloseStoreAsync(open, clean: false);
        await CompareAsync(disk, block, expected);
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    public async Task A_store_of_an_earlier_version_is_read_and_changed_in_its_version(uint version)
    {
        var disk = await NewDiskAsync(4096, 4 << 20);
        var open = await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = 65536 });
        await CloseStoreAsync(open);
        byte[] bytes = disk.Cut(disk.Moments, new Random(0));
        // Before version 3 there was no mask of blobs, and before 2 neither size nor I/O unit: they were the device's and 4096.
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), version);
        bytes.AsSpan(72, 8).Clear();
        if (version == 1) bytes.AsSpan(80, 16).Clear();
        MetadataPage.Seal(bytes.AsSpan(0, 4096));
        var older = new PowerCutDisk(ContractHost.NewName("older"), 4096, bytes, writeCache: false);
        await Host.RegisterAsync(older);
        Track(older.Name);
        open = await OpenStoreAsync(older.Name);
        Assert.Equal(4ul << 20, open.Store.MaxGrowableSize);
        var expected = await FillAsync(open);
        await CloseStoreAsync(open);
        byte[] after = older.Cut(older.Moments, new Random(0));
        Assert.Equal(version, BinaryPrimitives.ReadUInt32LittleEndian(after.AsSpan(8)));
        await CompareAsync(older, 4096, expected);
    }

    private async Task<PowerCutDisk> NewDiskAsync(uint block, int size)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("geometry"), block, new byte[size], writeCache: false);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        return disk;
    }

    private async Task<Dictionary<string, byte[]>> FillAsync(OpenStore open)
    {
        var random = new Random(4);
        var thin = await CreateBlobAsync(open, "thin", 6, thin: true);
        var thick = await CreateBlobAsync(open, "thick", 3, thin: false);
        foreach (var blob in (Blob[])[thin, thick]) await WriteAsync(blob, random);
        await Host.OnAppAsync(() => open.Store.SetXattrsAsync(thick, ("note", RandomBytes(random, 3500)), ("other", RandomBytes(random, 3500))));
        var snapshot = await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, [Named("snap")]));
        await WriteAsync(thin, random);
        await Host.OnAppAsync(() => open.Store.CloneAsync(snapshot, [Named("clone")]));
        await Host.OnAppAsync(() => open.Store.ResizeAsync(thick, 5));
        var expected = new Dictionary<string, byte[]>();
        foreach (var blob in open.Store.Blobs) expected[NameOf(blob)] = await ReadAsync(blob);
        return expected;
    }

    private async Task WriteAsync(Blob blob, Random random)
    {
        string name = await ShowAsync(blob);
        await using (var client = await OpenAsync(name))
            for (int i = 0; i < 6; i++) await client.WriteBytesAsync((ulong)random.NextInt64((long)client.Bdev.BlockCount - 2), RandomBytes(random, 2 * client.Bdev.BlockSize));
        await Host.UnregisterAsync(name);
    }

    private async Task<byte[]> ReadAsync(Blob blob)
    {
        string name = await ShowAsync(blob);
        byte[] bytes;
        await using (var client = await OpenAsync(name, write: false)) bytes = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
        await Host.UnregisterAsync(name);
        return bytes;
    }

    /// <summary>Twice: as it was left, and as this library leaves it.</summary>
    private async Task CompareAsync(PowerCutDisk disk, uint block, Dictionary<string, byte[]> expected)
    {
        for (int round = 0; round < 2; round++)
        {
            var open = await OpenStoreAsync(disk.Name);
            Assert.Equal(expected.Keys.Order(), open.Store.Blobs.Select(NameOf).Order());
            foreach (var blob in open.Store.Blobs) Assert.Equal(expected[NameOf(blob)], await ReadAsync(blob));
            await CloseStoreAsync(open);
            Assert.Empty(await BlobstoreCheck.RunAsync(new MemoryStoreSource(disk.Cut(disk.Moments, new Random(0)), block)));
        }
    }
}
