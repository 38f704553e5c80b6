using Spindle.Bdevs;
using Spindle.Host.Bdevs.Qos;
using Spindle.Memory;
using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Bdevs;

/// <summary>Zoned bdevs in the bdev layer: what is refused at registration and at submission, what is split, what is emulated, counted and held back.</summary>
public sealed class BdevZoneTests : IDisposable
{
    private const ulong Size = 64;
    private const ulong Zones = 8;

    private readonly DmaBuffer _memory = new TestMemory().Allocate(1 << 20);

    public void Dispose() => _memory.Dispose();

    private IoVec Vector(ulong blocks, uint at = 0) => _memory.Slice(at, (uint)blocks * 512);

    /// <summary>Remembers what it is asked to do. An append is said to have been at block 7 of its zone.</summary>
    private sealed class ZonedBdev : Bdev
    {
        public readonly record struct Io(BdevIoType Type, ulong Offset, ulong Blocks, BdevZoneAction Action, bool Aligned, int UnderWay);

        private readonly HashSet<BdevIoType> _types;
        private int _underWay;

        public ZonedBdev(ulong size = Size, ulong blocks = Size * Zones, uint append = 0, uint open = 0, uint active = 0, uint optimal = 0, uint boundary = 0, uint unit = 1,
            uint alignment = 1, uint maxRw = 0, IEnumerable<BdevIoType>? types = null, uint metadata = 0) : base("z", "Zoned disk", 512 + metadata, blocks)
        {
            MetadataSize = metadata;
            MetadataInterleaved = metadata != 0;
            ZoneSizeBlocks = size;
            MaxZoneAppendBlocks = append;
            MaxOpenZones = open;
            MaxActiveZones = active;
            OptimalOpenZones = optimal;
            OptimalIoBoundary = boundary;
            SplitOnOptimalIoBoundary = boundary != 0;
            WriteUnitBlocks = unit;
            SplitOnWriteUnit = unit > 1;
            RequiredAlignment = alignment;
            MaxRwBlocks = maxRw;
            _types = [.. types ?? [BdevIoType.Read, BdevIoType.Write, BdevIoType.Flush, BdevIoType.GetZoneInfo, BdevIoType.ZoneManagement, BdevIoType.ZoneAppend]];
        }

        public List<Io> Seen { get; } = [];
        public bool Holds { get; set; }
        public List<Action> Held { get; } = [];

        public override bool Supports(BdevIoType type) => _types.Contains(type);

        protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

        public override void Submit(IoChannel channel, BdevIo io)
        {
            bool aligned = true;
            foreach (ref readonly var vector in io.Iovs) aligned &= ((ulong)vector.Address | vector.Length) % RequiredAlignment == 0;
            _underWay++;
            Seen.Add(new Io(io.Type, io.OffsetBlocks, io.NumBlocks, io.Type == BdevIoType.ZoneManagement ? io.ZoneAction : BdevZoneAction.None, aligned, _underWay));
            if (io.Type == BdevIoType.GetZoneInfo)
                for (int i = 0; i < io.Zones.Length; i++) io.Zones.Span[i] = new BdevZoneInfo { Start = io.OffsetBlocks + (ulong)i * ZoneSizeBlocks, Capacity = ZoneSizeBlocks };
            uint generation = io.Generation;
            var result = io.Type == BdevIoType.ZoneAppend ? BdevIoResult.WithValue(io.OffsetBlocks + 7) : BdevIoResult.Of(BdevIoStatus.Success);
            void End()
            {
                _underWay--;
                io.Complete(generation, result);
            }
            if (Holds) Held.Add(End);
            else channel.Thread.Send(_ => End(), null);
        }

        private sealed class Channel : IoChannel;
    }

    private static async Task RunAsync(ZonedBdev bdev, Func<BdevHost, IBdevChannel, Task> body, bool write = true)
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(async () =>
        {
            host.Bdevs.Register(bdev);
            var descriptor = host.Bdevs.Open(bdev.Name, write, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            await body(host, channel);
            channel.Put();
            descriptor.Close();
        });
    }

    private static readonly BdevIoCallback s_never = static (object? _, in BdevIoResult _) => Assert.Fail("a callback for what was refused");

    public static TheoryData<string, string> Geometries => new()
    {
        { "part of a zone", "BlockCount" }, { "append", "MaxZoneAppendBlocks" }, { "open above active", "MaxOpenZones" }, { "optimal above open", "OptimalOpenZones" },
        { "boundary", "OptimalIoBoundary" }, { "unit", "WriteUnitBlocks" }, { "no information", "GetZoneInfo" }, { "no management", "ZoneManagement" },
        { "limits without zones", "MaxActiveZones" }, { "appends without zones", "ZoneAppend" },
    };

