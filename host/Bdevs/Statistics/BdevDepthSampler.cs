using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>What the looks at a queue depth have found.</summary>
/// <param name="Period">The time between two looks.</param>
/// <param name="QueueDepth">I/Os that the module had at the last look, on all threads; all ones before the first.</param>
/// <param name="IoTimeMicroseconds">The sum of the periods at whose end the module had any.</param>
/// <param name="WeightedIoTimeMicroseconds">The same, each period times the depth.</param>
public sealed record BdevDepthSamples(TimeSpan Period, ulong QueueDepth, ulong IoTimeMicroseconds, ulong WeightedIoTimeMicroseconds);

/// <summary>Looks at a bdev's queue depth every so often: a poller on the app thread that reads the counters of all threads. I/O does not notice it.</summary>
internal sealed class BdevDepthSampler(BdevEntry entry)
{
    private IPoller? _poller;
    private TimeSpan _period;
    private ulong _depth = ulong.MaxValue;
    private ulong _ioTime;
    private ulong _weightedIoTime;

    /// <summary>What was found; null while nobody looks. On the app thread.</summary>
    internal BdevDepthSamples? Samples => _poller is null ? null : new BdevDepthSamples(_period, _depth, _ioTime, _weightedIoTime);

    /// <summary>The period; zero: no looks.</summary>
    internal TimeSpan Period => _period;

    /// <summary>Sets the time between two looks; zero: no more.</summary>
    internal Task SetPeriodAsync(TimeSpan period) => entry.Registry.Threads.AppThread.InvokeAsync(() =>
    {
        if (period == _period || entry.IsRemoving) return Task.CompletedTask;
        Stop();
        _period = period;
        if (period > TimeSpan.Zero)
            _poller = entry.Registry.Threads.AppThread.RegisterPoller($"queue depth of bdev '{entry.Bdev.Name}'", static s => ((BdevDepthSampler)s!).Look(), this, period);
        return Task.CompletedTask;
    });

    /// <summary>The bdev goes.</summary>
    internal Task StopAsync() => _poller is null ? Task.CompletedTask : entry.Registry.Threads.AppThread.InvokeAsync(() =>
    {
        Stop();
        return Task.CompletedTask;
    });

    private void Stop()
    {
        _poller?.Unregister();
        _poller = null;
        _period = TimeSpan.Zero;
    }

    private PollResult Look()
    {
        ulong depth = 0;
        // Each is read whole; together they need not be of one instant.
        foreach (var queue in entry.RangeLocks.Queues) depth += (ulong)queue.Outstanding;
        _depth = depth;
        if (depth > 0)
        {
            ulong period = (ulong)_period.TotalMicroseconds;
            _ioTime += period;
            _weightedIoTime += period * depth;
        }
        return PollResult.Busy;
    }
}
