using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>What every bdev has to do, whatever is behind it. A subclass makes the bdev and says what it cannot do.</summary>
public abstract partial class BdevContract(ContractHost host) : BdevTest(host)
{
    protected const ulong Blocks = 2048;

    private Subject? _subject;

    /// <summary>Makes a bdev of <see cref="Blocks"/> blocks.</summary>
    protected abstract Task<Subject> CreateAsync();

    protected async Task<Subject> SubjectAsync()
    {
        if (_subject is not null) return _subject;
        var subject = await CreateAsync();
        foreach (string below in subject.Below) Track(below);
        Track(subject.Name);
        return _subject = subject;
    }

    private static bool Can(Subject subject, BdevIoType type) => !subject.Unsupported.Contains(type);

    private async Task<(Subject, BdevClient)> StartAsync(int worker = 0)
    {
        var subject = await SubjectAsync();
        return (subject, await OpenAsync(subject.Name, worker: worker));
    }

    private static void AssertSucceeded(Outcome outcome, string what) => Assert.True(outcome.IsSuccess, $"{what}: {outcome}");

    private static void AssertZero(byte[] bytes, string what) => Assert.True(bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0, $"{what}: not all zero");

    private static void AssertSame(byte[] expected, byte[] actual, string what)
    {
        int same = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(same == expected.Length && same == actual.Length, $"{what}: differs at byte {same} of {expected.Length}");
    }

    [Fact]
    public async Task It_is_found_by_name_and_uuid_and_has_its_size()
    {
        var subject = await SubjectAsync();
        var bdev = await FindAsync(subject.Name);
        Assert.Equal(Blocks, bdev.BlockCount);
        Assert.NotEqual(Guid.Empty, bdev.Uuid);
        Assert.Same(bdev, Host.Registry.Find(bdev.Uuid.ToString()));
        Assert.Same(bdev, Host.Registry.Find(bdev.Uuid.ToString().ToUpperInvariant()));
        Assert.Contains(bdev, Host.Registry.All);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(7, 13)]
    [InlineData(Blocks - 1, 1)]
    [InlineData(Blocks - 64, 64)]
    [InlineData(0, 512)]
    public async Task What_was_written_is_read(ulong offset, ulong blocks)
    {
        var (subject, client) = await StartAsync();
        byte[] data = RandomBytes(new Random(1), blocks * client.Bdev.BlockSize);
        await client.WriteBytesAsync(offset, data);
        byte[] read = await client.ReadBytesAsync(offset, blocks);
        if (subject.KeepsData) AssertSame(data, read, "read");
    }

    [Fact]
    public async Task Neighbours_of_a_write_stay_as_they_were()
    {
        var (subject, client) = await StartAsync();
        Assert.SkipUnless(subject.KeepsData, "it keeps no data");
        byte[] before = RandomBytes(new Random(2), 8 * client.Bdev.BlockSize);
        await client.WriteBytesAsync(100, before);
        byte[] middle = RandomBytes(new Random(3), 2 * client.Bdev.BlockSize);
        await client.WriteBytesAsync(103, middle);
        middle.CopyTo(before, 3 * client.Bdev.BlockSize);
        AssertSame(before, await client.ReadBytesAsync(100, 8), "read");
    }

    [Fact]
    public async Task Vectors_may_be_split_anywhere_at_any_alignment()
    {
        var (subject, client) = await StartAsync();
        var random = new Random(4);
        for (int round = 0; round < 12; round++)
        {
            ulong blocks = (ulong)random.Next(1, 40);
            ulong offset = (ulong)random.Next(0, (int)(Blocks - blocks));
            int bytes = (int)(blocks * client.Bdev.BlockSize);
            byte[] data = RandomBytes(random, (ulong)bytes);
            using var write = new NativeBuffer(NativeBuffer.OddSplit(random, bytes, random.Next(1, 30)), random.Next(0, 64));
            write.Set(data);
            AssertSucceeded(await client.WriteAsync(write, offset, blocks), $"write of {write.Vectors.Length} vectors");
            AssertSame(data, write.ToArray(), "the written buffer");
            using var read = new NativeBuffer(NativeBuffer.OddSplit(random, bytes, random.Next(1, 30)), random.Next(0, 64));
            read.Fill(0xEE);
            AssertSucceeded(await client.ReadAsync(read, offset, blocks), $"read of {read.Vectors.Length} vectors");
            if (subject.KeepsData) AssertSame(data, read.ToArray(), $"round {round}: {blocks} blocks at {offset}");
        }
    }