    [Theory]
    [MemberData(nameof(Geometries))]
    public async Task Zones_that_make_no_sense_are_refused_by_member(string what, string member)
    {
        BdevIoType[] data = [BdevIoType.Read, BdevIoType.Write];
        var bdev = what switch
        {
            "part of a zone" => new ZonedBdev(blocks: (Size * Zones) + 1),
            "append" => new ZonedBdev(append: (uint)Size + 1),
            "open above active" => new ZonedBdev(open: 5, active: 4),
            "optimal above open" => new ZonedBdev(open: 4, optimal: 5),
            "boundary" => new ZonedBdev(boundary: 24),
            "unit" => new ZonedBdev(unit: 24),
            "no information" => new ZonedBdev(types: [.. data, BdevIoType.ZoneManagement]),
            "no management" => new ZonedBdev(types: [.. data, BdevIoType.GetZoneInfo]),
            "limits without zones" => new ZonedBdev(size: 0, active: 4, types: data),
            _ => new ZonedBdev(size: 0, types: [.. data, BdevIoType.ZoneAppend]),
        };
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(() =>
        {
            var failure = Assert.Throws<SpindleException>(() => host.Bdevs.Register(bdev));
            Assert.Equal(Errno.EINVAL, failure.Errno);
            Assert.Contains(member, failure.Message);
            return Task.CompletedTask;
        });
    }

    [Fact]
    public Task It_has_as_many_zones_as_fit_and_grows_by_whole_ones() => RunAsync(new ZonedBdev(append: 16, open: 3, active: 4, optimal: 2), (host, channel) =>
    {
        var bdev = channel.Bdev;
        Assert.True(bdev.IsZoned);
        Assert.Equal(Zones, bdev.ZoneCount);
        var failure = Assert.Throws<SpindleException>(() => host.Bdevs.Resize(bdev, (Size * Zones) + 1));
        Assert.Equal(Errno.EINVAL, failure.Errno);
        host.Bdevs.Resize(bdev, Size * (Zones + 1));
        Assert.Equal(Zones + 1, bdev.ZoneCount);
        return Task.CompletedTask;
    });

