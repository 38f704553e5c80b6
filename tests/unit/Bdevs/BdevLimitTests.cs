using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Bdevs;

/// <summary>What the host makes of an I/O keeps to the limits of the bdev as the I/O itself does.</summary>
public sealed class BdevLimitTests : IDisposable
{
    private readonly DmaBuffer _memory = new TestMemory().Allocate(1 << 20);

    public void Dispose() => _memory.Dispose();

    private static async Task RunAsync(MemoryBdev bdev, Func<IBdevChannel, Task> body)
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(async () =>
        {
            host.Bdevs.Register(bdev);
            var descriptor = host.Bdevs.Open(bdev.Name, true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            await body(channel);
            channel.Put();
            descriptor.Close();
        });
    }

    [Theory]
    [InlineData(100ul, 180ul, 60ul)]
    [InlineData(0ul, 33ul, 32ul)]
    [InlineData(64ul, 1ul, 62ul)]
    [InlineData(95ul, 300ul, 130ul)]
    public Task An_emulated_copy_crosses_no_boundary_where_it_reads_or_writes(ulong to, ulong from, ulong blocks) => RunAsync(new MemoryBdev("m", boundary: 32), async channel =>
    {
        var bdev = (MemoryBdev)channel.Bdev;
        new Random(1).NextBytes(bdev.Data);
        byte[] expected = [.. bdev.Data];
        bdev.Data.AsSpan((int)from * 512, (int)blocks * 512).CopyTo(expected.AsSpan((int)to * 512));
        Assert.True((await channel.IoAsync((c, cb, s) => c.Copy(to, from, blocks, cb, s))).IsSuccess);
        Assert.Equal(expected, bdev.Data);
        Assert.All(bdev.Seen, io => Assert.True(io.Offset % 32 + io.Blocks <= 32, $"{io.Type} of {io.Blocks} blocks at {io.Offset}"));
    });

    [Fact]
    public Task What_is_copied_through_a_buffer_keeps_to_the_size_of_a_vector() => RunAsync(new MemoryBdev("m", alignment: 512, maxSegmentSize: 4096), async channel =>
    {
        var bdev = (MemoryBdev)channel.Bdev;
        bool tooLarge = false;
        bdev.Intercept = io =>
        {
            foreach (var piece in io.Iovs) tooLarge |= piece.Length > 4096;
            return false;
        };
        new Random(2).NextBytes(_memory.Slice(1, 65536).Span);
        Assert.True((await channel.WriteAsync([_memory.Slice(1, 65536)], 8, 128)).IsSuccess);
        Assert.True((await channel.ReadAsync([_memory.Slice(131073, 65536)], 8, 128)).IsSuccess);
        Assert.True(_memory.Slice(1, 65536).Span.SequenceEqual(_memory.Slice(131073, 65536).Span));
        Assert.True((await channel.IoAsync((c, cb, s) => c.Copy(300, 8, 128, cb, s))).IsSuccess);
        Assert.True(bdev.Data.AsSpan(300 * 512, 65536).SequenceEqual(_memory.Slice(1, 65536).Span));
        Assert.False(tooLarge);
    });
}
