using Spindle.Bdev.Malloc;
using Spindle.Host.Bdevs.Qos;
using Spindle.Memory;

namespace Spindle.ContractTests.Layer.Qos;

/// <summary>Reads in place and writes at once are reads and writes: they count, and limits hold for them.</summary>
public sealed class QosInPlaceTests
{
    [Fact]
    public async Task A_write_at_once_counts_and_is_not_made_where_writes_are_limited_or_held()
    {
        await using var host = await TestHost.StartAsync(new TestHostOptions { Workers = 1 });
        var module = await host.AddModuleAsync(new MallocModule());
        await module.CallAsync("bdev_malloc_create", """{ "name": "m", "num_blocks": 1024, "block_size": 512 }""");
        var bdev = host.Registry.Find("m")!;
        var client = await host.OpenAsync("m");
        var reader = await host.OpenAsync("m", write: false);
        byte[] data = new byte[4096];
        data.AsSpan().Fill(7);
        async Task<bool> TakenAsync(BdevClient by)
        {
            bool taken = false;
            await by.OnThreadAsync(() => taken = by.Channel.TryWriteAtOnce(16, data));
            return taken;
        }

        Assert.True(await TakenAsync(client));
        Assert.False(await TakenAsync(reader)); // opened without Write
        Assert.Equal(data, await client.ReadBytesAsync(16, 8));
        ulong writes = 0, bytes = 0;
        await host.OnAppAsync(async () =>
        {
            var statistics = await host.Bdevs.GetStatisticsAsync(bdev);
            (writes, bytes) = (statistics.Writes, statistics.BytesWritten);
        });
        Assert.Equal((1UL, 4096UL), (writes, bytes));
        await host.OnAppAsync(() => host.Bdevs.SetRateLimitsAsync(bdev, new BdevRateLimits(1000, 0, 0, 0)));
        Assert.False(await TakenAsync(client));
        await host.OnAppAsync(() => host.Bdevs.SetRateLimitsAsync(bdev, BdevRateLimits.None));
        Assert.True(await TakenAsync(client));
        await client.DisposeAsync();
        await reader.DisposeAsync();
        await host.StopModulesAsync();
    }

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