    [Fact]
    public Task What_is_outside_of_the_zones_is_refused() => RunAsync(new ZonedBdev(append: 16), (_, channel) =>
    {
        var one = new BdevZoneInfo[1];
        foreach (ulong start in new[] { 1UL, Size - 1, Size + 1, Size * Zones, ulong.MaxValue, ulong.MaxValue - Size + 1, 1UL << 63 })
        {
            Assert.Equal(-Errno.EINVAL, channel.GetZoneInfo(start, one, s_never, null));
            Assert.Equal(-Errno.EINVAL, channel.ZoneManagement(start, BdevZoneAction.Reset, s_never, null));
            Assert.Equal(-Errno.EINVAL, channel.ZoneAppend([Vector(1)], start, 1, s_never, null));
        }
        Assert.Equal(-Errno.EINVAL, channel.GetZoneInfo(0, new BdevZoneInfo[Zones + 1], s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.GetZoneInfo(Size * (Zones - 1), new BdevZoneInfo[2], s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.GetZoneInfo(0, Memory<BdevZoneInfo>.Empty, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.ZoneManagement(0, BdevZoneAction.None, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.ZoneManagement(0, (BdevZoneAction)6, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.ZoneAppend([Vector(17)], 0, 17, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.ZoneAppend([Vector(2)], 0, 1, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.ZoneAppend([], 0, 0, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.Write([Vector(2)], Size - 1, 2, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.Write([Vector(Size + 1)], 0, Size + 1, s_never, null));
        Assert.Equal(-Errno.EINVAL, channel.WriteZeroes(Size - 1, 2, s_never, null));
        return Task.CompletedTask;
    });

    [Fact]
    public Task Who_opened_it_for_reading_changes_nothing() => RunAsync(new ZonedBdev(), async (_, channel) =>
    {
        Assert.Equal(-Errno.EBADF, channel.ZoneManagement(0, BdevZoneAction.Reset, s_never, null));
        Assert.Equal(-Errno.EBADF, channel.ZoneAppend([Vector(1)], 0, 1, s_never, null));
        var zones = new BdevZoneInfo[Zones];
        Assert.True((await channel.IoAsync((c, cb, s) => c.GetZoneInfo(0, zones, cb, s))).IsSuccess);
        Assert.Equal(Enumerable.Range(0, (int)Zones).Select(i => (ulong)i * Size), zones.Select(zone => zone.Start));
    }, write: false);

    [Fact]
    public async Task A_bdev_without_zones_has_none_of_it()
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(() =>
        {
            host.Bdevs.Register(new MemoryBdev("m"));
            var descriptor = host.Bdevs.Open("m", true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            Assert.Equal(-Errno.ENOTSUP, channel.GetZoneInfo(0, new BdevZoneInfo[1], s_never, null));
            Assert.Equal(-Errno.ENOTSUP, channel.ZoneManagement(0, BdevZoneAction.Reset, s_never, null));
            Assert.Equal(-Errno.ENOTSUP, channel.ZoneAppend([Vector(1)], 0, 1, s_never, null));
            Assert.Equal((0ul, false), (channel.Bdev.ZoneCount, channel.Bdev.IsZoned));
            channel.Put();
            descriptor.Close();
            return Task.CompletedTask;
        });
    }

    [Fact]
    public Task The_module_gets_the_zone_and_what_to_do() => RunAsync(new ZonedBdev(), async (_, channel) =>
    {
        var bdev = (ZonedBdev)channel.Bdev;
        Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneManagement(Size * 3, BdevZoneAction.Finish, cb, s))).IsSuccess);
        Assert.True((await channel.IoAsync((c, cb, s) => c.GetZoneInfo(Size, new BdevZoneInfo[3], cb, s))).IsSuccess);
        var appended = await channel.IoAsync((c, cb, s) => c.ZoneAppend([Vector(4)], Size * 2, 4, cb, s));
        Assert.Equal((true, (Size * 2) + 7), (appended.IsSuccess, appended.Value));
        Assert.Equal([new(BdevIoType.ZoneManagement, Size * 3, Size, BdevZoneAction.Finish, true, 1), new(BdevIoType.GetZoneInfo, Size, 3 * Size, BdevZoneAction.None, true, 1),
            new(BdevIoType.ZoneAppend, Size * 2, 4, BdevZoneAction.None, true, 1)], bdev.Seen);
    });

    [Fact]
    public Task A_read_is_split_at_zones_and_a_write_goes_piece_by_piece() => RunAsync(new ZonedBdev(maxRw: 8), async (_, channel) =>
    {
        var bdev = (ZonedBdev)channel.Bdev;
        Assert.True((await channel.ReadAsync([Vector(16)], Size - 4, 16)).IsSuccess);
        Assert.Equal([(Size - 4, 4ul), (Size, 8ul), (Size + 8, 4ul)], bdev.Seen.Select(io => (io.Offset, io.Blocks)));
        bdev.Seen.Clear();
        Assert.True((await channel.WriteAsync([Vector(40)], Size, 40)).IsSuccess);
        Assert.Equal([0ul, 8, 16, 24, 32], bdev.Seen.Select(io => io.Offset - Size));
        // Two at a time could come to the device in another order.
        Assert.All(bdev.Seen, io => Assert.Equal(1, io.UnderWay));
        bdev.Seen.Clear();
        Assert.True((await channel.IoAsync((c, cb, s) => c.WriteZeroes(0, 24, cb, s))).IsSuccess);
        Assert.Equal([(BdevIoType.Write, 0ul, 1), (BdevIoType.Write, 8ul, 1), (BdevIoType.Write, 16ul, 1)], bdev.Seen.Select(io => (io.Type, io.Offset, io.UnderWay)));
    });

    [Fact]
    public Task An_append_that_is_not_aligned_is_copied_as_a_whole_and_tells_its_block() => RunAsync(new ZonedBdev(alignment: 512), async (host, channel) =>
    {
        var bdev = (ZonedBdev)channel.Bdev;
        var result = await channel.IoAsync((c, cb, s) => c.ZoneAppend([_memory.Slice(1, 1024), _memory.Slice(5000, 1024)], Size, 4, cb, s));
        Assert.Equal((true, Size + 7), (result.IsSuccess, result.Value));
        Assert.Equal([new(BdevIoType.ZoneAppend, Size, 4, BdevZoneAction.None, true, 1)], bdev.Seen);
        Assert.True(host.Iobuf.LargeBufferSize < 1024 * 512);
    });

    [Fact]
    public Task An_append_that_does_not_fit_a_buffer_is_refused_unless_it_is_aligned() => RunAsync(new ZonedBdev(size: 1024, blocks: 4096, alignment: 512), async (_, channel) =>
    {
        Assert.Equal(-Errno.EINVAL, channel.ZoneAppend([_memory.Slice(1, 512 * 512)], 0, 512, s_never, null));
        Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneAppend([_memory.Slice(0, 512 * 512)], 0, 512, cb, s))).IsSuccess);
    });

    [Fact]
    public Task What_would_write_again_in_place_is_not_emulated() => RunAsync(new ZonedBdev(), async (_, channel) =>
    {
        Assert.Equal(-Errno.ENOTSUP, channel.Copy(Size, 0, 8, s_never, null));
        Assert.Equal(-Errno.ENOTSUP, channel.CompareAndWrite([Vector(1)], [Vector(1, 512)], 0, 1, s_never, null));
        var bdev = (ZonedBdev)channel.Bdev;
        await channel.IoAsync((c, cb, s) => c.Compare([Vector(2)], Size - 1, 2, cb, s));
        Assert.Equal([(BdevIoType.Read, Size - 1), (BdevIoType.Read, Size)], bdev.Seen.Select(io => (io.Type, io.Offset)));
    });

    [Fact]
    public async Task Who_does_not_see_metadata_has_zones_but_no_appends()
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(async () =>
        {
            host.Bdevs.Register(new ZonedBdev(metadata: 8));
            var descriptor = host.Bdevs.Open("z", new BdevOpenOptions { Write = true, HideMetadata = true }, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            Assert.True((await channel.IoAsync((c, cb, s) => c.GetZoneInfo(0, new BdevZoneInfo[Zones], cb, s))).IsSuccess);
            Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneManagement(Size, BdevZoneAction.Open, cb, s))).IsSuccess);
            var bdev = (ZonedBdev)channel.Bdev;
            bdev.Seen.Clear();
            Assert.True((await channel.WriteAsync([_memory.Slice(0, 512 * 512 / 8)], Size, 64)).IsSuccess);
            Assert.All(bdev.Seen, io => Assert.Equal(1, io.UnderWay));
            Assert.Equal(-Errno.EINVAL, channel.Write([Vector(2)], Size - 1, 2, s_never, null));
            Assert.Equal(-Errno.ENOTSUP, channel.ZoneAppend([Vector(1)], 0, 1, s_never, null));
            Assert.Equal(-Errno.ENOTSUP, channel.CompareAndWrite([Vector(1)], [Vector(1, 512)], 0, 1, s_never, null));
            channel.Put();
            descriptor.Close();
        });
    }

