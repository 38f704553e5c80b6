using Spindle.Bdevs;
using Spindle.ContractTests.Faults;
using Spindle.Host.Bdevs;

namespace Spindle.ContractTests.Layer.Statistics;

/// <summary>Queue depths that were looked at, on a clock of the test's own.</summary>
public sealed class DepthSamplingTests
{
    [Fact]
    public async Task Depth_and_time_are_summed_over_all_threads()
    {
        await using var host = await TestHost.StartAsync(new TestHostOptions { ManualClock = true, Workers = 2 });
        var held = new List<(BdevIo Io, uint Generation)>();
        var bdev = new TestBdev("m") { OnSubmit = (_, io) => { lock (held) held.Add((io, io.Generation)); } };
        await host.RegisterAsync(bdev);
        using var buffer = new TestBuffer(512);
        BdevClient[] clients = [await host.OpenAsync("m"), await host.OpenAsync("m", worker: 1)];
        Assert.Null(BdevRegistry.GetDepthSamples(bdev));
        await host.OnAppAsync(() => host.Bdevs.SetDepthSamplingAsync(bdev, TimeSpan.FromMilliseconds(10)));
        Assert.Equal(new BdevDepthSamples(TimeSpan.FromMilliseconds(10), ulong.MaxValue, 0, 0), BdevRegistry.GetDepthSamples(bdev));

        await host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(10));
        Assert.Equal(new BdevDepthSamples(TimeSpan.FromMilliseconds(10), 0, 0, 0), BdevRegistry.GetDepthSamples(bdev));
        Task<Outcome>[] ios = [clients[0].ReadAsync(buffer, 0, 1), clients[0].ReadAsync(buffer, 0, 1), clients[1].ReadAsync(buffer, 0, 1)];
        await Eventually.IsTrueAsync(() => { lock (held) return held.Count == 3; }, "the I/Os at the module");
        for (int i = 0; i < 4; i++) await host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(10));
        Assert.Equal(new BdevDepthSamples(TimeSpan.FromMilliseconds(10), 3, 40_000, 120_000), BdevRegistry.GetDepthSamples(bdev));

        foreach (var client in clients)
            await client.OnThreadAsync(() =>
            {
                foreach (var (io, generation) in held.Where(h => ReferenceEquals(h.Io.Channel.Thread, client.Thread)).ToArray()) io.Complete(generation, BdevIoStatus.Success);
            });
        await Task.WhenAll(ios);
        await host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(10));
        Assert.Equal(new BdevDepthSamples(TimeSpan.FromMilliseconds(10), 0, 40_000, 120_000), BdevRegistry.GetDepthSamples(bdev));
        foreach (var client in clients) await client.DisposeAsync();
        await host.UnregisterAsync("m"); // with the looks on
        host.CheckObservations();
    }
}
