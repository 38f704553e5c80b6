using Spindle.Bdev.Malloc;
using Spindle.Host.Bdevs.Qos;
using Spindle.Memory;

namespace Spindle.ContractTests.Layer.Qos;

/// <summary>Reads in place are reads: they count, and limits hold for them.</summary>
public sealed class QosInPlaceTests
{
    [Fact]
    public async Task Reads_in_place_pay_and_count()
    {
        await using var host = await TestHost.StartAsync(new TestHostOptions { ManualClock = true, Workers = 1 });
        var module = await host.AddModuleAsync(new MallocModule());
        await module.CallAsync("bdev_malloc_create", """{ "name": "m", "num_blocks": 1024, "block_size": 512 }""");
        var bdev = host.Registry.Find("m")!;
        await host.OnAppAsync(() => host.Bdevs.SetRateLimitsAsync(bdev, new BdevRateLimits(1000, 0, 0, 0)));
        var client = await host.OpenAsync("m");
        using var buffer = new TestBuffer(4096);
        async Task<int> LendAsync(int times)
        {
            int lent = 0;
            await client.OnThreadAsync(() =>
            {
                for (int i = 0; i < times; i++) lent += client.Channel.TryReadInPlace(0, 8, out IoVec _) ? 1 : 0;
            });
            return lent;
        }

        Assert.Equal(1, await LendAsync(10));
        int sum = 0;
        for (int i = 0; i < 200; i++)
        {
            await host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
            sum += await LendAsync(3);
        }
        Assert.InRange(sum, 190, 210);
        // Where nothing is lent, the read that is made instead waits, and nothing is lent past it.
        var waiting = client.ReadAsync(buffer, 0, 8);
        Assert.Equal(0, await LendAsync(3));
        Assert.False(waiting.IsCompleted);
        await host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        Assert.True((await waiting).IsSuccess);
        ulong reads = 0, bytes = 0;
        await host.OnAppAsync(async () =>
        {
            var statistics = await host.Bdevs.GetStatisticsAsync(bdev);
            (reads, bytes) = (statistics.Reads, statistics.BytesRead);
        });
        Assert.Equal(((ulong)sum + 2, ((ulong)sum + 2) * 4096), (reads, bytes));
        await host.OnAppAsync(() => host.Bdevs.SetRateLimitsAsync(bdev, BdevRateLimits.None));
        Assert.Equal(1000, await LendAsync(1000));
        await client.DisposeAsync();
        await host.StopModulesAsync();
    }
}
