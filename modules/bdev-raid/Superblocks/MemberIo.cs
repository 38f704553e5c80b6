using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>I/O of the control plane.</summary>
internal static class MemberIo
{
    /// <summary>Submits an I/O, as soon as there is an I/O object for it, and awaits it.</summary>
    /// <param name="channel">The bdev's.</param>
    /// <param name="submit">Submits it.</param>
    /// <param name="what">"read", for messages.</param>
    /// <param name="removed">The bdev is going: the I/O is aborted. Cancelled on the calling storage thread.</param>
    /// <exception cref="SpindleException">EIO, or the error number with which it was refused.</exception>
    public static async Task RunAsync(IBdevChannel channel, Func<IBdevChannel, BdevIoCallback, object, int> submit, string what, CancellationToken removed = default)
    {
        while (true)
        {
            if (removed.IsCancellationRequested) throw new SpindleException(Errno.ENODEV, $"{channel.Bdev.Name} is being removed.");
            var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            int error = submit(channel, OnDone, done);
            if (error == 0)
            {
                using var aborts = removed.Register(() => channel.Abort(done, static (object? _, in BdevIoResult _) => { }, null));
                var result = await done.Task;
                if (!result.IsSuccess) throw new SpindleException(result.ErrorNumber == 0 ? Errno.EIO : result.ErrorNumber, $"{channel.Bdev.Name} could not be {what}: {result.Status}.");
                return;
            }
            if (error != -Errno.ENOMEM) throw new SpindleException(-error, $"{channel.Bdev.Name} could not be {what}: {Errno.Message(-error)}.");
            var waiter = new Waiter();
            if (channel.QueueIoWait(waiter) == 0) await waiter.Task;
        }
    }

    private static void OnDone(object? state, in BdevIoResult result) => ((TaskCompletionSource<BdevIoResult>)state!).SetResult(result);

    private sealed class Waiter : BdevIoWait
    {
        private readonly TaskCompletionSource _available = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _available.Task;

        protected override void OnAvailable() => _available.SetResult();
    }
}