    [Fact]
    public async Task Hundreds_of_vectors_make_one_read_or_write()
    {
        var (subject, client) = await StartAsync();
        const ulong blocks = 300;
        byte[] data = RandomBytes(new Random(5), blocks * client.Bdev.BlockSize);
        int[] lengths = [.. Enumerable.Repeat((int)client.Bdev.BlockSize, (int)blocks)];
        using var write = new NativeBuffer(lengths);
        write.Set(data);
        AssertSucceeded(await client.WriteAsync(write, 5, blocks), "write");
        using var read = new NativeBuffer(lengths);
        AssertSucceeded(await client.ReadAsync(read, 5, blocks), "read");
        if (subject.KeepsData) AssertSame(data, read.ToArray(), "read");
    }

    [Fact]
    public async Task Vectors_without_a_byte_are_passed_over()
    {
        var (subject, client) = await StartAsync();
        int block = (int)client.Bdev.BlockSize;
        byte[] data = RandomBytes(new Random(6), 2UL * client.Bdev.BlockSize);
        using var buffer = new NativeBuffer([0, block, 0, 0, block, 0]);
        buffer.Set(data);
        AssertSucceeded(await client.WriteAsync(buffer, 9, 2), "write");
        buffer.Fill(0);
        AssertSucceeded(await client.ReadAsync(buffer, 9, 2), "read");
        if (subject.KeepsData) AssertSame(data, buffer.ToArray(), "read");
    }

    [Fact]
    public async Task One_large_io_is_done_whole()
    {
        var (subject, client) = await StartAsync();
        byte[] data = RandomBytes(new Random(7), Blocks * client.Bdev.BlockSize);
        await client.WriteBytesAsync(0, data);
        using var unaligned = new NativeBuffer(data.Length, 13);
        AssertSucceeded(await client.ReadAsync(unaligned, 0, Blocks), "read into unaligned memory");
        if (subject.KeepsData) AssertSame(data, unaligned.ToArray(), "read");
    }

    public static TheoryData<ulong, ulong> OutOfBounds => new()
    {
        { Blocks, 1 }, { Blocks - 1, 2 }, { 0, Blocks + 1 }, { Blocks + 1, 1 }, { 0, 0 }, { Blocks, 0 },
        { ulong.MaxValue, 1 }, { ulong.MaxValue - 1, 2 }, { ulong.MaxValue, ulong.MaxValue }, { 1, ulong.MaxValue }, { 2, ulong.MaxValue - 1 },
        { 1UL << 63, 1UL << 63 }, { ulong.MaxValue / 512, 1 }, { 0, ulong.MaxValue / 512 + 1 },
    };

