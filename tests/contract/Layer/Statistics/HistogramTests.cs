using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.ContractTests.Faults;
using Spindle.Host.Bdevs;

namespace Spindle.ContractTests.Layer.Statistics;

/// <summary>Latency histograms, on a clock of the test's own, so that latencies are known.</summary>
public sealed class HistogramTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private readonly TestBuffer _buffer = new(512);
    private readonly List<(BdevIo Io, uint Generation)> _held = [];
    private TestBdev _bdev = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync(new TestHostOptions { ManualClock = true, Workers = 2 });
        _bdev = new TestBdev("m") { OnSubmit = (_, io) => { lock (_held) _held.Add((io, io.Generation)); } };
        await _host.RegisterAsync(_bdev);
    }

    public async ValueTask DisposeAsync()
    {
        _host.CheckObservations();
        await _host.DisposeAsync();
        _buffer.Dispose();
    }

    private Task SetAsync(BdevHistogramOptions? options) => _host.OnAppAsync(() => _host.Bdevs.SetHistogramAsync(_bdev, options));

    private async Task<LatencyHistogram?> GetAsync()
    {
        LatencyHistogram? histogram = null;
        await _host.OnAppAsync(async () => histogram = await _host.Bdevs.GetHistogramAsync(_bdev));
        return histogram;
    }

    /// <summary>One I/O that takes a time.</summary>
    private async Task<BdevIoStatus> IoAsync(BdevClient client, TimeSpan latency, bool write = false, BdevIoStatus status = BdevIoStatus.Success)
    {
        var io = write ? client.WriteAsync(_buffer, 0, 1) : client.ReadAsync(_buffer, 0, 1);
        await Eventually.IsTrueAsync(() => { lock (_held) return _held.Count == 1; }, "the I/O at the module");
        await _host.Clock.AdvanceAsync(latency);
        await client.OnThreadAsync(() =>
        {
            var (held, generation) = _held[0];
            _held.Clear();
            held.Complete(generation, status);
        });
        return (await io).Status;
    }

    private static ulong Sum(LatencyHistogram histogram)
    {
        ulong sum = 0;
        foreach (ulong bucket in histogram.Buckets) sum += bucket;
        return sum;
    }

    /// <summary>The bounds of the bucket that has the one I/O, in ticks, as SPDK's layout has them.</summary>
    private static (ulong From, ulong To) OnlyBucket(LatencyHistogram histogram)
    {
        int at = histogram.Buckets.IndexOf(1UL);
        Assert.Equal(1UL, Sum(histogram));
        int g = histogram.Options.Granularity, range = histogram.FirstRange + (at >> g), index = at & ((1 << g) - 1);
        if (range == 0) return ((ulong)index, (ulong)index + 1);
        ulong width = 1UL << (range - 1), start = (1UL << (range + g - 1)) + (ulong)index * width;
        return (start, start + width);
    }

    [Theory]
    [InlineData(7, 3)]
    [InlineData(7, 1500)]
    [InlineData(1, 1500)]
    [InlineData(12, 250_000)]
    [InlineData(7, 59_000_000)]
    public async Task A_latency_is_in_its_bucket(int granularity, int microseconds)
    {
        await SetAsync(new BdevHistogramOptions(Granularity: granularity));
        var client = await _host.OpenAsync("m");
        var latency = TimeSpan.FromMicroseconds(microseconds);
        await IoAsync(client, latency);
        var (from, to) = OnlyBucket((await GetAsync())!);
        Assert.InRange((ulong)(latency.TotalSeconds * Stopwatch.Frequency), from, to - 1);
        Assert.True(to - from <= Math.Max(1, from >> (granularity - 1)), $"bucket {from}–{to} is wide for granularity {granularity}");
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Shorter_and_longer_ones_are_at_the_ends()
    {
        await SetAsync(new BdevHistogramOptions(MinNanoseconds: 1_000_000, MaxNanoseconds: 2_000_000));
        var client = await _host.OpenAsync("m");
        await IoAsync(client, TimeSpan.FromMicroseconds(1));
        await IoAsync(client, TimeSpan.FromSeconds(1));
        var histogram = (await GetAsync())!;
        Assert.Equal((1UL, 1UL), (histogram.Buckets[0], histogram.Buckets[^1]));
        Assert.Equal((histogram.LastRange - histogram.FirstRange + 1) << 7, histogram.Buckets.Length);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task All_threads_are_summed_those_that_have_gone_too_and_errors_count()
    {
        await SetAsync(new BdevHistogramOptions());
        var first = await _host.OpenAsync("m");
        await IoAsync(first, TimeSpan.FromMilliseconds(1));
        await first.DisposeAsync();
        var second = await _host.OpenAsync("m", worker: 1);
        var third = await _host.OpenAsync("m");
        await IoAsync(second, TimeSpan.FromMilliseconds(2));
        Assert.Equal(BdevIoStatus.Failed, await IoAsync(third, TimeSpan.FromMilliseconds(3), status: BdevIoStatus.Failed));
        await Eventually.IsTrueAsync(() => _host.Bdevs.GetUse(_bdev).Channels == 2, "the end of the first channel");
        Assert.Equal(3UL, Sum((await GetAsync())!));
        await SetAsync(new BdevHistogramOptions()); // the same again: it goes on
        Assert.Equal(3UL, Sum((await GetAsync())!));
        await SetAsync(new BdevHistogramOptions(Granularity: 5)); // another: it starts anew
        Assert.Equal(0UL, Sum((await GetAsync())!));
        await SetAsync(null);
        Assert.Null(await GetAsync());
        await second.DisposeAsync();
        await third.DisposeAsync();
    }

    [Fact]
    public async Task One_type_is_counted_alone()
    {
        await SetAsync(new BdevHistogramOptions(BdevIoType.Write));
        var client = await _host.OpenAsync("m");
        await IoAsync(client, TimeSpan.FromMilliseconds(1));
        await IoAsync(client, TimeSpan.FromMilliseconds(2), write: true);
        OnlyBucket((await GetAsync())!);
        await client.DisposeAsync();
    }

    [Theory]
    [InlineData(0, 0, 100, "granularity")]
    [InlineData(13, 0, 100, "granularity")]
    [InlineData(7, 100, 100, "max_nsec")]
    [InlineData(7, ulong.MaxValue, 5, "max_nsec")]
    public async Task What_makes_no_histogram_is_refused_by_name(int granularity, ulong min, ulong max, string named)
    {
        var error = await Assert.ThrowsAsync<SpindleException>(() => SetAsync(new BdevHistogramOptions(null, granularity, min, max)));
        Assert.Equal(Errno.EINVAL, error.Errno);
        Assert.Contains(named, error.Message);
        await SetAsync(new BdevHistogramOptions(null, 12, 0, ulong.MaxValue)); // all there can be
        Assert.Equal(0UL, Sum((await GetAsync())!));
    }
}
