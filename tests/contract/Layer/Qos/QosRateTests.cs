using System.Diagnostics;
using Spindle.ContractTests.Faults;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.ContractTests.Layer.Qos;

/// <summary>How exactly limits are kept, and how fairly threads share them. On a clock of the tests' own but for one.</summary>
public sealed class QosRateTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private readonly List<TestBuffer> _buffers = [];
    private readonly List<BdevClient> _clients = [];

    public async ValueTask InitializeAsync() => _host = await TestHost.StartAsync(new TestHostOptions { ManualClock = true, Workers = 3 });

    public async ValueTask DisposeAsync()
    {
        _host.CheckObservations();
        await _host.DisposeAsync();
        foreach (var buffer in _buffers) buffer.Dispose();
    }

    private static async Task LimitAsync(TestHost host, string name, BdevRateLimits limits) =>
        await host.OnAppAsync(() => host.Bdevs.SetRateLimitsAsync(host.Registry.Find(name)!, limits));

    private TestBuffer Buffer(int length)
    {
        var buffer = new TestBuffer(length);
        _buffers.Add(buffer);
        return buffer;
    }

    private async Task<BdevClient> OpenAsync(TestHost host, string name, int worker)
    {
        var client = await host.OpenAsync(name, worker: worker);
        _clients.Add(client);
        return client;
    }

    private async Task<List<Load>> StartAsync(TestHost host, string name, BdevRateLimits limits, int length, params (int Depth, bool Write)[] loads)
    {
        await host.RegisterAsync(new TestBdev(name));
        await LimitAsync(host, name, limits);
        var started = new List<Load>();
        for (int i = 0; i < loads.Length; i++)
        {
            var load = new Load(await OpenAsync(host, name, i), Buffer(length).Vectors[0], loads[i].Write);
            await load.StartAsync(loads[i].Depth);
            started.Add(load);
        }
        return started;
    }

    /// <summary>What each load completes in a second of the test's clock.</summary>
    private async Task<long[]> SecondAsync(IReadOnlyList<Load> loads)
    {
        await SettleAsync(loads);
        long[] before = [.. loads.Select(load => load.Completed)];
        // A few timeslices at a time, as a reactor that has other things to do comes round.
        for (int i = 0; i < 250; i++) await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(4));
        await SettleAsync(loads);
        return [.. loads.Zip(before, (load, was) => load.Completed - was)];
    }

    /// <summary>While time stands, I/O soon stands too.</summary>
    private async Task SettleAsync(IReadOnlyList<Load> loads)
    {
        for (long last = -1, now; (now = loads.Sum(load => load.Completed)) != last; last = now)
            for (int i = 0; i < 4; i++) await _host.Clock.AdvanceAsync(TimeSpan.Zero);
    }

    private async Task EndAsync(TestHost host, string name, IReadOnlyList<Load> loads)
    {
        Assert.All(loads, load => Assert.Equal(0, load.Failed));
        var stops = loads.Select(load => load.StopAsync()).ToArray();
        await LimitAsync(host, name, BdevRateLimits.None);
        await Task.WhenAll(stops);
        foreach (var client in _clients) await client.DisposeAsync();
    }

    [Theory]
    [InlineData(1000, 0, 0, 0, 1000)]
    [InlineData(100_000, 0, 0, 0, 100_000)]
    [InlineData(0, 1, 0, 0, 256)]
    [InlineData(0, 400, 0, 0, 102_400)]
    [InlineData(0, 0, 3, 0, 768)]
    [InlineData(2000, 100, 4, 50, 1024)] // the least of them holds
    public async Task A_limit_is_kept_within_five_percent(uint ios, uint megabytes, uint readMegabytes, uint writeMegabytes, long expected)
    {
        var loads = await StartAsync(_host, "m", new(ios, megabytes, readMegabytes, writeMegabytes), 4096, (512, false));
        Assert.InRange((await SecondAsync(loads))[0], expected * 95 / 100, expected * 105 / 100);
        await EndAsync(_host, "m", loads);
    }

    [Theory]
    [InlineData(3000u)]
    [InlineData(60_000u)]
    public async Task Threads_share_a_limit_equally_whatever_their_depths(uint ios)
    {
        var loads = await StartAsync(_host, "m", new(ios, 0, 0, 0), 4096, (256, false), (100, false), (128, true));
        long[] counts = await SecondAsync(loads);
        Assert.InRange(counts.Sum(), ios * 95 / 100, ios * 105 / 100);
        Assert.All(counts, count => Assert.InRange(count, ios / 3 * 90 / 100, ios / 3 * 110 / 100));
        await EndAsync(_host, "m", loads);
    }

    [Fact]
    public async Task What_a_thread_does_not_want_the_others_get()
    {
        var loads = await StartAsync(_host, "m", new(5000, 0, 0, 0), 4096, (256, false), (0, false), (0, false));
        Assert.InRange((await SecondAsync(loads))[0], 4750, 5250);
        // One that was idle has gathered no credit against the other.
        await loads[1].StartAsync(256);
        long[] counts = await SecondAsync(loads);
        Assert.All(counts[..2], count => Assert.InRange(count, 2250, 2750));
        await EndAsync(_host, "m", loads);
    }

    [Fact]
    public async Task Reads_and_writes_have_limits_of_their_own_and_do_not_wait_for_each_other()
    {
        // On one thread, so that they wait in the same queue.
        await _host.RegisterAsync(new TestBdev("m"));
        await LimitAsync(_host, "m", new(0, 0, 2, 8));
        var client = await OpenAsync(_host, "m", 0);
        List<Load> loads = [new(client, Buffer(4096).Vectors[0]), new(client, Buffer(4096).Vectors[0], write: true)];
        foreach (var load in loads) await load.StartAsync(128);
        long[] counts = await SecondAsync(loads);
        Assert.InRange(counts[0], 486, 538);
        Assert.InRange(counts[1], 1945, 2150);
        // A limit of both together serves them in the order in which they come: neither starves.
        await LimitAsync(_host, "m", new(2000, 0, 0, 0));
        counts = await SecondAsync(loads);
        Assert.InRange(counts.Sum(), 1900, 2100);
        Assert.All(counts, count => Assert.InRange(count, 850, 1150));
        await EndAsync(_host, "m", loads);
    }

    [Fact]
    public async Task An_I_O_larger_than_a_slice_of_the_limit_gets_through_and_is_paid_for()
    {
        var loads = await StartAsync(_host, "m", new(0, 4, 0, 0), 65536, (8, false), (8, true));
        long[] counts = await SecondAsync(loads);
        Assert.InRange(counts.Sum(), 61, 67);
        await EndAsync(_host, "m", loads);
    }

    [Fact]
    public async Task After_a_standstill_there_is_no_endless_burst()
    {
        var loads = await StartAsync(_host, "m", new(10_000, 0, 0, 0), 4096, (8192, false));
        await SettleAsync(loads);
        long before = loads[0].Completed;
        await _host.Clock.AdvanceAsync(TimeSpan.FromSeconds(60)); // the reactor did not come round for a minute
        await SettleAsync(loads);
        Assert.InRange(loads[0].Completed - before, 900, 1010);
        await EndAsync(_host, "m", loads);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task In_real_time_a_limit_is_kept_too()
    {
        await using var host = await TestHost.StartAsync(new TestHostOptions { Workers = 2 });
        const int limit = 20_000;
        var loads = await StartAsync(host, "real", new(limit, 0, 0, 0), 4096, (512, false), (512, true));
        double best = 0;
        // Never above; and a machine that has other things to do is asked again.
        for (int round = 0; round < 4 && best < limit * 0.95; round++)
        {
            long started = Stopwatch.GetTimestamp(), before = loads.Sum(load => load.Completed);
            await Task.Delay(1000, TestContext.Current.CancellationToken);
            long count = loads.Sum(load => load.Completed) - before;
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            // What a pause of the reactors held back, a tenth of a second's at most, may come in this round.
            Assert.True(count <= limit * (seconds + 0.1) * 1.05, $"{count} I/Os in {seconds} s");
            best = Math.Max(best, count / seconds);
        }
        Assert.True(best >= limit * 0.95, $"{best} I/Os per second at most");
        await EndAsync(host, "real", loads);
        host.CheckObservations();
    }
}
