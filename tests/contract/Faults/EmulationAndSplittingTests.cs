using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Faults;

/// <summary>Bdevs that can do little, with narrow limits: the host makes up for it.</summary>
public sealed class EmulationAndSplittingTests(ContractHost host) : TestBdevTest(host)
{
    [Theory]
    [InlineData(1u, 0u, 0)]
    [InlineData(512u, 0u, 0)]
    [InlineData(4096u, 0u, 0)]
    [InlineData(1u, 3u, 0)]
    [InlineData(1u, 0u, 1)]
    [InlineData(1u, 0u, 2)]
    [InlineData(512u, 5u, 3)]
    public async Task Limits_are_kept_and_not_noticed(uint alignment, uint maxRwBlocks, int maxSegments)
    {
        const uint blockSize = 4096;
        var bdev = await RegisterAsync(name => new TestBdev(name, blockSize, 512, alignment, maxRwBlocks, maxSegments));
        string broken = "";
        bdev.OnSubmit = (self, io) =>
        {
            if (maxRwBlocks != 0 && io.NumBlocks > maxRwBlocks) broken = $"{io.NumBlocks} blocks";
            if (maxSegments != 0 && io.IovCount > maxSegments) broken = $"{io.IovCount} segments";
            ulong bytes = 0;
            foreach (var vector in io.Iovs)
            {
                if ((ulong)vector.Address % alignment != 0 || vector.Length % alignment != 0) broken = $"a vector at {vector.Address:x} of {vector.Length}";
                bytes += vector.Length;
            }
            if (bytes != io.LengthBytes) broken = $"{bytes} bytes for {io.NumBlocks} blocks";
            if (io.OffsetBlocks + io.NumBlocks > self.BlockCount) broken = "beyond the end";
            self.CarryOut(io);
        };
        var client = await OpenAsync(bdev.Name);
        var random = new Random(1);
        byte[] model = new byte[512 * blockSize];
        for (int i = 0; i < 60; i++)
        {
            ulong blocks = (ulong)random.Next(1, 64), offset = (ulong)random.Next(0, 512 - (int)blocks);
            int bytes = (int)(blocks * blockSize), at = (int)(offset * blockSize);
            using var buffer = new TestBuffer(TestBuffer.OddSplit(random, bytes, random.Next(1, 12)), random.Next(2) * random.Next(64));
            if (random.Next(2) == 0)
            {
                byte[] data = RandomBytes(random, (ulong)bytes);
                buffer.Set(data);
                data.CopyTo(model, at);
                Assert.True((await client.WriteAsync(buffer, offset, blocks)).IsSuccess);
            }
            else
            {
                Assert.True((await client.ReadAsync(buffer, offset, blocks)).IsSuccess);
                Assert.True(buffer.ToArray().AsSpan().SequenceEqual(model.AsSpan(at, bytes)), $"round {i}: {blocks} blocks at {offset}");
            }
        }
        Assert.Equal("", broken);
    }