    [Fact]
    public Task An_append_counts_as_a_write_and_is_held_by_its_limits() => RunAsync(new ZonedBdev(), async (host, channel) =>
    {
        var bdev = (ZonedBdev)channel.Bdev;
        Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneAppend([Vector(4)], 0, 4, cb, s))).IsSuccess);
        var statistics = await host.Registry.GetStatisticsAsync(bdev);
        Assert.Equal((1ul, 2048ul), (statistics.Writes, statistics.BytesWritten));
        await host.Registry.SetRateLimitsAsync(bdev, BdevRateLimits.None with { WriteMegabytesPerSecond = 1 });
        // A second's allowance is far more than passes at once.
        var appends = Enumerable.Range(0, 64).Select(_ => channel.IoAsync((c, cb, s) => c.ZoneAppend([Vector(64)], 0, 64, cb, s))).ToArray();
        Assert.True(bdev.Seen.Count < 40, $"{bdev.Seen.Count} appends of 32 KiB passed a limit of 1 MiB/s at once");
        await host.Registry.SetRateLimitsAsync(bdev, BdevRateLimits.None);
        Assert.All(await Task.WhenAll(appends), result => Assert.True(result.IsSuccess));
    });

    [Fact]
    public Task A_quiesced_block_holds_back_appends_to_its_zone_and_no_others() => RunAsync(new ZonedBdev(), async (host, channel) =>
    {
        var bdev = (ZonedBdev)channel.Bdev;
        await host.Bdevs.QuiesceRangeAsync(bdev, Size + 40, 1);
        var held = channel.IoAsync((c, cb, s) => c.ZoneAppend([Vector(1)], Size, 1, cb, s));
        var managed = channel.IoAsync((c, cb, s) => c.ZoneManagement(Size, BdevZoneAction.Reset, cb, s));
        Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneAppend([Vector(1)], 0, 1, cb, s))).IsSuccess);
        Assert.True((await channel.IoAsync((c, cb, s) => c.ZoneManagement(2 * Size, BdevZoneAction.Reset, cb, s))).IsSuccess);
        Assert.True((await channel.IoAsync((c, cb, s) => c.GetZoneInfo(Size, new BdevZoneInfo[1], cb, s))).IsSuccess);
        Assert.DoesNotContain(bdev.Seen, io => io.Offset == Size && io.Type != BdevIoType.GetZoneInfo);
        await host.Bdevs.UnquiesceRangeAsync(bdev, Size + 40, 1);
        Assert.True((await held).IsSuccess);
        Assert.True((await managed).IsSuccess);
    });
}
