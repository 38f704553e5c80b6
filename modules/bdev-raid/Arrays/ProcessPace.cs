using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>Keeps a background process below so many MiB a second.</summary>
/// <param name="mebibytes">MiB a second; 0 for no limit.</param>
internal sealed class ProcessPace(uint mebibytes)
{
    private double _due; // seconds, by the thread's clock; 0 before the first one

    /// <summary>Returns when so many bytes may be worked on.</summary>
    public async Task WaitAsync(IStorageThread thread, ulong bytes)
    {
        if (mebibytes == 0) return;
        double now = thread.Now / (double)System.Diagnostics.Stopwatch.Frequency;
        if (_due > now) await SleepAsync(thread, TimeSpan.FromSeconds(_due - now));
        _due = Math.Max(_due, now) + bytes / (mebibytes * 1048576.0);
    }

    private static async Task SleepAsync(IStorageThread thread, TimeSpan time)
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await thread.InvokeAsync(() =>
        {
            IPoller? poller = null;
            poller = thread.RegisterPoller("raid_process_pace", _ =>
            {
                poller!.Unregister();
                over.TrySetResult();
                return PollResult.Busy;
            }, null, time, PollerWake.Events);
            return Task.CompletedTask;
        });
        await over.Task;
    }
}