    [Theory]
    [MemberData(nameof(OutOfBounds))]
    public async Task A_range_outside_is_refused(ulong offset, ulong blocks)
    {
        var (subject, client) = await StartAsync();
        // The length fits what the count is in 32 bits, so that only the range can be what is wrong.
        using var buffer = new NativeBuffer((int)(uint)Math.Min(blocks, 4) * (int)client.Bdev.BlockSize);
        foreach (var (type, outcome) in new (string, Task<Outcome>)[]
        {
            ("read", client.ReadAsync(buffer, offset, blocks)),
            ("write", client.WriteAsync(buffer, offset, blocks)),
            ("compare", client.CompareAsync(buffer, offset, blocks)),
            ("compare-and-write", client.CompareAndWriteAsync(buffer, buffer, offset, blocks)),
            ("write zeroes", client.WriteZeroesAsync(offset, blocks)),
            ("copy to", client.CopyAsync(offset, 0, blocks)),
            ("copy from", client.CopyAsync(0, offset, blocks)),
        }) Assert.True((await outcome).Error == -Errno.EINVAL, $"{type}: {await outcome}");
        if (Can(subject, BdevIoType.Unmap)) Assert.Equal(-Errno.EINVAL, (await client.UnmapAsync(offset, blocks)).Error);
        if (Can(subject, BdevIoType.Flush)) Assert.Equal(-Errno.EINVAL, (await client.FlushAsync(offset, blocks)).Error);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task Vectors_of_another_length_than_the_range_are_refused(int difference)
    {
        var (_, client) = await StartAsync();
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize * 2 + difference);
        Assert.Equal(-Errno.EINVAL, (await client.ReadAsync(buffer, 0, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(buffer, 0, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CompareAsync(buffer, 0, 2)).Error);
    }

    [Fact]
    public async Task Metadata_is_refused_where_there_is_none_of_its_own()
    {
        var (_, client) = await StartAsync();
        Assert.SkipWhen(client.Bdev.MetadataSize > 0 && !client.Bdev.MetadataInterleaved, "it has separate metadata");
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize);
        using var metadata = new NativeBuffer(128);
        var outcome = await client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 1, done, state, metadata.Vectors[0].Address));
        Assert.Equal(-Errno.EINVAL, outcome.Error);
    }

    [Fact]
    public async Task Who_opened_it_for_reading_cannot_change_it()
    {
        var subject = await SubjectAsync();
        var client = await OpenAsync(subject.Name, write: false);
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize);
        Assert.Equal(-Errno.EBADF, (await client.WriteAsync(buffer, 0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.WriteZeroesAsync(0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.UnmapAsync(0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.CompareAndWriteAsync(buffer, buffer, 0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.CopyAsync(0, 1, 1)).Error);
        AssertSucceeded(await client.ReadAsync(buffer, 0, 1), "read");
    }

    [Fact]
    public async Task Write_zeroes_makes_blocks_read_as_zero()
    {
        var (subject, client) = await StartAsync();
        byte[] data = RandomBytes(new Random(8), 64 * client.Bdev.BlockSize);
        await client.WriteBytesAsync(32, data);
        AssertSucceeded(await client.WriteZeroesAsync(40, 11), "write zeroes");
        if (!subject.KeepsData) return;
        data.AsSpan(8 * (int)client.Bdev.BlockSize, 11 * (int)client.Bdev.BlockSize).Clear();
        AssertSame(data, await client.ReadBytesAsync(32, 64), "read");
        AssertSucceeded(await client.WriteZeroesAsync(0, Blocks), "write zeroes over all");
        AssertZero(await client.ReadBytesAsync(0, Blocks), "read of all");
    }

    [Fact]
    public async Task Unmap_deallocates_or_is_refused()
    {
        var (subject, client) = await StartAsync();
        if (!Can(subject, BdevIoType.Unmap))
        {
            Assert.Equal(-Errno.ENOTSUP, (await client.UnmapAsync(0, 1)).Error);
            return;
        }
        byte[] data = RandomBytes(new Random(9), 64 * client.Bdev.BlockSize);
        await client.WriteBytesAsync(32, data);
        AssertSucceeded(await client.UnmapAsync(33, 62), "unmap");
        if (!subject.KeepsData) return;
        byte[] read = await client.ReadBytesAsync(32, 64);
        int block = (int)client.Bdev.BlockSize;
        AssertSame(data[..block], read[..block], "the block before");
        AssertSame(data[^block..], read[^block..], "the block behind");
        if (subject.UnmapsToZero) AssertZero(read[block..^block], "the unmapped blocks");
        AssertSucceeded(await client.UnmapAsync(0, Blocks), "unmap of all");
    }

    [Fact]
    public async Task Flush_succeeds_or_is_refused()
    {
        var (subject, client) = await StartAsync();
        await client.WriteBytesAsync(0, RandomBytes(new Random(10), client.Bdev.BlockSize));
        var outcome = await client.FlushAsync(0, Blocks);
        if (Can(subject, BdevIoType.Flush)) AssertSucceeded(outcome, "flush");
        else Assert.Equal(-Errno.ENOTSUP, outcome.Error);
    }

    [Fact]
    public async Task Compare_tells_equal_from_different()
    {
        var (subject, client) = await StartAsync();
        Assert.SkipUnless(subject.KeepsData, "it keeps no data");
        var random = new Random(11);
        int bytes = 20 * (int)client.Bdev.BlockSize;
        byte[] data = RandomBytes(random, (ulong)bytes);
        await client.WriteBytesAsync(77, data);
        foreach (int misalignment in new[] { 0, 3 })
        {
            using var buffer = new NativeBuffer(NativeBuffer.OddSplit(random, bytes, 5), misalignment);
            buffer.Set(data);
            AssertSucceeded(await client.CompareAsync(buffer, 77, 20), "compare of equal data");
            foreach (int at in new[] { 0, bytes / 2, bytes - 1 })
            {
                byte[] other = [.. data];
                other[at] ^= 1;
                buffer.Set(other);
                Assert.Equal(BdevIoStatus.Miscompare, (await client.CompareAsync(buffer, 77, 20)).Status);
            }
        }
    }

    [Fact]
    public async Task Compare_and_write_writes_only_if_equal()
    {
        var (subject, client) = await StartAsync();
        Assert.SkipUnless(subject.KeepsData, "it keeps no data");
        int bytes = 3 * (int)client.Bdev.BlockSize;
        byte[] first = RandomBytes(new Random(12), (ulong)bytes), second = RandomBytes(new Random(13), (ulong)bytes);
        await client.WriteBytesAsync(50, first);
        using var compare = new NativeBuffer(bytes, 1);
        using var write = new NativeBuffer([bytes - 5, 5], 2);
        compare.Set(second);
        write.Set(second);
        Assert.Equal(BdevIoStatus.Miscompare, (await client.CompareAndWriteAsync(compare, write, 50, 3)).Status);
        AssertSame(first, await client.ReadBytesAsync(50, 3), "after a miscompare");
        compare.Set(first);
        AssertSucceeded(await client.CompareAndWriteAsync(compare, write, 50, 3), "compare-and-write");
        AssertSame(second, await client.ReadBytesAsync(50, 3), "after compare-and-write");
    }

    [Fact]
    public async Task Copy_copies_and_refuses_overlap()
    {
        var (subject, client) = await StartAsync();
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(10, 15, 8)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(15, 10, 8)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(15, 15, 1)).Error);
        byte[] data = RandomBytes(new Random(14), 300 * client.Bdev.BlockSize);
        await client.WriteBytesAsync(1000, data);
        AssertSucceeded(await client.CopyAsync(100, 1000, 300), "copy");
        if (subject.KeepsData) AssertSame(data, await client.ReadBytesAsync(100, 300), "the copy");
    }

    [Fact]
    public async Task It_can_grow_while_it_is_open()
    {
        var (subject, client) = await StartAsync();
        Assert.SkipWhen(subject.GrowAsync is null, "it has a fixed size");
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize);
        Assert.Equal(-Errno.EINVAL, (await client.ReadAsync(buffer, Blocks, 1)).Error);
        ulong more = (1 << 20) / client.Bdev.BlockSize;
        await subject.GrowAsync(more);
        await Eventually.IsTrueAsync(() => client.Bdev.BlockCount == Blocks + more, "the new size");
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Resize), "the resize event");
        byte[] data = RandomBytes(new Random(15), client.Bdev.BlockSize);
        await client.WriteBytesAsync(Blocks + more - 1, data);
        byte[] read = await client.ReadBytesAsync(Blocks + more - 1, 1);
        if (subject.KeepsData) AssertSame(data, read, "the last new block");
        Assert.Equal(-Errno.EINVAL, (await client.ReadAsync(buffer, Blocks + more, 1)).Error);
    }
}