    [Theory]
    [InlineData(4u, 0u, 0, 1u, 0u)]
    [InlineData(4u, 10u, 0, 1u, 0u)]
    [InlineData(3u, 0u, 2, 1u, 0u)]
    [InlineData(3u, 7u, 1, 512u, 0u)]
    [InlineData(8u, 0u, 0, 4096u, 16u)]
    [InlineData(5u, 20u, 3, 1u, 10u)]
    public async Task Writes_are_whole_write_units_however_they_are_split(uint unit, uint maxRwBlocks, int maxSegments, uint alignment, uint boundary)
    {
        const uint blockSize = 4096, blocks = 480;
        var bdev = await RegisterAsync(name => new TestBdev(name, blockSize, blocks, alignment, maxRwBlocks, maxSegments, unit, boundary));
        string broken = "";
        int writes = 0;
        bdev.OnSubmit = (self, io) =>
        {
            if (io.Type == BdevIoType.Write) writes++;
            if (io.Type == BdevIoType.Write && (io.OffsetBlocks % unit != 0 || io.NumBlocks % unit != 0 || io.NumBlocks == 0)) broken = $"a write of {io.NumBlocks} blocks at {io.OffsetBlocks}";
            if (maxRwBlocks != 0 && io.NumBlocks > maxRwBlocks) broken = $"{io.NumBlocks} blocks";
            if (maxSegments != 0 && io.IovCount > maxSegments) broken = $"{io.IovCount} segments";
            if (boundary != 0 && io.OffsetBlocks % boundary + io.NumBlocks > boundary) broken = $"{io.NumBlocks} blocks at {io.OffsetBlocks} cross a boundary";
            self.CarryOut(io);
        };
        var client = await OpenAsync(bdev.Name);
        var random = new Random(3);
        byte[] model = new byte[blocks * blockSize];
        int units = (int)(blocks / unit);
        for (int i = 0; i < 60; i++)
        {
            uint count = (uint)random.Next(1, Math.Min(40, units)) * unit, at = (uint)random.Next(0, units - (int)(count / unit) + 1) * unit;
            var place = model.AsMemory((int)(at * blockSize), (int)(count * blockSize));
            switch (random.Next(4))
            {
                case 0:
                    Assert.True((await client.WriteZeroesAsync(at, count)).IsSuccess);
                    place.Span.Clear();
                    break;
                case 1 when at + (2 * count) <= blocks:
                    Assert.True((await client.CopyAsync(at + count, at, count)).IsSuccess);
                    place.CopyTo(model.AsMemory((int)((at + count) * blockSize)));
                    break;
                default:
                    using (var buffer = new TestBuffer(TestBuffer.OddSplit(random, place.Length, random.Next(1, 12)), random.Next(2) * random.Next(64)))
                    {
                        byte[] data = RandomBytes(random, (ulong)place.Length);
                        buffer.Set(data);
                        data.CopyTo(place);
                        Assert.True((await client.WriteAsync(buffer, at, count)).IsSuccess);
                    }
                    break;
            }
        }
        Assert.Equal("", broken);
        Assert.True(writes > 60);
        Assert.Equal(model, await client.ReadBytesAsync(0, blocks));
        using var one = new TestBuffer((int)blockSize);
        Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(one, 0, 1)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.WriteZeroesAsync(1, unit)).Error);
    }

    [Theory]
    [InlineData(4u, 1u, 0, 6u, "OptimalIoBoundary")]
    [InlineData(64u, 512u, 0, 0u, "WriteUnitBlocks")]
    [InlineData(64u, 1u, 4, 0u, "WriteUnitBlocks")]
    public async Task A_write_unit_that_cannot_be_kept_is_refused_by_member(uint unit, uint alignment, int maxSegments, uint boundary, string member)
    {
        var refused = await Assert.ThrowsAsync<SpindleException>(() =>
            RegisterAsync(name => new TestBdev(name, 4096, 512, alignment, maxSegments: maxSegments, writeUnit: unit, boundary: boundary)));
        Assert.Equal(Errno.EINVAL, refused.Errno);
        Assert.Contains(member, refused.Message);
    }

    [Fact]
    public async Task Write_zeroes_is_emulated_by_writes()
    {
        var bdev = await RegisterAsync();
        var client = await OpenAsync(bdev.Name);
        await client.WriteBytesAsync(0, RandomBytes(new Random(2), bdev.BlockCount * 512));
        Assert.True((await client.WriteZeroesAsync(1, bdev.BlockCount - 2)).IsSuccess);
        byte[] read = await client.ReadBytesAsync(0, bdev.BlockCount);
        Assert.True(read.AsSpan(512, read.Length - 1024).IndexOfAnyExcept((byte)0) < 0);
        Assert.Contains(read[..512], b => b != 0);
        Assert.Contains(read[^512..], b => b != 0);
    }

    [Fact]
    public async Task A_failing_piece_fails_the_whole_once_with_its_status()
    {
        var bdev = await RegisterAsync(name => new TestBdev(name, maxRwBlocks: 4));
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            var result = io.OffsetBlocks is >= 40 and < 44 ? BdevIoResult.FromNvme(2, 0x81) : BdevIoResult.Of(self.Transfer(io));
            io.Channel.Thread.Send(_ => io.Complete(generation, result), null);
        };
        var client = await OpenAsync(bdev.Name);
        using var buffer = new TestBuffer(512 * 128);
        var outcome = await client.ReadAsync(buffer, 0, 128);
        Assert.Equal(BdevIoStatus.NvmeError, outcome.Status);
        Assert.Equal((2, 0x81), (outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode));
        Assert.True((await client.ReadAsync(buffer, 44, 128)).IsSuccess);
    }

    [Fact]
    public async Task Unaligned_io_waits_for_buffers_when_the_pool_is_dry()
    {
        var bdev = await RegisterAsync(name => new TestBdev(name, 4096, 4096, alignment: 4096));
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            io.Channel.Thread.Send(_ => io.Complete(generation, self.Transfer(io)), null);
        };
        // Far more than the pool has: each needs a large buffer.
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < 4; worker++) clients.Add(await OpenAsync(bdev.Name, worker: worker));
        await Task.WhenAll(Enumerable.Range(0, 400).Select(async i =>
        {
            using var buffer = new TestBuffer(10 * 4096, 1);
            buffer.Fill((byte)i);
            ulong offset = (ulong)i * 10;
            Assert.True((await clients[i % 4].WriteAsync(buffer, offset, 10)).IsSuccess);
            buffer.Fill(0);
            Assert.True((await clients[i % 4].ReadAsync(buffer, offset, 10)).IsSuccess);
            Assert.True(buffer.ToArray().AsSpan().IndexOfAnyExcept((byte)i) < 0);
        })).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
    }
}
