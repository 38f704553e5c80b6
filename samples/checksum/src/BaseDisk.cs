using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Acme.Checksum;

/// <summary>The base for the control plane: reads and writes that are awaited, on the app thread.</summary>
internal sealed class BaseDisk : IDisposable
{
    private static readonly BdevIoCallback s_completed = static (object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoResult>)state!).SetResult(result);

    private readonly IBdevDescriptor _descriptor;
    private readonly IBdevChannel _channel;
    private readonly DmaBuffer _buffer;

    public BaseDisk(IBdevDescriptor descriptor, IDmaMemory memory)
    {
        _descriptor = descriptor;
        _buffer = memory.Allocate(1 << 20);
        try
        {
            _channel = descriptor.GetChannel();
        }
        catch
        {
            _buffer.Dispose();
            throw;
        }
    }

    public uint BlockSize => _descriptor.Bdev.BlockSize;

    /// <summary>Blocks of the largest read or write.</summary>
    public ulong MaxBlocks => (ulong)_buffer.Size / BlockSize;

    /// <summary>What was read, or is to be written.</summary>
    public Span<byte> Data => _buffer.Slice(0, (uint)_buffer.Size).Span;

    /// <exception cref="SpindleException">EIO: it failed.</exception>
    public Task ReadAsync(ulong offset, ulong blocks) => RunAsync(offset, blocks, done => _channel.Read([_buffer.Slice(0, (uint)(blocks * BlockSize))], offset, blocks, s_completed, done), "read");

    /// <exception cref="SpindleException">EIO: it failed.</exception>
    public Task WriteAsync(ulong offset, ulong blocks) => RunAsync(offset, blocks, done => _channel.Write([_buffer.Slice(0, (uint)(blocks * BlockSize))], offset, blocks, s_completed, done), "written");

    /// <exception cref="SpindleException">EIO: it failed.</exception>
    public Task FlushAsync() => _descriptor.Bdev.Supports(BdevIoType.Flush)
        ? RunAsync(0, _descriptor.Bdev.BlockCount, done => _channel.Flush(0, _descriptor.Bdev.BlockCount, s_completed, done), "flushed") : Task.CompletedTask;

    private async Task RunAsync(ulong offset, ulong blocks, Func<TaskCompletionSource<BdevIoResult>, int> submit, string what)
    {
        var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        int error;
        // The control plane has time: it need not stand in line for an I/O object.
        while ((error = submit(done)) == -Errno.ENOMEM) await Task.Delay(1);
        if (error != 0) throw new SpindleException(-error, $"Blocks {offset} to {offset + blocks - 1} of '{_descriptor.Bdev.Name}' cannot be {what}: {Errno.Message(-error)}.");
        var result = await done.Task;
        if (!result.IsSuccess) throw new SpindleException(Errno.EIO, $"Blocks {offset} to {offset + blocks - 1} of '{_descriptor.Bdev.Name}' cannot be {what}: {result.Status}.");
    }

    public void Dispose()
    {
        _channel.Put();
        _buffer.Dispose();
    }
}
