using Spindle.Bdevs;
using Spindle.Host.Hosting;

namespace Spindle.PluginTests.Support;

/// <summary>Reads and writes a few blocks of a bdev, from the app thread.</summary>
public static class Blocks
{
    public static Task WriteAsync(SpindleHost host, string bdev, ulong offset, byte[] data) => RunAsync(host, bdev, offset, data, write: true);

    public static async Task<byte[]> ReadAsync(SpindleHost host, string bdev, ulong offset, int bytes)
    {
        byte[] data = new byte[bytes];
        await RunAsync(host, bdev, offset, data, write: false);
        return data;
    }

    private static Task RunAsync(SpindleHost host, string bdev, ulong offset, byte[] data, bool write) => host.InvokeAsync(async () =>
    {
        var descriptor = host.Bdevs.Open(bdev, write, static (_, _, _) => { });
        var channel = descriptor.GetChannel();
        using var memory = host.Memory.Allocate((nuint)data.Length);
        var buffer = memory.Slice(0, (uint)data.Length);
        try
        {
            ulong blocks = (ulong)data.Length / descriptor.Bdev.BlockSize;
            var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            BdevIoCallback callback = static (object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoResult>)state!).SetResult(result);
            if (write) data.CopyTo(buffer.Span);
            int error = write ? channel.Write([buffer], offset, blocks, callback, done) : channel.Read([buffer], offset, blocks, callback, done);
            Assert.Equal(0, error);
            Assert.Equal(BdevIoStatus.Success, (await done.Task).Status);
            if (!write) buffer.Span.CopyTo(data);
        }
        finally
        {
            channel.Put();
            descriptor.Close();
        }
    });
}
