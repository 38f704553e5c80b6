using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Metadata with anything in it: it never ends in an exception that is not meant, never hangs, and what loads reads as before.</summary>
public sealed class MutationTests(ContractHost host, ITestOutputHelper output) : StoreTest(host)
{
    /// <summary>A store with everything in it, and what its volumes read as.</summary>
    private static async Task<(byte[] Bytes, uint Block, Dictionary<string, string> Sums)> OriginalAsync(string image)
    {
        byte[] bytes = StoredImage.Embedded(image);
        uint block = image == "external.img.gz" ? 512u : 4096;
        return (bytes, block, Sums(await StoreReader.ReadAsync(new MemoryStoreSource(bytes, block)), bytes));
    }

    private static Dictionary<string, string> Sums(StoreImage image, byte[] bytes) =>
        image.Blobs.Values.ToDictionary(blob => $"{blob.Id:x} {StoredImage.NameOf(blob)}", blob => $"{blob.IsReadOnly} {StoredImage.Sum(StoredImage.Content(image, blob, bytes))}");

    [Theory]
    [InlineData("clean.img.gz")]
    [InlineData("unclean.img.gz")]
    [InlineData("external.img.gz")]
    public async Task A_changed_byte_is_noticed_or_changes_nothing(string name)
    {
        int seed = Environment.TickCount, refused = 0;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var (bytes, block, sums) = await OriginalAsync(name);
        var layout = (await StoreReader.ReadAsync(new MemoryStoreSource(bytes, block))).Layout;
        for (int i = 0; i < 60; i++)
        {
            byte[] mutated = bytes.ToArray();
            int page = random.Next((int)layout.MetadataStart + (random.Next(3) == 0 ? (int)layout.MetadataLength : 24));
            // Where there is something, as a rule.
            int at = (page * 4096) + (random.Next(2) == 0 ? random.Next(128) : random.Next(4096));
            int length = random.Next(4) == 0 ? random.Next(1, Math.Min(600, mutated.Length - at)) : 1;
            for (int b = at; b < at + length; b++) mutated[b] ^= (byte)random.Next(1, 256);
            StoreImage image;
            try
            {
                image = await StoreReader.ReadAsync(new MemoryStoreSource(mutated, block));
            }
            catch (SpindleException e)
            {
                Assert.Equal(Errno.EILSEQ, e.Errno);
                refused++;
                continue;
            }
            if (image.Problems.Any(problem => problem.IsDamage))
            {
                refused++;
                continue;
            }
            Assert.True(sums.OrderBy(pair => pair.Key).SequenceEqual(Sums(image, mutated).OrderBy(pair => pair.Key)), $"seed {seed}, {length} bytes at {at} (page {page}) were changed and not noticed: {string.Join(' ', image.Problems.Select(problem => problem.Text))}");
        }
        output.WriteLine($"{refused} of 60 refused");
        Assert.InRange(refused, 1, 59);
    }

    /// <summary>With right CRCs, as who wants to do harm would make them.</summary>
    [Fact]
    public async Task Changed_pages_with_right_CRCs_are_checked_field_by_field()
    {
        int seed = Environment.TickCount, refused = 0;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var (bytes, block, _) = await OriginalAsync("unclean.img.gz");
        var layout = (await StoreReader.ReadAsync(new MemoryStoreSource(bytes, block))).Layout;
        for (int i = 0; i < 250; i++)
        {
            byte[] mutated = bytes.ToArray();
            uint page = (uint)random.Next(24);
            int start = (int)layout.PageOffset(page);
            var span = mutated.AsSpan(start, 4096);
            if (MetadataPage.IsZero(span)) continue;
            byte[] wild = [0, 1, 2, 3, 4, 5, 6, 7, 0x7F, 0x80, 0xFF];
            for (int n = random.Next(1, 6); n > 0; n--) span[random.Next(2) == 0 ? random.Next(90) : random.Next(4092)] = random.Next(2) == 0 ? wild[random.Next(wild.Length)] : (byte)random.Next(256);
            MetadataPage.Seal(span);
            var problems = await BlobstoreCheck.RunAsync(new MemoryStoreSource(mutated, block));
            if (problems.Any(problem => problem.IsDamage)) refused++;
        }
        output.WriteLine($"{refused} refused");
        Assert.InRange(refused, 10, 250);
    }

    [Theory]
    [InlineData(28, 0u)] // cluster_size
    [InlineData(28, 4097u)]
    [InlineData(28, 0xFFFFF000u)]
    [InlineData(32, 0u)] // used_page_mask_start
    [InlineData(32, uint.MaxValue)]
    [InlineData(36, uint.MaxValue)]
    [InlineData(40, 1u)] // overlaps the mask of pages
    [InlineData(44, 0u)]
    [InlineData(48, uint.MaxValue)] // md_start
    [InlineData(52, 0u)]
    [InlineData(52, uint.MaxValue)]
    [InlineData(72, uint.MaxValue)]
    [InlineData(84, 1u)] // size, the upper half
    [InlineData(88, 1u)] // io_unit_size
    [InlineData(92, 0x80000000u)] // md_page_size
    [InlineData(8, 4u)] // version
    public async Task A_super_block_that_makes_no_sense_is_refused_with_the_field(int at, uint value)
    {
        byte[] bytes = StoredImage.Embedded("clean.img.gz");
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
        MetadataPage.Seal(bytes.AsSpan(0, 4096));
        var e = await Assert.ThrowsAsync<SpindleException>(() => StoreReader.ReadAsync(new MemoryStoreSource(bytes, 4096)));
        Assert.Equal(Errno.EILSEQ, e.Errno);
        Assert.StartsWith("The super block of the blobstore is damaged: ", e.Message);
    }

    [Fact]
    public async Task A_damaged_store_is_not_loaded()
    {
        byte[] bytes = StoredImage.Embedded("clean.img.gz");
        bytes[(int)(await StoreReader.ReadAsync(new MemoryStoreSource(bytes, 4096))).Layout.PageOffset(1) + 40] ^= 1;
        var disk = new PowerCutDisk(ContractHost.NewName("damaged"), 4096, bytes, writeCache: false);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        var e = await Assert.ThrowsAsync<SpindleException>(() => OpenStoreAsync(disk.Name));
        Assert.Equal(Errno.EILSEQ, e.Errno);
        Assert.Contains("wrong CRC", e.Message);
        Assert.Equal(0, disk.Counts.Writes);
    }
}
