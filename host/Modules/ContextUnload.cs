namespace Spindle.Host.Modules;

/// <summary>Watches an unloaded context die.</summary>
internal static class ContextUnload
{
    /// <summary>Returns true once the context is gone, false when it is still alive after <paramref name="timeout"/>. Collects in the
    /// background: a blocking collection would stall the reactors.</summary>
    public static async Task<bool> WaitAsync(WeakReference context, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        for (int round = 0; context.IsAlive; round++)
        {
            if (round > 0 && Environment.TickCount64 >= end) return false;
            // The context's finalizer lets go of its code, a later collection takes it: two rounds at least. Off the caller's thread, since this waits for finalizers.
            await Task.Run(static () =>
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
                GC.WaitForPendingFinalizers();
            }, CancellationToken.None).ConfigureAwait(false);
            if (context.IsAlive) await Task.Delay(Math.Min(2 << Math.Min(round, 5), 50), cancellationToken).ConfigureAwait(false);
        }
        return true;
    }
}
