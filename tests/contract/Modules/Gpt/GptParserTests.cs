using System.Buffers.Binary;
using Spindle.Bdev.Gpt;

namespace Spindle.ContractTests.Modules.Gpt;

/// <summary>Tables as they should be, tables with one thing wrong, and tables with anything wrong.</summary>
public sealed class GptParserTests
{
    private const ulong Blocks = 8192;

    private static GptImage Image(int blockSize = 512) => new(blockSize, Blocks,
        new GptEntry(GptImage.Spdk, 1024, 2047, "first"), new GptEntry(GptImage.Linux, 2048, 3071), null, new GptEntry(GptImage.SpdkOld, 4096, 4195, "äöü 💾"));

    private static GptParser Parser(int blockSize = 512, GptTypes? types = null) => new((uint)blockSize, Blocks, types ?? GptTypes.Default);

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void Both_copies_show_spdks_partitions(int blockSize)
    {
        var image = Image(blockSize);
        var parser = Parser(blockSize);
        Assert.True(parser.HasProtectiveMbr(image.Area));
        foreach (var (copy, area) in new[] { (GptCopy.Primary, image.Area), (GptCopy.Backup, image.Backup) })
        {
            var table = parser.Parse(area, copy, out string problem);
            Assert.Equal("", problem);
            Assert.Equal(copy, table!.Copy);
            Assert.Equal(
            [
                new GptPartition(1, GptImage.Spdk, new("00000000-0000-4000-8000-000000000001"), "first", 1024, 1024),
                // SPDK shows a block less of its old type.
                new GptPartition(4, GptImage.SpdkOld, new("00000000-0000-4000-8000-000000000004"), "äöü 💾", 4096, 99),
            ], table.Partitions);
            Assert.Empty(table.PassedOver);
        }
    }

    [Fact]
    public void Other_types_are_shown_where_the_settings_say_so()
    {
        int[] Numbers(string settings) => [.. Parser(types: GptTypes.Parse(settings)).Parse(Image().Area, GptCopy.Primary, out _)!.Partitions.Select(p => p.Number)];
        Assert.Equal([1, 4], Numbers("{}"));
        Assert.Equal([1, 2, 4], Numbers("""{ "partitionTypes": ["*"] }"""));
        Assert.Equal([1, 2, 4], Numbers($$"""{ "partitionTypes": ["{{GptImage.Linux}}"] }"""));
        foreach (var (settings, member) in new[]
        {
            ("""{ "partitionTypes": "*" }""", "partitionTypes must be an array"), ("""{ "partitionTypes": [1] }""", "partitionTypes[0] must be a string"),
            ("""{ "partitionTypes": ["*", "linux"] }""", "partitionTypes[1] must be a GUID"), ("""{ "types": [] }""", "'types' is not known"),
        }) Assert.Contains(member, Assert.Throws<SpindleException>(() => GptTypes.Parse(settings)).Message);
    }

    [Theory]
    [InlineData(510, 0)] // signature
    [InlineData(450, 0x83)] // type
    [InlineData(454, 2)] // first block
    [InlineData(458, 7)] // blocks
    public void Without_a_protective_MBR_there_is_nothing(int at, byte value)
    {
        var image = Image();
        image.Area[at] = value;
        Assert.False(Parser().HasProtectiveMbr(image.Area));
    }

    [Fact]
    public void The_MBR_may_say_all_ones_and_have_the_record_anywhere()
    {
        var image = Image();
        BinaryPrimitives.WriteUInt32LittleEndian(image.Area.AsSpan(458), uint.MaxValue);
        Assert.True(Parser().HasProtectiveMbr(image.Area));
        image.Area.AsSpan(446, 16).CopyTo(image.Area.AsSpan(494));
        image.Area.AsSpan(446, 16).Clear();
        Assert.True(Parser().HasProtectiveMbr(image.Area));
        Assert.False(Parser().HasProtectiveMbr(image.Area.AsSpan(0, 511)));
    }

