using Spindle.Bdevs;
using Spindle.Blobs.Images;
using Spindle.Memory;

namespace Spindle.Blobs.Metadata;

/// <summary>Awaitable I/O on the device of a store, for its control plane. On the metadata thread.</summary>
/// <param name="descriptor">The device, open and, to write, writable.</param>
/// <param name="memory">Where buffers come from.</param>
internal sealed class MetadataIo(IBdevDescriptor descriptor, IDmaMemory memory) : IStoreSource, IDisposable
{
    private const int MostBytes = 1 << 20;
    private readonly IBdevChannel _channel = descriptor.GetChannel();
    private readonly List<Operation> _running = [];
    private bool _ended;
    private readonly bool _flushes = descriptor.Bdev.WriteCache && descriptor.Bdev.Supports(BdevIoType.Flush);

    public Bdev Device => descriptor.Bdev;

    public IDmaMemory Memory => memory;

    public uint BlockSize => Device.BlockSize;

    public ulong Size => Device.BlockCount * Device.BlockSize;

    /// <summary>Bytes that the device writes whole or not at all.</summary>
    public uint AtomicBytes => Math.Max(Device.BlockSize, Device.PhysicalBlockSize);

    public async Task<byte[]> ReadAsync(ulong offset, int length)
    {
        byte[] bytes = new byte[length];
        if (length == 0) return bytes;
        using var buffer = memory.Allocate((nuint)Math.Min(length, MostBytes));
        for (int done = 0; done < length;)
        {
            int part = Math.Min(length - done, (int)buffer.Size);
            var piece = buffer.Slice(0, (uint)part);
            ulong at = offset + (ulong)done;
            await RunAsync((channel, callback, state) => channel.Read([piece], at / BlockSize, (ulong)part / BlockSize, callback, state), "read");
            piece.Span.CopyTo(bytes.AsSpan(done));
            done += part;
        }
        return bytes;
    }

    public async Task WriteAsync(ulong offset, ReadOnlyMemory<byte> data)
    {
        using var buffer = memory.Allocate((nuint)Math.Min(data.Length, MostBytes));
        for (int done = 0; done < data.Length;)
        {
            int part = Math.Min(data.Length - done, (int)buffer.Size);
            var piece = buffer.Slice(0, (uint)part);
            data.Span.Slice(done, part).CopyTo(piece.Span);
            ulong at = offset + (ulong)done;
            await RunAsync((channel, callback, state) => channel.Write([piece], at / BlockSize, (ulong)part / BlockSize, callback, state), "written");
            done += part;
        }
    }

    public Task WriteZeroesAsync(ulong offset, ulong length) =>
        RunAsync((channel, callback, state) => channel.WriteZeroes(offset / BlockSize, length / BlockSize, callback, state), "zeroed");

    public Task UnmapAsync(ulong offset, ulong length) => Device.Supports(BdevIoType.Unmap)
        ? RunAsync((channel, callback, state) => channel.Unmap(offset / BlockSize, length / BlockSize, callback, state), "unmapped") : Task.CompletedTask;

    public Task CopyAsync(ulong to, ulong from, ulong length) =>
        RunAsync((channel, callback, state) => channel.Copy(to / BlockSize, from / BlockSize, length / BlockSize, callback, state), "copied");

    /// <summary>What was written before is durable before anything that is written after. Costs nothing where what is complete is durable.</summary>
    public Task BarrierAsync() => _flushes ? RunAsync((channel, callback, state) => channel.Flush(0, Device.BlockCount, callback, state), "flushed") : Task.CompletedTask;

    public void Dispose() => _channel.Put();

    /// <summary>Ends what is under way, and all that comes: the device is going. One that does not abort I/O ends it when it likes.</summary>
    public void Abort()
    {
        _ended = true;
        foreach (var operation in _running.ToArray()) operation.Abort();
    }

    private async Task RunAsync(Func<IBdevChannel, BdevIoCallback, object, int> submit, string what)
    {
        if (_ended) throw new SpindleException(Errno.ENODEV, $"The bdev '{Device.Name}' is being removed.");
        var operation = new Operation(_channel, submit, what);
        _running.Add(operation);
        try
        {
            await operation.RunAsync();
        }
        finally
        {
            _running.Remove(operation);
        }
    }

    /// <summary>One I/O, which waits when there is no I/O object left.</summary>
    private sealed class Operation(IBdevChannel channel, Func<IBdevChannel, BdevIoCallback, object, int> submit, string what) : BdevIoWait
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task RunAsync()
        {
            OnAvailable();
            return _done.Task;
        }

        public void Abort() => _ = channel.Abort(this, static (object? _, in BdevIoResult _) => { }, null);

        protected override void OnAvailable()
        {
            int error;
            do error = submit(channel, OnDone, this);
            while (error == -Errno.ENOMEM && channel.QueueIoWait(this) is var queued && queued != 0);
            if (error != 0 && error != -Errno.ENOMEM) _done.SetException(Failed(-error, Errno.Message(-error)));
        }

        private static void OnDone(object? state, in BdevIoResult result)
        {
            var self = (Operation)state!;
            if (result.IsSuccess) self._done.SetResult();
            else self._done.SetException(self.Failed(result.ErrorNumber == 0 ? Errno.EIO : result.ErrorNumber, result.Status.ToString()));
        }

        private SpindleException Failed(int error, string why) => new(error, $"The blobstore on '{channel.Bdev.Name}' could not be {what}: {why}.");
    }
}
