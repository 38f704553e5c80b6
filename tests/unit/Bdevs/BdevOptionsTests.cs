using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Memory;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Bdevs;

/// <summary>What <c>bdev_set_options</c> sets takes effect.</summary>
public sealed class BdevOptionsTests : IDisposable
{
    private readonly DmaBuffer _memory = new TestMemory().Allocate(1 << 20);

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task A_thread_keeps_as_many_buffers_as_it_may_cache(int cache)
    {
        var host = await BdevHost.StartAsync();
        host.Registry.Options = new BdevOptions { IobufSmallCacheSize = cache, IobufLargeCacheSize = cache };
        await host.RunAsync(async () =>
        {
            // Two bdevs on one thread: they share the cache.
            var held = new Queue<(BdevIo, uint)>();
            var opened = new List<(IBdevDescriptor, IBdevChannel)>();
            foreach (var name in (string[])["a", "b"])
            {
                host.Bdevs.Register(new MemoryBdev(name, alignment: 512) { Intercept = io => { held.Enqueue((io, io.Generation)); return true; } });
                var descriptor = host.Bdevs.Open(name, true, static (_, _, _) => { });
                opened.Add((descriptor, descriptor.GetChannel()));
            }
            var ended = new List<Task<BdevIoResult>>();
            for (uint i = 0; i < 8; i++)
                foreach (var (_, channel) in opened) ended.Add(channel.ReadAsync([_memory.Slice(1 + i * 1024, 512)], i, 1));
            Assert.Equal(16, held.Count);
            Assert.True(host.Iobuf.InUse.Small + host.Iobuf.InUse.Large >= 16);
            while (held.TryDequeue(out var one)) one.Item1.Complete(one.Item2, BdevIoStatus.Success);
            foreach (var one in ended) Assert.True((await one).IsSuccess);
            Assert.Equal(cache, host.Iobuf.InUse.Small + host.Iobuf.InUse.Large);
            foreach (var (descriptor, channel) in opened)
            {
                channel.Put();
                descriptor.Close();
            }
        });
        await host.DisposeAsync();
        Assert.Equal((0, 0), host.Iobuf.InUse);
    }

    [Fact]
    public async Task I_O_objects_are_limited_in_all_and_each_bdev_has_its_share()
    {
        var host = await BdevHost.StartAsync();
        host.Registry.Options = new BdevOptions { IoPoolSize = 12, IoCacheSize = 4 };
        await host.RunAsync(async () =>
        {
            var held = new Queue<(BdevIo, uint)>();
            var opened = new List<(IBdevDescriptor, IBdevChannel)>();
            var started = new List<int>();
            var ended = new List<Task<BdevIoResult>>();
            foreach (var name in (string[])["first", "second"])
            {
                host.Bdevs.Register(new MemoryBdev(name) { Intercept = io => { held.Enqueue((io, io.Generation)); return true; } });
                var descriptor = host.Bdevs.Open(name, true, static (_, _, _) => { });
                var channel = descriptor.GetChannel();
                opened.Add((descriptor, channel));
                int count = 0, error;
                while (true)
                {
                    var done = new TaskCompletionSource<BdevIoResult>();
                    error = channel.Read([_memory.Slice(0, 512)], 0, 1, (object? _, in BdevIoResult result) => done.SetResult(result), null);
                    if (error != 0) break;
                    ended.Add(done.Task);
                    count++;
                }
                Assert.Equal(-Errno.ENOMEM, error);
                started.Add(count);
            }
            Assert.Equal([12, 4], started);
            while (held.TryDequeue(out var one)) one.Item1.Complete(one.Item2, BdevIoStatus.Success);
            await Task.WhenAll(ended);
            foreach (var (descriptor, channel) in opened)
            {
                channel.Put();
                descriptor.Close();
            }
        });
        await host.DisposeAsync();
        Assert.Equal(0, host.Registry.Budget.Objects);
    }
}
