using Spindle.Host.Memory;
using Spindle.Memory;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Memory;

public sealed class IobufTests
{
    private sealed class Waiter : IobufWaiter
    {
        public readonly TaskCompletionSource<IoVec> Got = new(TaskCreationOptions.RunContinuationsAsynchronously);
        protected override void OnBuffer(in IoVec buffer) => Got.SetResult(buffer);
    }

    private static readonly IobufOptions s_few = new() { SmallPoolCount = 64, LargePoolCount = 8 };

    private static async Task WithAsync(Func<BdevHost, IobufPools, Task> body, int cores = 1)
    {
        await using var host = await BdevHost.StartAsync(cores);
        using var pools = new IobufPools(host.Environment.Memory, s_few);
        await body(host, pools);
        Assert.Equal((0, 0), pools.InUse);
    }

    [Fact]
    public Task Buffers_are_distinct_aligned_and_of_the_two_sizes() => WithAsync((host, pools) => host.RunAsync(() =>
    {
        using var channel = pools.CreateChannel("test");
        var taken = new List<IoVec>();
        for (int i = 0; i < 64; i++)
        {
            Assert.True(channel.TryGet(1, out var buffer));
            taken.Add(buffer);
        }
        Assert.False(channel.TryGet(8192, out _));
        Assert.True(channel.TryGet(8193, out var large));
        Assert.Equal(132u * 1024, large.Length);
        Assert.All(taken, b => Assert.Equal((0, 8192u), ((int)(b.Address % 4096), b.Length)));
        Assert.Equal(64, taken.Select(b => b.Address).Distinct().Count());
        Assert.Throws<ArgumentException>(() => channel.Put(taken[0].Slice(0, 4096)));
        Assert.Throws<ArgumentOutOfRangeException>(() => channel.TryGet(132 * 1024 + 1, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => channel.TryGet(0, out _));
        foreach (var buffer in taken) channel.Put(buffer);
        channel.Put(large);
        return Task.CompletedTask;
    }));

    [Fact]
    public Task Waiters_are_served_in_order_and_before_newcomers() => WithAsync((host, pools) => host.RunAsync(async () =>
    {
        using var channel = pools.CreateChannel("test");
        var taken = new Queue<IoVec>();
        while (channel.TryGet(8192, out var buffer)) taken.Enqueue(buffer);
        var (first, cancelled, second) = (new Waiter(), new Waiter(), new Waiter());
        Assert.False(channel.GetOrWait(100, first, out _));
        Assert.False(channel.GetOrWait(100, cancelled, out _));
        Assert.False(channel.GetOrWait(100, second, out _));
        Assert.True(channel.CancelWait(cancelled));
        Assert.False(channel.CancelWait(cancelled));
        channel.Put(taken.Dequeue());
        Assert.True(first.Got.Task.IsCompleted);
        Assert.False(second.Got.Task.IsCompleted);
        Assert.False(channel.TryGet(100, out _));
        channel.Put(taken.Dequeue());
        Assert.True(second.Got.Task.IsCompleted);
        Assert.False(cancelled.Got.Task.IsCompleted);
        channel.Put(await first.Got.Task);
        channel.Put(await second.Got.Task);
        foreach (var buffer in taken) channel.Put(buffer);
        Assert.Equal(3ul, pools.Statistics.Single(s => s.Module == "test").SmallRetry);
    }));

    [Fact]
    public Task A_waiter_is_served_by_a_buffer_returned_on_another_thread() => WithAsync(async (host, pools) =>
    {
        var taken = new List<IoVec>();
        var starving = new Waiter();
        await host.RunOnAsync(1, async _ =>
        {
            var rich = pools.CreateChannel("rich", 64, 8);
            while (rich.TryGet(8192, out var buffer)) taken.Add(buffer);
            var waiting = host.RunOnAsync(0, async _ =>
            {
                var poor = pools.CreateChannel("poor");
                Assert.False(poor.GetOrWait(8192, starving, out var _));
                poor.Put(await starving.Got.Task.WaitAsync(TimeSpan.FromSeconds(5)));
                poor.Dispose();
            });
            await Task.Delay(30);
            foreach (var buffer in taken) rich.Put(buffer);
            await waiting;
            rich.Dispose();
        });
    }, 2);

    [Fact]
    public async Task Threads_that_take_and_return_at_random_lose_nothing()
    {
        await WithAsync(async (host, pools) =>
        {
            await Task.WhenAll(Enumerable.Range(0, 2).Select(core => host.RunOnAsync(core, async _ =>
            {
                var random = new Random(core);
                var channel = pools.CreateChannel($"c{core}", 4, 1);
                var mine = new List<IoVec>();
                for (int i = 0; i < 200_000; i++)
                {
                    if (random.Next(2) == 0 && mine.Count < 60)
                    {
                        if (!channel.TryGet(4096, out var buffer)) continue;
                        BitConverter.TryWriteBytes(buffer.Span, core * 1000 + mine.Count);
                        mine.Add(buffer);
                    }
                    else if (mine.Count > 0)
                    {
                        var buffer = mine[^1];
                        // Nobody else wrote to it while it was ours.
                        Assert.Equal(core * 1000 + mine.Count - 1, BitConverter.ToInt32(buffer.Span));
                        mine.RemoveAt(mine.Count - 1);
                        channel.Put(buffer);
                    }
                    if (i % 20_000 == 0) await Task.Yield();
                }
                foreach (var buffer in mine) channel.Put(buffer);
                channel.Dispose();
            })));
        }, 2);
    }

    [Theory]
    [InlineData(10, 1024, 8192u, 135168u, "small_pool_count")]
    [InlineData(8192, 1, 8192u, 135168u, "large_pool_count")]
    [InlineData(8192, 1024, 5000u, 135168u, "small_bufsize")]
    [InlineData(8192, 1024, 8192u, 8192u, "large_bufsize")]
    public void Options_that_make_no_sense_are_refused_by_name(int smallCount, int largeCount, uint small, uint large, string member)
    {
        var options = new IobufOptions { SmallPoolCount = smallCount, LargePoolCount = largeCount, SmallBufferSize = small, LargeBufferSize = large };
        Assert.Contains(member, Assert.Throws<SpindleException>(() => new IobufPools(new TestMemory(), options)).Message);
    }
}
