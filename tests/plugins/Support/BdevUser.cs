using Spindle.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Memory;

namespace Spindle.PluginTests.Support;

/// <summary>Holds a bdev open across what a test does with its module, and does single I/Os of any outcome, from the app thread.</summary>
public sealed class BdevUser : IAsyncDisposable
{
    private const uint MostBlocks = 64;

    private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoStatus>)state!).SetResult(result.Status);

    private readonly SpindleHost _host;
    private readonly DmaBuffer _memory;
    private IBdevDescriptor _descriptor = null!;
    private IBdevChannel _channel = null!;

    private BdevUser(SpindleHost host, uint blockSize)
    {
        _host = host;
        _memory = host.Memory.Allocate(MostBlocks * blockSize);
    }

    public static async Task<BdevUser> OpenAsync(SpindleHost host, string bdev)
    {
        BdevUser? user = null;
        await host.InvokeAsync(() =>
        {
            var descriptor = host.Bdevs.Open(bdev, write: true, static (_, _, _) => { });
            user = new BdevUser(host, descriptor.Bdev.BlockSize) { _descriptor = descriptor, _channel = descriptor.GetChannel() };
            return Task.CompletedTask;
        });
        return user!;
    }

    public Task<BdevIoStatus> ReadAsync(ulong offset, uint blocks) =>
        DoAsync(done => _channel.Read([_memory.Slice(0, blocks * _descriptor.Bdev.BlockSize)], offset, blocks, s_done, done));

    public Task<BdevIoStatus> FlushAsync(ulong offset, uint blocks) => DoAsync(done => _channel.Flush(offset, blocks, s_done, done));

    public Task<BdevIoStatus> ResetAsync() => DoAsync(done => _channel.Reset(s_done, done));

    private async Task<BdevIoStatus> DoAsync(Func<object, int> submit)
    {
        var done = new TaskCompletionSource<BdevIoStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _host.InvokeAsync(() =>
        {
            Assert.Equal(0, submit(done));
            return Task.CompletedTask;
        });
        return await done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.InvokeAsync(() =>
        {
            _channel.Put();
            _descriptor.Close();
            return Task.CompletedTask;
        });
        _memory.Dispose();
    }
}
