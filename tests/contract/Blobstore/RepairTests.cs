using System.Buffers.Binary;
using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>What is damaged is told and set aside, and a repair saves what is left, without harm to the rest.</summary>
public sealed class RepairTests(ContractHost host, ITestOutputHelper output) : StoreTest(host)
{
    private const uint Block = 512;

    /// <summary>A store with thick, thin, its snapshot snap, a clone of that, and other.</summary>
    private async Task<byte[]> StoreAsync(bool table = true)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("fsck"), Block, new byte[1 << 20], writeCache: false);
        await Host.RegisterAsync(disk);
        var open = await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = Cluster });
        var random = new Random(3);
        var thin = await CreateBlobAsync(open, "thin", 5, thin: true, table);
        var all = new List<Blob> { await CreateBlobAsync(open, "thick", 4, thin: false, table), await CreateBlobAsync(open, "other", 2, thin: false, table), thin };
        await WriteAsync(thin, random, 0, 70);
        var snapshot = await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, [Named("snap")]));
        all.Add(await Host.OnAppAsync(() => open.Store.CloneAsync(snapshot, [Named("clone")])));
        foreach (var blob in all) await WriteAsync(blob, random, 20, 21);
        await CloseStoreAsync(open);
        byte[] bytes = disk.Cut(disk.Moments, random);
        await Host.UnregisterAsync(disk.Name);
        return bytes;
    }

    private async Task WriteAsync(Blob blob, Random random, ulong at, int blocks)
    {
        string name = await ShowAsync(blob);
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(at, RandomBytes(random, (ulong)blocks * Block));
        await Host.UnregisterAsync(name);
    }

    private static async Task<Dictionary<string, byte[]>> ContentsAsync(byte[] bytes)
    {
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block));
        return image.Blobs.Values.ToDictionary(StoredImage.NameOf, blob => StoredImage.Content(image, blob, bytes));
    }

    private static BlobRecord Find(StoreImage image, string name) => image.Blobs.Values.Single(blob => StoredImage.NameOf(blob) == name);

    private static readonly Dictionary<string, Action<byte[], StoreImage>> s_damages = new()
    {
        ["first page"] = (bytes, image) => bytes[(int)image.Layout.PageOffset(Find(image, "thick").RootPage) + 3000] ^= 1,
        ["first page is gone"] = (bytes, image) => bytes.AsSpan((int)image.Layout.PageOffset(Find(image, "thick").RootPage), 4096).Clear(),
        ["extent page"] = (bytes, image) => bytes[(int)image.Layout.PageOffset(Find(image, "thick").ExtentPages[0]) + 1000] ^= 1,
        ["extent page is gone"] = (bytes, image) => bytes.AsSpan((int)image.Layout.PageOffset(Find(image, "thick").ExtentPages[0]), 4096).Clear(),
        ["snapshot"] = (bytes, image) => bytes.AsSpan((int)image.Layout.PageOffset(Find(image, "snap").RootPage), 4096).Clear(),
        ["one cluster twice"] = (bytes, image) =>
        {
            int page = (int)image.Layout.PageOffset(Find(image, "thick").ExtentPages[0]);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(page + 25), Find(image, "other").Clusters[0]);
            MetadataPage.Seal(bytes.AsSpan(page, 4096));
        },
        ["a parent that can be written to"] = (bytes, image) =>
        {
            int page = (int)image.Layout.PageOffset(Find(image, "snap").RootPage), flags = bytes.AsSpan(page, 4096).IndexOf((ReadOnlySpan<byte>)[3, 24, 0, 0, 0]);
            bytes[page + flags + 13] &= 0xFE;
            MetadataPage.Seal(bytes.AsSpan(page, 4096));
        },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Damages =>
    [
        // What is damaged, the volumes that cannot be used, those that read as before after a repair.
        new("first page", "thick", "thick thin snap clone other"), new("first page is gone", "thick", "thin snap clone other"),
        new("extent page", "thick", "thick thin snap clone other"), new("extent page is gone", "thick", "thin snap clone other"),
        new("snapshot", "snap thin clone", "thick other"), new("one cluster twice", "thick other", "thin snap clone other"),
        new("a parent that can be written to", "thin clone", "thick thin snap clone other"),
    ];

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task Damage_is_told_set_aside_and_repaired(string damage, string unusable, string kept)
    {
        byte[] bytes = await StoreAsync();
        var before = await ContentsAsync(bytes);
        s_damages[damage](bytes, await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block)));
        var problems = await BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, Block));
        foreach (var problem in problems) output.WriteLine(problem.Text);
        Assert.Contains(problems, problem => problem.IsDamage);

        // The others are served, and nothing is written but what they are written.
        var disk = new PowerCutDisk(ContractHost.NewName("fsck"), Block, bytes.ToArray(), writeCache: false);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        var open = await OpenStoreAsync(disk.Name);
        string[] served = [.. open.Store.Blobs.Select(NameOf)];
        Assert.Equal(before.Keys.Except(unusable.Split(' ')).Order(), served.Order());
        Assert.Equal(unusable.Split(' ').Length, open.Store.Damaged.Count);
        foreach (var blob in open.Store.Blobs) Assert.Equal(before[NameOf(blob)], await ReadAsync(blob));
        Assert.Equal(Errno.EIO, (await Assert.ThrowsAsync<SpindleException>(() => CreateBlobAsync(open, "new", 1, thin: false))).Errno);
        Assert.Equal(Errno.EIO, (await Assert.ThrowsAsync<SpindleException>(() => Host.OnAppAsync(() => open.Store.DeleteBlobAsync(open.Store.Blobs.First())))).Errno);
        await CloseStoreAsync(open);
        Assert.Equal(0, disk.Counts.Writes);

        var done = await RepairAsync(disk.Name);
        foreach (string text in done) output.WriteLine(text);
        Assert.NotEmpty(done);
        byte[] after = disk.Cut(disk.Moments, new Random(0));
        Assert.Empty(await BlobstoreCheck.RunAsync(new MemoryStoreSource(after, Block)));
        var contents = await ContentsAsync(after);
        foreach (string name in kept.Split(' ')) Assert.True(before[name].AsSpan().SequenceEqual(contents[name]), $"{name} reads otherwise");
        // It is a store like any other again.
        open = await OpenStoreAsync(disk.Name);
        Assert.Empty(open.Store.Damaged);
        await CreateBlobAsync(open, "new", 3, thin: false);
        await CloseStoreAsync(open);
        foreach (var (name, content) in await ContentsAsync(disk.Cut(disk.Moments, new Random(0))))
            if (contents.TryGetValue(name, out byte[]? same)) Assert.Equal(same, content);
        Assert.Empty(await RepairAsync(disk.Name));
    }

    [Fact]
    public async Task What_was_the_clones_own_stays_when_its_snapshot_is_lost()
    {
        byte[] bytes = await StoreAsync();
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block));
        var clone = Find(image, "clone");
        byte[] own = new byte[clone.ClusterCount * Cluster];
        for (int i = 0; i < clone.ClusterCount; i++)
            if (clone.Clusters[i] != 0) bytes.AsSpan((int)(clone.Clusters[i] * Cluster), (int)Cluster).CopyTo(own.AsSpan(i * (int)Cluster));
        Assert.Contains(own, value => value != 0);
        s_damages["snapshot"](bytes, image);
        Assert.Equal(own, (await ContentsAsync(await RepairedAsync(bytes)))["clone"]);
    }

    [Fact]
    public async Task A_super_block_with_a_wrong_CRC_is_written_again_if_the_store_is_as_it_says()
    {
        byte[] bytes = await StoreAsync();
        var before = await ContentsAsync(bytes);
        bytes[200] ^= 1;
        Assert.Contains("CRC", Assert.Single(await BlobstoreCheck.RunAsync(new MemoryStoreSource(bytes, Block))).Text);
        var contents = await ContentsAsync(await RepairedAsync(bytes));
        foreach (var (name, content) in before) Assert.Equal(content, contents[name]);
        // Not if it says that the metadata is elsewhere, or that clusters have another size.
        foreach (var (at, value) in new[] { (48, 9u), (52, 30u), (28, 32768u) })
        {
            byte[] other = bytes.ToArray();
            BinaryPrimitives.WriteUInt32LittleEndian(other.AsSpan(at), value);
            Assert.Equal(Errno.EILSEQ, (await Assert.ThrowsAsync<SpindleException>(() => RepairedAsync(other))).Errno);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_repair_that_the_power_cuts_can_be_run_again(bool table)
    {
        int seed = Environment.TickCount, cuts = 0;
        output.WriteLine($"seed {seed}");
        foreach (string damage in s_damages.Keys.Where(key => table || !key.StartsWith("extent", StringComparison.Ordinal) && !key.StartsWith("one", StringComparison.Ordinal)))
        {
            byte[] bytes = await StoreAsync(table);
            s_damages[damage](bytes, await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block)));
            var (expected, disk) = await RepairedOnAsync(bytes);
            var contents = await ContentsAsync(expected);
            for (int moment = 0; moment <= disk.Moments; moment += 1 + (disk.Moments / 20))
            {
                byte[] cut = disk.Cut(moment, new Random(seed + moment));
                byte[] again = await RepairedAsync(cut);
                Assert.Empty(await BlobstoreCheck.RunAsync(new MemoryStoreSource(again, Block)));
                var now = await ContentsAsync(again);
                foreach (var (name, content) in contents)
                    Assert.True(now.TryGetValue(name, out byte[]? same) && content.AsSpan().SequenceEqual(same), $"seed {seed}, {damage}, cut at {moment} of {disk.Moments}: {name} reads otherwise");
                cuts++;
            }
        }
        output.WriteLine($"{cuts} cuts");
    }

    [Fact]
    public async Task Any_changes_are_repaired_or_refused_and_the_rest_reads_as_before()
    {
        int seed = Environment.TickCount, repaired = 0, refused = 0;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        byte[] original = await StoreAsync();
        var before = await ContentsAsync(original);
        var layout = (await StoreReader.ReadAsync(new MemoryStoreSource(original, Block))).Layout;
        for (int i = 0; i < 120; i++)
        {
            byte[] bytes = original.ToArray();
            string what = Mutate(bytes, layout, random);
            var check = await StoreReaderOrNull(bytes);
            string where = $"seed {seed}, round {i}, {what}";
            try
            {
                byte[] after = await RepairedAsync(bytes);
                var left = await BlobstoreCheck.RunAsync(new MemoryStoreSource(after, Block));
                Assert.True(left.Count == 0, $"{where}: {string.Join(' ', left.Select(problem => problem.Text))}");
                var now = await ContentsOrIds(after);
                if (check is not null)
                    foreach (var blob in check.Blobs.Values.Where(blob => blob.ClusterCount < 100))
                        Assert.True(now.TryGetValue(blob.Id, out byte[]? same) && StoredImage.Content(check, blob, bytes).AsSpan().SequenceEqual(same), $"{where}: blob {blob.Id:x} was in order and reads otherwise");
                repaired++;
            }
            catch (SpindleException e)
            {
                Assert.True(e.Errno is Errno.EILSEQ or Errno.ENOTSUP or Errno.ENOSPC, $"{where}: {e.Message}");
                refused++;
            }
        }
        output.WriteLine($"{repaired} repaired, {refused} refused");
        Assert.True(repaired > 60);
    }

    /// <summary>Changes metadata at random: with right CRCs, as one would who wants to do harm, or as a disk does.</summary>
    internal static string Mutate(byte[] bytes, StoreLayout layout, Random random)
    {
        int pages = random.Next(1, 3);
        string what = "";
        for (int n = 0; n < pages; n++)
        {
            int page = random.Next(8) == 0 ? random.Next((int)layout.MetadataStart) : (int)layout.MetadataStart + random.Next(14);
            var span = bytes.AsSpan(page * 4096, 4096);
            int kind = random.Next(5);
            byte[] wild = [0, 1, 2, 3, 4, 5, 6, 7, 0x7F, 0x80, 0xFF];
            if (kind == 0) span.Clear();
            else if (kind == 1) random.NextBytes(span[(random.Next(8) * 512)..]);
            else
                for (int b = random.Next(1, 6); b > 0; b--) span[random.Next(3) > 0 ? random.Next(96) : random.Next(4092)] = random.Next(2) == 0 ? wild[random.Next(wild.Length)] : (byte)random.Next(256);
            if (kind >= 3) MetadataPage.Seal(span);
            what += $"page {page} kind {kind}, ";
        }
        return what;
    }

    private static async Task<StoreImage?> StoreReaderOrNull(byte[] bytes)
    {
        try
        {
            return await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block), everyPage: true);
        }
        catch (SpindleException e) when (e.Errno == Errno.EILSEQ)
        {
            return null;
        }
    }

    private static async Task<Dictionary<ulong, byte[]>> ContentsOrIds(byte[] bytes)
    {
        var image = await StoreReader.ReadAsync(new MemoryStoreSource(bytes, Block));
        // One that was damaged may say that it is as large as anything.
        return image.Blobs.Values.Where(blob => blob.ClusterCount < 100).ToDictionary(blob => blob.Id, blob => StoredImage.Content(image, blob, bytes));
    }

    private async Task<byte[]> RepairedAsync(byte[] bytes) => (await RepairedOnAsync(bytes)).Bytes;

    private async Task<(byte[] Bytes, PowerCutDisk Disk)> RepairedOnAsync(byte[] bytes)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("fsck"), Block, bytes.ToArray(), writeCache: false);
        await Host.RegisterAsync(disk);
        try
        {
            await RepairAsync(disk.Name);
        }
        finally
        {
            await Host.UnregisterAsync(disk.Name);
        }
        return (disk.Cut(disk.Moments, new Random(0)), disk);
    }

    private async Task<IReadOnlyList<string>> RepairAsync(string disk) => await Host.OnAppAsync(async () =>
    {
        var descriptor = Host.Registry.Open(disk, write: true, static (_, _, _) => { });
        try
        {
            return await BlobstoreRepair.RunAsync(descriptor, Host.Environment.Memory);
        }
        finally
        {
            descriptor.Close();
        }
    });

    private async Task<byte[]> ReadAsync(Blob blob)
    {
        string name = await ShowAsync(blob);
        byte[] bytes;
        await using (var client = await OpenAsync(name, write: false)) bytes = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
        await Host.UnregisterAsync(name);
        return bytes;
    }
}
