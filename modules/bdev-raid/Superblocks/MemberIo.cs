using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>I/O of the control plane.</summary>
internal static class MemberIo
{
    /// <summary>Submits an I/O, as soon as there is an I/O object for it, and awaits it.</summary>
    /// <exception cref="SpindleException">EIO, or the error number with which it was refused.</exception>
    public static async Task RunAsync(IBdevChannel channel, Func<IBdevChannel, BdevIoCallback, object, int> submit, string what)
    {
        while (true)
        {
            var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            int error = submit(channel, OnDone, done);
            if (error == 0)
            {
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
