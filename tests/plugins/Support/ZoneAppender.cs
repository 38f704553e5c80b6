using Spindle.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.PluginTests.Support;

/// <summary>Appends to zones, one block after the other, from a storage thread of its own.</summary>
public sealed class ZoneAppender : IAsyncDisposable
{
    private readonly IStorageThread _thread;
    private readonly DmaBuffer _memory;
    private readonly IBdevDescriptor _descriptor;
    private readonly IBdevChannel _channel;
    private volatile bool _stop;

    private ZoneAppender(IStorageThread thread, DmaBuffer memory, IBdevDescriptor descriptor) =>
        (_thread, _memory, _descriptor, _channel) = (thread, memory, descriptor, descriptor.GetChannel());

    public static async Task<ZoneAppender> StartAsync(SpindleHost host, string bdev)
    {
        var thread = host.Threads.CreateThread($"zones_{bdev}");
        ZoneAppender? made = null;
        await thread.InvokeAsync(() =>
        {
            made = new ZoneAppender(thread, host.Memory.Allocate(512), host.Bdevs.Open(bdev, write: true, static (_, _, _) => { }));
            return Task.CompletedTask;
        });
        return made!;
    }

    public void Stop() => _stop = true;

    public Task ManageAsync(ulong zone, BdevZoneAction action) => IoAsync(done => _channel.ZoneManagement(zone, action, OnDone, done));

    public async Task<BdevZoneInfo[]> LookAsync(int count)
    {
        var zones = new BdevZoneInfo[count];
        await IoAsync(done => _channel.GetZoneInfo(0, zones, OnDone, done));
        return zones;
    }

    /// <summary>Appends until it is told to stop; each has to come behind the one before.</summary>
    /// <returns>How many.</returns>
    public async Task<int> AppendAsync(ulong zone, int most)
    {
        int count = 0;
        for (; count < most && !_stop; count++)
        {
            var result = await IoAsync(done => _channel.ZoneAppend([_memory.Slice(0, 512)], zone, 1, OnDone, done));
            Assert.Equal(zone + (ulong)count, result.Value);
            // Enough of them for the upgrades, and not the whole zone.
            if (count > 1000) await Task.Delay(1);
        }
        return count;
    }

    private async Task<BdevIoResult> IoAsync(Func<TaskCompletionSource<BdevIoResult>, int> submit)
    {
        var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        int error = -1;
        await _thread.InvokeAsync(() =>
        {
            error = submit(done);
            return Task.CompletedTask;
        });
        Assert.Equal(0, error);
        var result = await done.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(result.IsSuccess, $"{result.Status} {result.NvmeStatusCode:x2}");
        return result;
    }

    private static void OnDone(object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoResult>)state!).SetResult(result);

    public async ValueTask DisposeAsync()
    {
        await _thread.InvokeAsync(() =>
        {
            _channel.Put();
            _descriptor.Close();
            return Task.CompletedTask;
        });
        await _thread.ExitAsync();
        _memory.Dispose();
    }
}
