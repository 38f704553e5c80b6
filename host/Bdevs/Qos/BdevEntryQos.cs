namespace Spindle.Host.Bdevs.Qos;

/// <summary>The limits of a registered bdev, changed while it is in use. Control plane.</summary>
internal sealed class BdevEntryQos(BdevEntry entry)
{
    private readonly SemaphoreSlim _turn = new(1);
    private volatile BdevQos? _budgets;

    /// <summary>The limits in force.</summary>
    internal BdevRateLimits Limits { get; private set; } = BdevRateLimits.None;

    /// <summary>What new queues draw from; null: there are no limits.</summary>
    internal BdevQos? Budgets => _budgets;

    /// <summary>Puts other limits in force on all threads.</summary>
    /// <exception cref="SpindleException">ENODEV: the bdev is being removed.</exception>
    internal async Task SetAsync(BdevRateLimits limits)
    {
        await _turn.WaitAsync();
        try
        {
            if (entry.IsRemoving) throw new SpindleException(Errno.ENODEV, $"Bdev '{entry.Bdev.Name}' is being removed.");
            await ApplyAsync(limits.Kept);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Lets all go that waits: the bdev is being removed.</summary>
    internal async Task LiftAsync()
    {
        if (_budgets is null) return;
        await _turn.WaitAsync();
        try
        {
            await ApplyAsync(BdevRateLimits.None);
        }
        finally
        {
            _turn.Release();
        }
    }

    private Task ApplyAsync(BdevRateLimits limits)
    {
        Limits = limits;
        var budgets = _budgets = BdevQos.Of(limits, entry.Registry.Threads.Timestamp());
        return entry.VisitQueuesAsync(queue => queue.SetQos(budgets));
    }
}
