namespace Spindle.Host.Bdevs;

/// <summary>The latency histogram of a registered bdev: its queues count, this sums. Control plane.</summary>
internal sealed class BdevEntryHistogram(BdevEntry entry)
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _lock = new();
    private volatile BdevHistogramOptions? _options;
    private LatencyHistogram? _ended;

    /// <summary>How new queues count; null: they do not.</summary>
    internal BdevHistogramOptions? Options => _options;

    /// <summary>Turns it on, off, or to other options; with the same ones it goes on counting.</summary>
    /// <exception cref="SpindleException">EINVAL: the options, with the member named; or counters are off in this process.</exception>
    internal async Task SetAsync(BdevHistogramOptions? options)
    {
        options?.Check();
        if (options is not null && !BdevStatistics.AreKept)
            throw new SpindleException(Errno.EINVAL, "This process counts nothing: SPINDLE_BDEV_STATISTICS is 0 in its environment.");
        await _turn.WaitAsync();
        try
        {
            lock (_lock)
            {
                if (options != _options) _ended = null;
                _options = options;
            }
            await entry.VisitQueuesAsync(queue => queue.SetHistogram(options));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Keeps what a queue has counted that is going.</summary>
    internal void Keep(LatencyHistogram? histogram)
    {
        lock (_lock)
        {
            if (histogram is null || histogram.Options != _options) return;
            if (_ended is null) _ended = histogram;
            else _ended.Add(histogram);
        }
    }

    /// <summary>The sum over all threads, living channels and ended ones; null when it is off.</summary>
    internal async Task<LatencyHistogram?> GetAsync()
    {
        if (_options is not { } options) return null;
        var sum = new LatencyHistogram(options);
        var all = new Lock();
        lock (_lock)
        {
            if (_ended is not null && options == _options) sum.Add(_ended);
        }
        await entry.VisitQueuesAsync(queue =>
        {
            if (queue.Histogram is not { } histogram || histogram.Options != options) return;
            lock (all) sum.Add(histogram);
        });
        return sum;
    }
}