    [Theory]
    [InlineData(0, 4, 0u, "no signature")]
    [InlineData(12, 4, 91u, "header's size")]
    [InlineData(12, 4, 513u, "header's size")]
    [InlineData(12, 4, uint.MaxValue, "header's size")]
    [InlineData(24, 8, 2u, "is in block 2")]
    [InlineData(40, 8, 33u, "inside the table")]
    [InlineData(40, 8, 0u, "inside the table")]
    [InlineData(40, 8, 8191u, "before their start")]
    [InlineData(48, 8, 8192u, "behind the disk's last block")]
    [InlineData(72, 8, 1u, "outside of the first")]
    [InlineData(72, 8, 33u, "outside of the first")]
    [InlineData(72, 8, 64u, "outside of the first")]
    [InlineData(80, 4, 129u, "129 partition entries")]
    [InlineData(80, 4, uint.MaxValue, "partition entries")]
    [InlineData(84, 4, 256u, "256 bytes, not 128")]
    [InlineData(84, 4, 0u, "0 bytes, not 128")]
    public void One_wrong_field_is_named_although_the_CRCs_match(int at, int size, uint value, string expected)
    {
        var image = Image();
        var field = image.Area.AsSpan(512 + at, size);
        if (size == 4) BinaryPrimitives.WriteUInt32LittleEndian(field, value);
        else BinaryPrimitives.WriteUInt64LittleEndian(field, value);
        image.Seal();
        Assert.Null(Parser().Parse(image.Area, GptCopy.Primary, out string problem));
        Assert.Contains(expected, problem);
        Assert.NotNull(Parser().Parse(image.Backup, GptCopy.Backup, out _));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(48)]
    [InlineData(72)]
    public void Huge_block_numbers_do_not_overflow(int at)
    {
        foreach (ulong value in new[] { ulong.MaxValue, ulong.MaxValue - 31, 1ul << 63, ulong.MaxValue / 512, (1ul << 55) + 2 })
        {
            var image = Image();
            BinaryPrimitives.WriteUInt64LittleEndian(image.Area.AsSpan(512 + at), value);
            BinaryPrimitives.WriteUInt64LittleEndian(image.Backup.AsSpan(image.Backup.Length - 512 + at), value);
            image.Seal();
            Assert.Null(Parser().Parse(image.Area, GptCopy.Primary, out _));
            Assert.Null(Parser().Parse(image.Backup, GptCopy.Backup, out _));
        }
    }

    [Theory]
    [InlineData(512 + 60)]
    [InlineData(1024 + 56)]
    [InlineData(1024 + (127 * 128))]
    public void A_flipped_bit_is_found_by_a_CRC(int at)
    {
        var image = Image();
        image.Area[at] ^= 0x10;
        Assert.Null(Parser().Parse(image.Area, GptCopy.Primary, out string problem));
        Assert.Contains("CRC", problem);
    }

    public static TheoryData<ulong, ulong, string> BadRanges => new()
    {
        { 33, 100, "not among the usable blocks" }, { 5000, 8159, "not among the usable blocks" }, { 5000, 4999, "not among the usable blocks" },
        { 5000, ulong.MaxValue, "not among the usable blocks" }, { ulong.MaxValue, 5000, "not among the usable blocks" }, { ulong.MaxValue, ulong.MaxValue, "not among the usable blocks" },
        { 1000, 1024, "overlaps partition 1" }, { 4096, 4096, "overlaps partition 4" }, { 2000, 5000, "overlaps partition" },
    };

