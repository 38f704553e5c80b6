using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>Goes the way of an I/O through the bdev layer before the first one that counts. Preparing methods does not do it: at a method's first run precompiled
/// code looks up what it calls, and a call by way of an interface its target at the first two, which together cost the first I/O more than a hundred microseconds.
/// It uses a bdev that is in no list, so that no statistics and no notification tell of it.</summary>
internal static class PathExercise
{
    // The first two runs of a call by way of an interface are slow.
    private const int Rounds = 3;
    private const uint Block = 512;

    /// <summary>Runs it, on the app thread. What it does not come to is looked up when it is used.</summary>
    public static async Task RunAsync(BdevRegistry registry)
    {
        using var memory = registry.Memory.Allocate(8 * Block);
        var bdev = new ExerciseBdev(memory.Slice(0, 4 * Block));
        var entry = new BdevEntry(registry, bdev);
        registry.Threads.RegisterDevice(bdev, "bdev_module_" + bdev.Name);
        registry.Threads.RegisterDevice(entry, "bdev_" + bdev.Name);
        try
        {
            var descriptor = new BdevDescriptor(entry, new BdevOpenOptions { Write = true }, "", static (_, _, _) => { }, null);
            var channel = descriptor.GetChannel();
            try
            {
                for (int round = 0; round < Rounds; round++) await RunOnceAsync(channel, memory.Slice(4 * Block, 2 * Block));
            }
            finally
            {
                channel.Put();
                descriptor.Close();
            }
        }
        finally
        {
            await registry.Threads.UnregisterDeviceAsync(entry);
            await registry.Threads.UnregisterDeviceAsync(bdev);
        }
    }

    private static async Task RunOnceAsync(IBdevChannel channel, IoVec buffer)
    {
        _ = channel.TryReadInPlace(0, 1, out _);
        await DoAsync((done, state) => channel.Write([buffer], 0, 2, done, state));
        await DoAsync((done, state) => channel.Read([buffer], 0, 2, done, state));
        await DoAsync((done, state) => channel.Read([buffer.Slice(0, Block), buffer.Slice(Block, Block)], 0, 2, done, state));
        await DoAsync((done, state) => channel.Compare([buffer], 0, 2, done, state));
        await DoAsync((done, state) => channel.WriteZeroes(0, 1, done, state));
        await DoAsync((done, state) => channel.Unmap(0, 1, done, state));
        await DoAsync((done, state) => channel.Flush(0, 1, done, state));
    }

    private static Task DoAsync(Func<BdevIoCallback, object, int> submit)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int error = submit(static (object? state, in BdevIoResult _) => ((TaskCompletionSource)state!).SetResult(), done);
        if (error != 0) done.SetResult(); // of no use then, and no harm
        return done.Task;
    }

    /// <summary>Four blocks of memory. Completes inside submit, as what is in memory does.</summary>
    private sealed class ExerciseBdev(IoVec memory) : Bdev("spindle_path_exercise", "Path exercise", Block, memory.Length / Block)
    {
        public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.WriteZeroes;

        public override bool TryLend(ulong offsetBlocks, ulong numBlocks, out IoVec lent)
        {
            lent = memory.Slice((uint)offsetBlocks * Block, (uint)numBlocks * Block);
            return true;
        }

        protected internal override IoChannel CreateChannel(IStorageThread thread) => new Channel();

        [DataPath]
        public override void Submit(IoChannel channel, BdevIo io) => io.Complete(io.Generation, BdevIoStatus.Success);

        private sealed class Channel : IoChannel;
    }
}
