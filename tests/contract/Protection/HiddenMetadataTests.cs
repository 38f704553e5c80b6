using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.Dif;
using Spindle.Host.Bdevs;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.ContractTests.Protection;

/// <summary>What an opener that sees no metadata brings about on a disk that only keeps it.</summary>
public sealed class HiddenMetadataTests(ContractHost host) : BdevTest(host)
{
    public static TheoryData<PlainDiskOptions> Kinds
    {
        get
        {
            var data = new TheoryData<PlainDiskOptions>();
            foreach (bool interleaved in new[] { false, true })
            {
                foreach (var type in new[] { DifType.Type1, DifType.Type2, DifType.Type3 }) data.Add(new PlainDiskOptions { Interleaved = interleaved, Type = type });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, MetadataSize = 64, Head = true, MaxRwBlocks = 5 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, MetadataSize = 16, Boundary = 8, MaxSegments = 2 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, MetadataSize = 32, WriteUnit = 4, MaxSegments = 3, Type = DifType.Type2 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, DataBlockSize = 4096, MetadataSize = 16, Format = DifFormat.Guard32, Alignment = 512 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, DataBlockSize = 4096, MetadataSize = 128, Format = DifFormat.Guard64, Type = DifType.Type2 });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, DataBlockSize = 4096, MetadataSize = 32, Format = DifFormat.Guard64, Type = DifType.Type3, Head = true });
                data.Add(new PlainDiskOptions { Interleaved = interleaved, Type = DifType.None });
            }
            return data;
        }
    }

    private async Task<(PlainDisk Disk, BdevClient Client)> StartAsync(PlainDiskOptions options)
    {
        var disk = new PlainDisk(Track(ContractHost.NewName("plain")), options);
        await Host.RegisterAsync(disk);
        return (disk, await OpenAsync(disk.Name, hideMetadata: true));
    }

    private static unsafe void AssertStored(PlainDisk disk, ulong first, byte[] data)
    {
        var o = disk.Options;
        var information = o.Type == DifType.None ? null
            : new ProtectionInformation(o.DataBlockSize, o.MetadataSize, false, o.Head, o.Type, DifCheckFlags.Guard | DifCheckFlags.ApplicationTag | DifCheckFlags.ReferenceTag, o.Format);
        for (ulong i = 0; i < (ulong)data.Length / o.DataBlockSize; i++)
        {
            byte[] stored = disk.DataOf(first + i).ToArray(), metadata = disk.MetadataOf(first + i).ToArray();
            Assert.True(data.AsSpan((int)(i * o.DataBlockSize), (int)o.DataBlockSize).SequenceEqual(stored), $"the data of block {first + i}");
            int size = information is null ? 0 : o.Format == DifFormat.Guard16 ? 8 : 16;
            Assert.True((o.Head ? metadata.AsSpan(size) : metadata.AsSpan(..^size)).IndexOfAnyExcept((byte)0) < 0, $"metadata beside the information of block {first + i} is not zero");
            if (information is null) continue;
            Assert.NotEqual([0xFF, 0xFF], disk.TupleOf(first + i).Slice(o.Format switch { DifFormat.Guard16 => 2, DifFormat.Guard32 => 4, _ => 8 }, 2).ToArray());
            fixed (byte* d = stored, m = metadata) Assert.Equal(DifResult.Ok, information.Verify(d, m, 1, first + i, out _));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_is_stored_has_information_that_fits(PlainDiskOptions options)
    {
        var (disk, client) = await StartAsync(options);
        Assert.Equal((true, options.DataBlockSize, 0u), (client.Descriptor.HidesMetadata, client.Descriptor.BlockSize, client.Descriptor.MetadataSize));
        const int seed = 5;
        var random = new Random(seed);
        var model = new byte[PlainDisk.Blocks * options.DataBlockSize];
        new Span<byte>(model).Fill(0xFF);
        int block = (int)options.DataBlockSize;
        for (int round = 0; round < 60; round++)
        {
            int unit = (int)options.WriteUnit;
            int blocks = unit * random.Next(1, random.Next(10) == 0 ? 700 / unit : 24 / unit), offset = unit * random.Next(0, ((int)PlainDisk.Blocks - blocks) / unit + 1);
            using var buffer = new TestBuffer(TestBuffer.OddSplit(random, blocks * block, random.Next(1, 12)), random.Next(4) * 3);
            var whole = model.AsSpan(offset * block, blocks * block);
            switch (random.Next(6))
            {
                case 0 or 1:
                    byte[] data = RandomBytes(random, (ulong)(blocks * block));
                    buffer.Set(data);
                    Assert.True((await client.WriteAsync(buffer, (ulong)offset, (ulong)blocks)).IsSuccess, $"seed {seed}, round {round}");
                    data.CopyTo(model, offset * block);
                    AssertStored(disk, (ulong)offset, data);
                    break;
                case 2:
                    Assert.True((await client.WriteZeroesAsync((ulong)offset, (ulong)blocks)).IsSuccess);
                    model.AsSpan(offset * block, blocks * block).Clear();
                    AssertStored(disk, (ulong)offset, new byte[blocks * block]);
                    break;
                case 3:
                    int to = unit * random.Next(0, ((int)PlainDisk.Blocks - blocks) / unit + 1);
                    if (to < offset + blocks && offset < to + blocks) break;
                    Assert.True((await client.CopyAsync((ulong)to, (ulong)offset, (ulong)blocks)).IsSuccess);
                    model.AsSpan(offset * block, blocks * block).CopyTo(model.AsSpan(to * block));
                    break;
                case 4:
                    buffer.Set(model.AsSpan(offset * block, blocks * block));
                    Assert.True((await client.CompareAsync(buffer, (ulong)offset, (ulong)blocks)).IsSuccess);
                    using (var write = new TestBuffer(blocks * block, 1))
                    {
                        byte[] next = RandomBytes(random, (ulong)(blocks * block));
                        write.Set(next);
                        Assert.True((await client.CompareAndWriteAsync(buffer, write, (ulong)offset, (ulong)blocks)).IsSuccess);
                        next.CopyTo(model, offset * block);
                        AssertStored(disk, (ulong)offset, next);
                        Assert.Equal(BdevIoStatus.Miscompare, (await client.CompareAndWriteAsync(buffer, buffer, (ulong)offset, (ulong)blocks)).Status);
                    }
                    break;
                default:
                    Assert.True((await client.ReadAsync(buffer, (ulong)offset, (ulong)blocks)).IsSuccess);
                    Assert.Equal(model[(offset * block)..((offset + blocks) * block)], buffer.ToArray());
                    break;
            }
        }
        Assert.Equal(model, await client.ReadBytesAsync(0, PlainDisk.Blocks));
        Assert.Null(disk.Violation);
    }

    /// <summary>Where, in an I/O of 600 blocks in vectors of odd lengths and several pieces, an error must be found.</summary>
    public static TheoryData<bool, DifFormat> Layouts => new() { { false, DifFormat.Guard16 }, { true, DifFormat.Guard16 }, { false, DifFormat.Guard64 }, { true, DifFormat.Guard32 } };

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Each_error_is_found_at_its_block(bool interleaved, DifFormat format)
    {
        uint block = format == DifFormat.Guard16 ? 512u : 4096u;
        var (disk, client) = await StartAsync(new PlainDiskOptions
        {
            DataBlockSize = block, MetadataSize = 16, Interleaved = interleaved, Format = format, MaxRwBlocks = 64, Flags = DifCheckFlags.Guard | DifCheckFlags.ApplicationTag | DifCheckFlags.ReferenceTag,
        });
        const int first = 100, count = 600;
        var random = new Random(9);
        using var buffer = new TestBuffer(TestBuffer.OddSplit(random, count * (int)block, 21), 1);
        buffer.Set(RandomBytes(random, count * block));
        Assert.True((await client.WriteAsync(buffer, first, count)).IsSuccess);
        int tag = format switch { DifFormat.Guard16 => 2, DifFormat.Guard32 => 4, _ => 8 };
        foreach (ulong at in new ulong[] { first, first + 1, first + 63, first + 64, first + 255, first + 300, first + 511, first + count - 1 })
        {
            foreach (var (change, code) in new (Action, byte)[]
            {
                (() => disk.DataOf(at)[random.Next((int)block)] ^= 0x10, 0x82),
                (() => disk.TupleOf(at)[0] ^= 1, 0x82),
                (() => disk.MetadataOf(at)[0] ^= 1, 0x82),
                (() => disk.TupleOf(at)[tag] ^= 1, 0x83),
                (() => disk.TupleOf(at)[^1] ^= 4, 0x84),
            })
            {
                byte[] data = disk.DataOf(at).ToArray(), metadata = disk.MetadataOf(at).ToArray();
                change();
                foreach (var outcome in new[]
                {
                    await client.ReadAsync(buffer, first, count), await client.ReadAsync(buffer, first, count), await CompareAsync(client, at, block),
                    at - first < 100 ? await client.CopyAsync(800, first, 100) : await client.ReadAsync(buffer, first, count),
                })
                {
                    Assert.True(outcome.Result.IsProtectionError, $"block {at}, expected {code:X}: {outcome}");
                    Assert.Equal((2, code, at), (outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode, outcome.Result.Value));
                }
                data.CopyTo(disk.DataOf(at));
                metadata.CopyTo(disk.MetadataOf(at));
            }
            // The first one is told, also when a later piece ends before.
            disk.DataOf(at)[3] ^= 1;
            disk.DataOf(at + 100)[7] ^= 1;
            disk.OnSubmit = EndInReverse();
            var both = await client.ReadAsync(buffer, first, count);
            Assert.Equal((false, at), (both.IsSuccess, both.Result.Value));
            disk.OnSubmit = null;
            disk.DataOf(at)[3] ^= 1;
            disk.DataOf(at + 100)[7] ^= 1;
        }
        Assert.True((await client.ReadAsync(buffer, first, count)).IsSuccess);
    }

    private static Func<PlainDisk, BdevIo, bool> EndInReverse()
    {
        var waiting = new Stack<BdevIo>();
        return (disk, io) =>
        {
            waiting.Push(io);
            if (waiting.Count == 1)
            {
                io.Channel.Thread.Send(_ =>
                {
                    while (waiting.TryPop(out var last)) disk.CarryOut(last);
                }, null);
            }
            return true;
        };
    }

    private static async Task<Outcome> CompareAsync(BdevClient client, ulong at, uint block)
    {
        using var one = new TestBuffer((int)block);
        return await client.CompareAsync(one, at, 1);
    }

    [Fact]
    public async Task Data_that_changes_on_its_way_is_found()
    {
        var disk = await Suite.Subjects.MallocAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = 1024, BlockSize = 512, MdSize = 8, MdInterleave = true, DifType = 2 });
        var error = await Suite.Subjects.ErrorAsync(Host, disk);
        var client = await OpenAsync(Track(error.Name), hideMetadata: true);
        byte[] data = RandomBytes(new Random(1), 512 * 8);
        await client.WriteBytesAsync(100, data);
        await Host.Modules.Error.CallAsync("bdev_error_inject_error",
            $$"""{"name":"{{error.Name}}","io_type":"read","error_type":"corrupt_data","corrupt_offset":{{520 * 2 + 5}},"corrupt_value":64}""");
        using var buffer = new TestBuffer(512 * 8);
        var outcome = await client.ReadAsync(buffer, 100, 8);
        Assert.Equal((0x82, 102ul), (outcome.Result.NvmeStatusCode, outcome.Result.Value));
        Assert.Equal(data, await client.ReadBytesAsync(100, 8));
    }

    [Fact]
    public async Task Blocks_that_say_so_are_not_checked()
    {
        foreach (var type in new[] { DifType.Type1, DifType.Type3 })
        {
            var (disk, client) = await StartAsync(new PlainDiskOptions { Interleaved = true, Type = type });
            await client.WriteBytesAsync(0, new byte[512 * 4]);
            disk.DataOf(1)[0] ^= 1;
            Assert.False((await client.ReadAsync(new TestBuffer(2048), 0, 4)).IsSuccess);
            disk.TupleOf(1)[2..4].Fill(0xFF);
            Assert.Equal(type == DifType.Type1, (await client.ReadAsync(new TestBuffer(2048), 0, 4)).IsSuccess);
            disk.TupleOf(1)[4..].Fill(0xFF);
            Assert.True((await client.ReadAsync(new TestBuffer(2048), 0, 4)).IsSuccess);
        }
    }

    [Fact]
    public async Task Only_what_the_bdev_asks_for_is_checked()
    {
        var (disk, client) = await StartAsync(new PlainDiskOptions { Flags = DifCheckFlags.ReferenceTag });
        await client.WriteBytesAsync(7, new byte[512]);
        disk.DataOf(7)[0] = 1;
        Assert.True((await client.ReadAsync(new TestBuffer(512), 7, 1)).IsSuccess);
        disk.TupleOf(7)[7] ^= 1;
        Assert.Equal(0x84, (await client.ReadAsync(new TestBuffer(512), 7, 1)).Result.NvmeStatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_module_short_of_memory_is_asked_again(bool interleaved)
    {
        var (disk, client) = await StartAsync(new PlainDiskOptions { Interleaved = interleaved });
        var random = new Random(3);
        disk.OnSubmit = (self, io) =>
        {
            if (random.Next(100) >= 40) return false;
            io.Complete(io.Generation, BdevIoStatus.NoMemory);
            return true;
        };
        byte[] data = RandomBytes(new Random(4), 512 * 1000);
        await client.WriteBytesAsync(5, data);
        Assert.Equal(data, await client.ReadBytesAsync(5, 1000));
        AssertStored(disk, 5, data);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Short_buffers_are_waited_for_and_come_back(bool interleaved)
    {
        var (disk, client) = await StartAsync(new PlainDiskOptions { Interleaved = interleaved, MetadataSize = 64 });
        // All large buffers but none are taken; then one at a time comes back.
        var held = new List<Memory.IoVec>();
        Memory.IIobufChannel? channel = null;
        await client.OnThreadAsync(() =>
        {
            channel = Host.Iobuf.CreateChannel("taken", 0, 0);
            while (channel.TryGet(Host.Iobuf.LargeBufferSize, out var buffer)) held.Add(buffer);
        });
        byte[] data = RandomBytes(new Random(4), 512 * 1000);
        var writes = Enumerable.Range(0, 8).Select(_ => client.WriteBytesAsync(5, data)).ToArray();
        await client.OnThreadAsync(() => channel!.Put(held[0]));
        await Task.WhenAll(writes);
        Assert.Equal(data, await client.ReadBytesAsync(5, 1000));
        await client.OnThreadAsync(() =>
        {
            foreach (var buffer in held.Skip(1)) channel!.Put(buffer);
            channel!.Dispose();
        });
        AssertStored(disk, 5, data);
    }

    [Fact]
    public async Task An_abort_ends_what_waits_and_a_reset_too()
    {
        var (disk, client) = await StartAsync(new PlainDiskOptions { Interleaved = true });
        var waiting = new List<(BdevIo Io, uint Generation)>();
        disk.OnSubmit = (_, io) =>
        {
            waiting.Add((io, io.Generation));
            return true;
        };
        using var buffer = new TestBuffer(512 * 900);
        object? target = null;
        var read = client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 900, done, target = state));
        await Eventually.IsTrueAsync(() => waiting.Count == 4, "the first pieces");
        var abort = client.SubmitAsync((c, done, state) => c.Abort(target!, done, state));
        await client.OnThreadAsync(() =>
        {
            disk.OnSubmit = null;
            foreach (var (io, generation) in waiting.ToArray()) io.Complete(generation, BdevIoStatus.Aborted);
        });
        Assert.Equal(BdevIoStatus.Aborted, (await read).Status);
        await abort;
        Assert.True((await client.ResetAsync()).IsSuccess);
        Assert.True((await client.ReadAsync(buffer, 0, 900)).IsSuccess);
    }

    [Fact]
    public async Task A_limit_counts_the_bytes_that_the_opener_sees()
    {
        // Two thirds of what the disk moves is hidden: 1.5 MiB of data is 4.5 MiB there. The last quarter MiB is lent, so 1.25 s by the data and 3.75 s by all of it.
        var (disk, client) = await StartAsync(new PlainDiskOptions { Interleaved = true, MetadataSize = 1024 });
        await Host.OnAppAsync(() => Host.Bdevs.SetRateLimitsAsync(disk, new BdevRateLimits(0, 1, 0, 0)));
        long start = Environment.TickCount64;
        using var buffer = new TestBuffer(512 * 512);
        for (int i = 0; i < 6; i++) Assert.True((await client.ReadAsync(buffer, 0, 512)).IsSuccess);
        long took = Environment.TickCount64 - start;
        await Host.OnAppAsync(() => Host.Bdevs.SetRateLimitsAsync(disk, BdevRateLimits.None));
        Assert.InRange(took, 1000, 3500);
    }

    [Fact]
    public async Task What_cannot_be_hidden_is_refused_and_says_why()
    {
        var disk = new PlainDisk(Track(ContractHost.NewName("plain")), new PlainDiskOptions { WriteUnit = 512 });
        await Host.RegisterAsync(disk);
        var refused = await Assert.ThrowsAsync<SpindleException>(() => OpenAsync(disk.Name, hideMetadata: true));
        Assert.Equal(Errno.ENOTSUP, refused.Errno);
        Assert.Contains("large_bufsize", refused.Message, StringComparison.Ordinal);
        var without = await Suite.Subjects.MallocAsync(Host, new() { NumBlocks = 64, BlockSize = 512 });
        var client = await OpenAsync(Track(without.Name), hideMetadata: true);
        Assert.False(client.Descriptor.HidesMetadata);
    }

    [Fact]
    public async Task Metadata_of_the_openers_own_is_refused()
    {
        var (_, client) = await StartAsync(new PlainDiskOptions());
        using var buffer = new TestBuffer(512);
        using var metadata = new TestBuffer(8);
        Assert.Equal(-Errno.EINVAL, (await client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 1, done, state, metadata.Vectors[0].Address))).Error);
        Assert.Equal(-Errno.EINVAL, (await client.SubmitAsync((c, done, state) => c.Write(buffer.Vectors, 0, 1, done, state, metadata.Vectors[0].Address))).Error);
        bool lent = true;
        await client.OnThreadAsync(() => lent = client.Channel.TryReadInPlace(0, 1, out _));
        Assert.False(lent);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_layer_emulates_keeps_metadata_right_for_those_who_see_it(bool interleaved)
    {
        var disk = new PlainDisk(Track(ContractHost.NewName("plain")), new PlainDiskOptions { Interleaved = interleaved });
        await Host.RegisterAsync(disk);
        var hidden = await OpenAsync(disk.Name, hideMetadata: true);
        var client = await OpenAsync(disk.Name);
        byte[] data = RandomBytes(new Random(1), 512 * 300);
        await hidden.WriteBytesAsync(0, data);
        Assert.True((await client.CopyAsync(400, 0, 300)).IsSuccess);
        AssertStored(disk, 400, data);
        Assert.True((await client.WriteZeroesAsync(0, 300)).IsSuccess);
        AssertStored(disk, 0, new byte[512 * 300]);
    }
}
