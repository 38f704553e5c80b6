using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>Resets a bdev: holds the queues of all threads, aborts what waits in them, has the module reset the device, lets the queues go
/// on. A bdev without a reset of its own is drained instead. Rare, so it is control-plane code.</summary>
internal static class BdevReset
{
    internal static void Start(BdevQueue queue, BdevIoCallback callback, object? state) => _ = RunAsync(queue, callback, state);

    private static async Task RunAsync(BdevQueue queue, BdevIoCallback callback, object? state)
    {
        var entry = queue.Entry;
        var threads = entry.Registry.Threads;
        // Never inside the caller's submission.
        await Task.Yield();
        BdevIoResult result;
        await entry.ResetTurn.WaitAsync();
        try
        {
            await threads.ForEachChannelAsync(entry, static (channel, _) =>
            {
                var queue = ((BdevQueueChannel)channel).Queue;
                queue.HoldForReset();
                queue.FailPending(BdevIoStatus.Aborted);
                return 0;
            }, null);
            try
            {
                result = entry.Bdev.Supports(BdevIoType.Reset) ? await ResetDeviceAsync(queue) : await DrainAsync(entry);
            }
            finally
            {
                await threads.ForEachChannelAsync(entry, static (channel, _) =>
                {
                    ((BdevQueueChannel)channel).Queue.ReleaseFromReset();
                    return 0;
                }, null);
            }
        }
        finally
        {
            entry.ResetTurn.Release();
        }
        callback(state, result);
    }

    private static async Task<BdevIoResult> ResetDeviceAsync(BdevQueue queue)
    {
        var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        while (true)
        {
            int error = queue.IssueReset(static (object? s, in BdevIoResult result) => ((TaskCompletionSource<BdevIoResult>)s!).TrySetResult(result), done);
            if (error == 0) return await done.Task;
            await Task.Delay(1);
        }
    }

    private static async Task<BdevIoResult> DrainAsync(BdevEntry entry)
    {
        while (await entry.Registry.Threads.ForEachChannelAsync(entry, static (channel, _) => ((BdevQueueChannel)channel).Queue.Outstanding == 0 ? 0 : 1, null) != 0)
            await Task.Delay(1);
        return BdevIoResult.Of(BdevIoStatus.Success);
    }
}

/// <content>Reset as one queue sees it.</content>
internal sealed unsafe partial class BdevQueue
{
    private bool _heldForReset;

    internal void HoldForReset()
    {
        if (_heldForReset) return;
        _heldForReset = true;
        Hold();
    }

    internal void ReleaseFromReset()
    {
        if (!_heldForReset) return;
        _heldForReset = false;
        Release();
    }

    /// <summary>Hands a reset to the module past the hold.</summary>
    internal int IssueReset(BdevIoCallback callback, object? state)
    {
        var io = Take();
        if (io is null) return -Errno.ENOMEM;
        io.Type = BdevIoType.Reset;
        io.OffsetBlocks = io.NumBlocks = 0;
        io.SetIovs([], []);
        io.Callback = callback;
        io.CallbackState = state;
        io.HostState = null;
        Submit(io);
        return 0;
    }
}
