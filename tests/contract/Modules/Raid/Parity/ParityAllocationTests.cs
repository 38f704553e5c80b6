using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Memory;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>Steady I/O on arrays with parity allocates nothing: whole stripes, parts of stripes, reads of what is missing.</summary>
public sealed class ParityAllocationTests(ContractHost host) : ParityArrayTest(host)
{
    [Theory]
    [InlineData("raid5f", 3, 0, 16u)]
    [InlineData("raid5f", 3, 1, 16u)]
    [InlineData("raid6", 5, 0, 24u)]
    [InlineData("raid6", 5, 0, 3u)]
    [InlineData("raid6", 5, 2, 3u)]
    [Trait("Category", "Slow")]
    public async Task Nothing(string level, int members, int missing, uint blocks)
    {
        string[] names = new string[members];
        for (int i = 0; i < members; i++)
        {
            // With a superblock, so that regions are marked before they are written.
            names[i] = (await Subjects.MallocAsync(Host, new() { NumBlocks = 2048 + 1024, BlockSize = 512 })).Name;
            Track(names[i]);
        }
        string name = await ArrayAsync(level, names, superblock: true);
        for (int i = 0; i < missing; i++) await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{names[i]}}"}""");
        using var buffer = new TestBuffer((int)(blocks * Block));
        buffer.Fill(0x3D);
        var client = await OpenAsync(name);
        var load = new Load(client, buffer.Vectors[0], blocks);
        await client.OnThreadAsync(load.Start);
        await Eventually.IsTrueAsync(() => load.IsDone, "the I/Os", seconds: 60);
        Assert.Null(load.Failure);
        Assert.Equal(0, load.Allocated);
    }

    private sealed class Load(BdevClient client, IoVec buffer, uint blocks)
    {
        private const int Warmup = 20_000, Counted = 60_000, Depth = 16;
        private readonly BdevIoCallback _done = OnDone;
        private readonly IoVec _buffer = buffer;
        private int _submitted, _completed;
        private long _before;
        private volatile bool _isDone;

        public bool IsDone => _isDone;
        public string? Failure { get; private set; }
        public long Allocated { get; private set; } = -1;

        public void Start()
        {
            for (int i = 0; i < Depth; i++) Submit();
        }

        private void Submit()
        {
            int i = _submitted++;
            ulong places = client.Bdev.BlockCount / blocks, offset = (ulong)i * 7919 % places * blocks;
            var vectors = new ReadOnlySpan<IoVec>(in _buffer);
            int error = i % 3 == 0 ? client.Channel.Read(vectors, offset, blocks, _done, this) : client.Channel.Write(vectors, offset, blocks, _done, this);
            if (error != 0) Failure = $"refused: {error}";
        }

        private static void OnDone(object? state, in BdevIoResult result)
        {
            var self = (Load)state!;
            if (!result.IsSuccess) self.Failure = result.Status.ToString();
            if (++self._completed == Warmup) self._before = GC.GetAllocatedBytesForCurrentThread();
            if (self._completed == Warmup + Counted)
            {
                self.Allocated = GC.GetAllocatedBytesForCurrentThread() - self._before;
                self._isDone = true;
            }
            if (!self._isDone) self.Submit();
        }
    }
}
