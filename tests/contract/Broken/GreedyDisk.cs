using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.ContractTests.Broken;

/// <summary>A bdev on a bdev that needs two I/Os below for each of its own, and fails when there is no room for them instead of waiting.</summary>
internal sealed class GreedyDisk(TestHost host, string name, string below) : Spindle.Bdevs.Bdev(name, "Greedy disk", 512, 2048)
{
    private readonly IBdevDescriptor _below = host.Registry.Open(below, write: true, (_, _, _) => { });

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel(_below.GetChannel());

    public override async ValueTask DestructAsync()
    {
        _below.Close();
        await Task.CompletedTask;
    }

    public override void Submit(IoChannel channel, BdevIo io)
    {
        var pair = new Pair(io, io.Generation);
        for (int i = 0; i < 2; i++)
        {
            var lower = ((Channel)channel).Lower;
            int error = io.Type == BdevIoType.Read
                ? lower.Read(io.Iovs, io.OffsetBlocks, io.NumBlocks, Pair.OnDone, pair) : lower.Write(io.Iovs, io.OffsetBlocks, io.NumBlocks, Pair.OnDone, pair);
            if (error != 0) pair.End(failed: true);
        }
    }

    private sealed class Pair(BdevIo io, uint generation)
    {
        private int _left = 2;
        private bool _failed;

        public static void OnDone(object? state, in BdevIoResult result) => ((Pair)state!).End(!result.IsSuccess);

        public void End(bool failed)
        {
            _failed |= failed;
            if (--_left == 0) io.Complete(generation, _failed ? BdevIoResult.FromErrno(Errno.EIO) : BdevIoResult.Of(BdevIoStatus.Success));
        }
    }

    private sealed class Channel(IBdevChannel lower) : IoChannel
    {
        public IBdevChannel Lower => lower;

        protected override void Destroy() => lower.Put();
    }
}
