using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Modules;

namespace Spindle.Bdev.Gpt;

/// <summary>Reads the partition table of a bdev, without claiming it. On the app thread.</summary>
internal sealed class GptReader(IModuleContext context, GptTypes types, ILogger log)
{
    /// <summary>Bytes of data in a block: a table knows nothing of metadata between.</summary>
    internal static uint DataBlockSize(Bdevs.Bdev bdev) => bdev.MetadataInterleaved ? bdev.BlockSize - bdev.MetadataSize : bdev.BlockSize;

    /// <summary>Reads the table; null when there is none that holds together.</summary>
    /// <exception cref="SpindleException">The bdev cannot be opened or read.</exception>
    internal async Task<GptTable?> ReadAsync(Bdevs.Bdev bdev)
    {
        uint blockSize = DataBlockSize(bdev);
        var parser = new GptParser(blockSize, bdev.BlockCount, types);
        uint blocks = parser.AreaBlocks;
        ulong last = bdev.BlockCount - blocks;
        // Its removal waits until it is closed, which is when the read has ended: a disk that does not answer must not keep itself from being removed.
        var reads = new Reads();
        var descriptor = context.Bdevs.Open(bdev.Name, new BdevOpenOptions { HideMetadata = bdev.MetadataInterleaved }, static (type, _, state) =>
        {
            if (type == BdevEventType.Remove) ((Reads)state!).Abort();
        }, reads);
        try
        {
            using var memory = context.Memory.Allocate((nuint)blocks * blockSize);
            var buffer = memory.Slice(0, blocks * blockSize);
            var channel = descriptor.GetChannel();
            try
            {
                await reads.RunAsync(new BdevRead(channel, buffer, 0, blocks));
                if (!parser.HasProtectiveMbr(buffer.Span)) return null;
                if (parser.Parse(buffer.Span, GptCopy.Primary, out string primary) is { } table) return table;
                await reads.RunAsync(new BdevRead(channel, buffer, last, blocks));
                table = parser.Parse(buffer.Span, GptCopy.Backup, out string backup);
                if (table is null) log.LogWarning("{Bdev} has a protective MBR, but no partition table: in the primary one {Primary}; in the backup {Backup}", bdev.Name, primary, backup);
                else log.LogWarning("{Bdev} has a broken primary partition table ({Primary}); its backup is used", bdev.Name, primary);
                return table;
            }
            finally
            {
                channel.Put();
            }
        }
        finally
        {
            descriptor.Close();
        }
    }

    /// <summary>The read that is under way, one at a time.</summary>
    private sealed class Reads
    {
        private BdevRead? _current;
        private bool _ended;

        public async Task RunAsync(BdevRead read)
        {
            if (_ended) throw new SpindleException(Errno.ENODEV, "The bdev is being removed.");
            _current = read;
            try
            {
                await read.RunAsync();
            }
            finally
            {
                _current = null;
            }
        }

        public void Abort()
        {
            _ended = true;
            _current?.Abort();
        }
    }

    /// <summary>A read that can be awaited, and waits when there is no I/O object left.</summary>
    private sealed class BdevRead(IBdevChannel channel, IoVec buffer, ulong offset, uint blocks) : BdevIoWait
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task RunAsync()
        {
            OnAvailable();
            return _done.Task;
        }

        /// <summary>Asks for its end. A bdev that does not abort I/O ends it when it likes.</summary>
        public void Abort() => _ = channel.Abort(this, static (object? _, in BdevIoResult _) => { }, null);

        /// <inheritdoc/>
        protected override void OnAvailable()
        {
            int error;
            do error = channel.Read([buffer], offset, blocks, static (object? state, in BdevIoResult result) => ((BdevRead)state!).End(in result), this);
            while (error == -Errno.ENOMEM && channel.QueueIoWait(this) is var queued && queued != 0);
            if (error != 0 && error != -Errno.ENOMEM) _done.SetException(new SpindleException(-error, $"The partition table of '{channel.Bdev.Name}' could not be read: {Errno.Message(-error)}."));
        }

        private void End(in BdevIoResult result)
        {
            if (result.IsSuccess) _done.SetResult();
            else _done.SetException(new SpindleException(Errno.EIO, $"The partition table of '{channel.Bdev.Name}' could not be read: {result.Status}."));
        }
    }
}
