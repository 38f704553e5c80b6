using Spindle;
using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;

namespace Acme.Fast;

/// <summary>Hands every I/O to the bdev below, and counts them. The rest of a virtual bdev's life (claims, removal with its base) is in Module.cs.</summary>
public sealed class CountingBdev : Bdev
{
    private readonly IBdevDescriptor _base;

    internal CountingBdev(string name, IBdevDescriptor lower) : base(name, "Acme.Fast bdev", lower.Bdev.BlockSize, lower.Bdev.BlockCount)
    {
        _base = lower;
        BaseBdevNames = [lower.Bdev.Name];
        RequiredAlignment = lower.Bdev.RequiredAlignment;
        WriteCache = lower.Bdev.WriteCache;
    }

    // The host makes write zeroes and compare of these where the base has none.
    public override bool Supports(BdevIoType type) =>
        type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.Reset && _base.Bdev.Supports(type);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel(_base.GetChannel());

    public override object CreateIoContext(BdevIo io) => new Forwarded(io);

    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((Forwarded)io.Context!).Start((Channel)channel);

    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((Channel)channel).Base.Flush();

    public override ValueTask DestructAsync()
    {
        _base.Close();
        return ValueTask.CompletedTask;
    }

    /// <summary>I/Os so far, of all threads. Racy by a few while I/O is running.</summary>
    internal ulong Count { get; private set; }

    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("io_count");
        writer.Number(Count);
    }

    private sealed class Channel(IBdevChannel lower) : IoChannel
    {
        public readonly IBdevChannel Base = lower;
        public readonly BdevIoCallback Completed = Forwarded.OnCompleted;

        protected override void Destroy() => Base.Put();
    }

    /// <summary>One I/O on its way: made with the pooled object, so that nothing is allocated for each.</summary>
    private sealed class Forwarded(BdevIo io) : BdevIoWait
    {
        private Channel? _channel;
        private uint _generation;

        [DataPath]
        public void Start(Channel channel)
        {
            _channel = channel;
            _generation = io.Generation;
            int error = io.Type switch
            {
                BdevIoType.Read => channel.Base.Read(io.Iovs, io.OffsetBlocks, io.NumBlocks, channel.Completed, this),
                BdevIoType.Write => channel.Base.Write(io.Iovs, io.OffsetBlocks, io.NumBlocks, channel.Completed, this),
                BdevIoType.Flush => channel.Base.Flush(io.OffsetBlocks, io.NumBlocks, channel.Completed, this),
                BdevIoType.Unmap => channel.Base.Unmap(io.OffsetBlocks, io.NumBlocks, channel.Completed, this),
                BdevIoType.Reset => channel.Base.Reset(channel.Completed, this),
                _ => -Errno.ENOTSUP,
            };
            if (error == 0) return;
            // No I/O object is free below: wait for one. Where one came free meanwhile, the host submits this I/O again.
            if (error == -Errno.ENOMEM && channel.Base.QueueIoWait(this) == 0) return;
            io.Complete(_generation, BdevIoResult.FromErrno(error));
        }

        [DataPath]
        protected override void OnAvailable() => Start(_channel!);

        [DataPath]
        public static void OnCompleted(object? state, in BdevIoResult result)
        {
            var self = (Forwarded)state!;
            ((CountingBdev)self._channel!.Device).Count++;
            self.Complete(in result);
        }

        [DataPath]
        private void Complete(in BdevIoResult result) => io.Complete(_generation, in result);
    }
}
