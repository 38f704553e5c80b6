namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>Queues on their way out, on many threads: the module ends after them.</summary>
internal sealed class Retirements
{
    private readonly Lock _lock = new(); // control plane only
    private readonly HashSet<Task> _tasks = [];

    internal void Add(Task task)
    {
        if (task.IsCompleted) return;
        lock (_lock) _tasks.Add(task);
        _ = ForgetAsync(task);
    }

    private async Task ForgetAsync(Task task)
    {
        await Task.WhenAny(task);
        lock (_lock) _tasks.Remove(task);
    }

    internal Task WhenAllAsync()
    {
        lock (_lock) return Task.WhenAll(_tasks);
    }
}