    [Theory]
    [MemberData(nameof(BadRanges))]
    public void A_partition_that_may_not_be_there_is_passed_over(ulong first, ulong last, string reason)
    {
        var image = new GptImage(512, Blocks, new GptEntry(GptImage.Spdk, 1024, 2047), null, new GptEntry(GptImage.Spdk, first, last), new GptEntry(GptImage.Linux, 4096, 4196),
            new GptEntry(GptImage.Spdk, 6000, 6000));
        var table = Parser().Parse(image.Area, GptCopy.Primary, out _)!;
        Assert.DoesNotContain(table.Partitions, p => p.Number == 3);
        Assert.Contains(table.PassedOver, sentence => sentence.StartsWith("Partition 3 ", StringComparison.Ordinal) && sentence.Contains(reason, StringComparison.Ordinal));
        Assert.Contains(table.Partitions, p => p.Number == 5 && p.BlockCount == 1);
    }

    [Fact]
    public void A_single_block_of_the_old_type_shows_nothing()
    {
        var table = Parser().Parse(new GptImage(512, Blocks, new GptEntry(GptImage.SpdkOld, 5000, 5000)).Area, GptCopy.Primary, out _)!;
        Assert.Empty(table.Partitions);
        Assert.Single(table.PassedOver);
    }

    [Fact]
    public void Whatever_is_on_a_disk_nothing_is_thrown_and_nothing_beyond_it_is_shown()
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("SPINDLE_TEST_SEED"), out int given) ? given : Environment.TickCount;
        var random = new Random(seed);
        int parsed = 0, shown = 0;
        for (int round = 0; round < 4000; round++)
        {
            int blockSize = random.Next(3) == 0 ? 4096 : 512;
            var image = Image(blockSize);
            foreach (byte[] area in new[] { image.Area, image.Backup })
                for (int change = random.Next(1, 4); change > 0; change--) Mutate(random, area, area == image.Area ? blockSize : area.Length - blockSize, area == image.Area ? 2 * blockSize : image.BackupEntries);
            // Mostly with CRCs that match: else nothing behind them would be looked at.
            if (random.Next(8) != 0) image.Seal();
            ulong blocks = random.Next(4) == 0 ? (ulong)random.Next(2, 9000) : Blocks;
            var parser = new GptParser((uint)blockSize, blocks, random.Next(2) == 0 ? GptTypes.Default : GptTypes.Parse("""{ "partitionTypes": ["*"] }"""));
            foreach (var (copy, area) in new[] { (GptCopy.Primary, image.Area), (GptCopy.Backup, image.Backup) })
            {
                parser.HasProtectiveMbr(area);
                if (parser.Parse(area, copy, out _) is not { } table) continue;
                parsed++;
                shown += table.Partitions.Count;
                ulong end = 2;
                foreach (var partition in table.Partitions.OrderBy(p => p.FirstBlock))
                {
                    Assert.True(partition.FirstBlock >= end && partition.BlockCount > 0 && partition.FirstBlock < blocks && partition.BlockCount <= blocks - partition.FirstBlock,
                        $"seed {seed}, round {round}: {partition} of {blocks} blocks");
                    end = partition.FirstBlock + partition.BlockCount;
                }
            }
        }
        // The changes leave enough tables whole for this to mean something.
        Assert.True(parsed > 400 && shown > 400, $"seed {seed}: {parsed} tables, {shown} partitions");
    }

    private static void Mutate(Random random, byte[] area, int header, int entries)
    {
        int at = random.Next(4) switch
        {
            0 => random.Next(area.Length),
            1 => header + random.Next(92),
            2 => entries + random.Next(4 * 128),
            _ => entries + (random.Next(4) * 128) + 32 + random.Next(16),
        };
        switch (random.Next(4))
        {
            case 0:
                area[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                area[at] = (byte)random.Next(256);
                break;
            case 2:
                ulong[] edges = [0, 1, 2, 33, 34, 2047, 2048, 8158, 8159, 8191, 8192, uint.MaxValue, long.MaxValue, ulong.MaxValue];
                BinaryPrimitives.WriteUInt64LittleEndian(area.AsSpan(Math.Min(at & ~7, area.Length - 8)), edges[random.Next(edges.Length)]);
                break;
            default:
                area.AsSpan(at, Math.Min(area.Length - at, random.Next(1, 64))).Clear();
                break;
        }
    }
}
