using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Modules.Gpt;
using Spindle.ContractTests.Suite;
using Spindle.Dif;

namespace Spindle.ContractTests.Protection;

/// <summary>Parts of a disk whose protection information holds block addresses: those of the part in the part, those of the disk on the disk.</summary>
public sealed class PartTests(ContractHost host) : BdevTest(host)
{
    private const ulong Part = PlainDisk.Blocks / 2;

    public static TheoryData<PlainDiskOptions> Kinds
    {
        get
        {
            var data = new TheoryData<PlainDiskOptions>();
            foreach (bool interleaved in new[] { false, true })
            {
                data.Add(new PlainDiskOptions { Interleaved = interleaved });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, Type = DifType.Type2, MetadataSize = 64, Head = true, MaxRwBlocks = 100 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, DataBlockSize = 4096, MetadataSize = 16, Format = DifFormat.Guard64, WriteUnit = 4 });
            }
            return data;
        }
    }

    private async Task<(PlainDisk Disk, string Part)> StartAsync(PlainDiskOptions options)
    {
        var disk = new PlainDisk(Track(ContractHost.NewName("plain")), options);
        await Host.RegisterAsync(disk);
        var part = await Subjects.SplitAsync(Host, new BdevSubject(disk.Name), count: 2, part: 1);
        Track(disk.Name + "p0");
        return (disk, Track(part.Name));
    }

    private static ProtectionInformation Information(PlainDiskOptions o) =>
        new(o.DataBlockSize, o.MetadataSize, o.Interleaved, o.Head, o.Type, DifCheckFlags.Guard | DifCheckFlags.ReferenceTag, o.Format);

    private static unsafe void Generate(ProtectionInformation information, TestBuffer data, TestBuffer metadata, bool interleaved, ulong count, ulong first) =>
        information.Generate(data.Vectors, interleaved ? null : metadata.Vectors[0].Pointer, count, first);

    private static unsafe DifResult Verify(ProtectionInformation information, TestBuffer data, TestBuffer metadata, bool interleaved, ulong count, ulong first) =>
        information.Verify(data.Vectors, interleaved ? null : metadata.Vectors[0].Pointer, count, first, out _);

    private static unsafe DifResult VerifyStored(PlainDisk disk, ulong block)
    {
        var o = disk.Options;
        byte[] data = disk.DataOf(block).ToArray(), metadata = disk.MetadataOf(block).ToArray();
        fixed (byte* d = data, m = metadata) return Information(o with { Interleaved = false }).Verify(d, m, 1, block, out _);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Those_who_see_metadata_use_addresses_of_the_part(PlainDiskOptions options)
    {
        var (disk, part) = await StartAsync(options);
        var client = await OpenAsync(part);
        var information = Information(options);
        const ulong first = 8, count = 400;
        uint stride = options.DataBlockSize + (options.Interleaved ? options.MetadataSize : 0);
        var random = new Random(2);
        using var data = new TestBuffer(TestBuffer.OddSplit(random, (int)(stride * count), 7), 1);
        using var metadata = new TestBuffer((int)(options.MetadataSize * count));
        nint separate = options.Interleaved ? 0 : metadata.Vectors[0].Address;
        data.Set(RandomBytes(random, stride * count));
        Generate(information, data, metadata, options.Interleaved, count, first);
        byte[] written = data.ToArray(), writtenMetadata = metadata.ToArray();

        Assert.True((await client.SubmitAsync((c, done, state) => c.Write(data.Vectors, first, count, done, state, separate))).IsSuccess);
        Assert.True(written.AsSpan().SequenceEqual(data.ToArray()) && writtenMetadata.AsSpan().SequenceEqual(metadata.ToArray()), "what was written belongs to who wrote it");
        for (ulong i = 0; i < count; i++) Assert.Equal(DifResult.Ok, VerifyStored(disk, Part + first + i));
        Assert.True((await client.SubmitAsync((c, done, state) => c.Compare(data.Vectors, first, count, done, state, options.Interleaved ? 0 : separate))).IsSuccess);

        data.Fill(0);
        metadata.Fill(0);
        Assert.True((await client.SubmitAsync((c, done, state) => c.Read(data.Vectors, first, count, done, state, separate))).IsSuccess);
        Assert.Equal(DifResult.Ok, Verify(information, data, metadata, options.Interleaved, count, first));
        Assert.True(written.AsSpan().SequenceEqual(data.ToArray()));
        Assert.Null(disk.Violation);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Those_who_do_not_see_it_find_errors_at_blocks_of_the_part(PlainDiskOptions options)
    {
        var (disk, part) = await StartAsync(options);
        var client = await OpenAsync(part, hideMetadata: true);
        const ulong first = 4, count = 400;
        byte[] data = RandomBytes(new Random(3), options.DataBlockSize * count);
        await client.WriteBytesAsync(first, data);
        for (ulong i = 0; i < count; i++) Assert.Equal(DifResult.Ok, VerifyStored(disk, Part + first + i));
        Assert.Equal(data, await client.ReadBytesAsync(first, count));
        using var buffer = new TestBuffer(data.Length);
        foreach (ulong at in new[] { first, first + 130, first + count - 1 })
        {
            disk.DataOf(Part + at)[9] ^= 1;
            var outcome = await client.ReadAsync(buffer, first, count);
            Assert.Equal((0x82, at), (outcome.Result.NvmeStatusCode, outcome.Result.Value));
            disk.DataOf(Part + at)[9] ^= 1;
        }
    }

    [Fact]
    public async Task The_base_names_its_block_and_the_part_its_own()
    {
        // Malloc verifies by itself: what is written with the tags of another block is refused there.
        var disk = await Subjects.MallocAsync(Host, new() { NumBlocks = 1000, BlockSize = 512, MdSize = 8, MdInterleave = true, DifType = 1 });
        Track(disk.Name);
        var part = await Subjects.SplitAsync(Host, disk, count: 2, part: 1);
        Track(disk.Name + "p0");
        var client = await OpenAsync(Track(part.Name));
        using var data = new TestBuffer(520 * 4);
        Generate(Information(new PlainDiskOptions { Interleaved = true }), data, data, true, 4, 10);
        Assert.True((await client.WriteAsync(data, 10, 4)).IsSuccess);
        data.Vectors[0].Span[520 * 2 + 1] ^= 1;
        var outcome = await client.WriteAsync(data, 10, 4);
        Assert.Equal((0x82, 12ul), (outcome.Result.NvmeStatusCode, outcome.Result.Value));
    }

    [Fact]
    public async Task A_partition_table_is_read_between_the_metadata()
    {
        var disk = new PlainDisk(Track(ContractHost.NewName(ModuleHarness.Examined)), new PlainDiskOptions { Interleaved = true });
        var image = new GptImage(512, PlainDisk.Blocks, new GptEntry(GptImage.Spdk, 100, 299));
        for (int at = 0; at < image.Area.Length; at += 512) image.Area.AsSpan(at, 512).CopyTo(disk.DataOf((ulong)at / 512));
        await Host.RegisterAsync(disk);
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        var partition = await OpenAsync(Track(disk.Name + "p1"), hideMetadata: true);
        byte[] data = RandomBytes(new Random(1), 512 * 100);
        await partition.WriteBytesAsync(7, data);
        Assert.Equal(data, await partition.ReadBytesAsync(7, 100));
    }
}
