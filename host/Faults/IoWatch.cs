using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Reactors;
using Spindle.Threading;

namespace Spindle.Host.Faults;

/// <summary>A bdev whose module does not complete I/O.</summary>
/// <param name="Bdev">Its name.</param>
/// <param name="Module">Name and version.</param>
/// <param name="Oldest">For how long the oldest I/O is out.</param>
/// <param name="Count">How many are out for longer than the limit.</param>
/// <param name="Step">What was done last.</param>
internal sealed record StuckIo(string Bdev, string Module, TimeSpan Oldest, int Count, string Step);

/// <summary>Looks for I/O that a module has had for too long, and goes as far about it as the policy says. It runs on the thread pool: the storage threads
/// only count, and allocate nothing for it; what is done about stuck I/O is done on the app thread.</summary>
internal sealed class IoWatch(ReactorSystem threads, BdevRegistry bdevs, FaultOptions options, ILogger log)
{
    private readonly Dictionary<BdevEntry, (IoTimeoutAction Step, long At)> _steps = [];
    private readonly Dictionary<StorageThreadCore, Look> _looks = [];
    private readonly CancellationTokenSource _end = new();
    private volatile IReadOnlyList<StuckIo> _stuck = [];

    /// <summary>The bdevs that have such I/O now. Any thread.</summary>
    public IReadOnlyList<StuckIo> Stuck => _stuck;

    /// <summary>Looks from now on.</summary>
    public void Start()
    {
        if (options.IoTimeout > TimeSpan.Zero) _ = Task.Run(RunAsync);
    }

    /// <summary>No more.</summary>
    public void Stop() => _end.Cancel();

    private async Task RunAsync()
    {
        var period = TimeSpan.FromMilliseconds(Math.Clamp(options.IoTimeout.TotalMilliseconds / 4, 10, 1000));
        while (!_end.IsCancellationRequested)
        {
            await Task.Delay(period, CancellationToken.None);
            try
            {
                var found = await LookAsync(period);
                if (found.Count == 0 && _steps.Count == 0) continue;
                await threads.AppThread.InvokeAsync(() =>
                {
                    Act(found);
                    return Task.CompletedTask;
                });
            }
            catch (Exception e)
            {
                if (!_end.IsCancellationRequested) log.LogError("Looking for I/O that does not complete failed: {Text}", e.ToString());
            }
        }
    }

    private async Task<Dictionary<BdevEntry, (long Ticks, int Count)>> LookAsync(TimeSpan period)
    {
        long limit = (long)(options.IoTimeout.TotalSeconds * Stopwatch.Frequency);
        var present = threads.Threads.Cast<StorageThreadCore>().ToHashSet();
        foreach (var gone in _looks.Keys.Where(thread => !present.Contains(thread)).ToArray()) _looks.Remove(gone);
        foreach (var thread in present)
        {
            if (!_looks.TryGetValue(thread, out var look)) _looks[thread] = look = new Look(thread, limit);
            look.Begin();
        }
        // One that does not answer is on a reactor that hangs: the watchdog names it.
        var end = Stopwatch.GetTimestamp() + (long)(period.TotalSeconds * Stopwatch.Frequency);
        for (var wait = 1; _looks.Values.Any(look => look.IsOut) && Stopwatch.GetTimestamp() < end; wait = Math.Min(2 * wait, 64)) await Task.Delay(wait);

        var found = new Dictionary<BdevEntry, (long Ticks, int Count)>();
        foreach (var (entry, oldest, count) in _looks.Values.Where(look => !look.IsOut).SelectMany(look => look.Found))
        {
            var (ticks, sum) = found.GetValueOrDefault(entry);
            found[entry] = (Math.Max(ticks, oldest), sum + count);
        }
        return found;
    }

    /// <summary>One storage thread's count, made again and again.</summary>
    private sealed class Look(StorageThreadCore thread, long limit)
    {
        private static readonly StorageMessage s_count = Count;
        private volatile bool _isOut;

        /// <summary>What the thread found, when it is not out.</summary>
        public List<(BdevEntry Entry, long Oldest, int Count)> Found { get; } = [];

        /// <summary>The thread has not answered.</summary>
        public bool IsOut => _isOut;

        /// <summary>Asks the thread, unless it has not answered the last time.</summary>
        public void Begin()
        {
            if (_isOut) return;
            Found.Clear();
            _isOut = true;
            if (!thread.Send(s_count, this)) _isOut = false;
        }

        private static void Count(object? state)
        {
            var look = (Look)state!;
            look.Run();
            look._isOut = false;
        }

        private void Run()
        {
            foreach (var (device, channel) in thread.Channels)
            {
                if (device is not BdevEntry entry || channel is not BdevQueueChannel queue) continue;
                var (oldest, count) = queue.Queue.OlderThan(limit);
                if (count != 0) Found.Add((entry, oldest, count));
            }
        }
    }

    private void Act(Dictionary<BdevEntry, (long Ticks, int Count)> found)
    {
        foreach (var gone in _steps.Keys.Where(entry => !found.ContainsKey(entry)).ToArray()) _steps.Remove(gone);
        foreach (var (entry, (ticks, count)) in found)
        {
            bool known = _steps.TryGetValue(entry, out var last);
            // The next step when the one before has had as long as the I/O.
            if (!known) Take(entry, options.OnIoTimeout == IoTimeoutAction.Report ? IoTimeoutAction.Report : IoTimeoutAction.Abort, ticks, count);
            else if (last.Step < options.OnIoTimeout && Stopwatch.GetElapsedTime(last.At) >= options.IoTimeout) Take(entry, last.Step + 1, ticks, count);
        }
        _stuck = [.. found.Select(f => new StuckIo(f.Key.Bdev.Name, BdevRegistry.ModuleOf(f.Key.Bdev), TimeSpan.FromSeconds(f.Value.Ticks / (double)Stopwatch.Frequency),
            f.Value.Count, _steps.GetValueOrDefault(f.Key).Step.ToString().ToLowerInvariant()))];
    }

    private void Take(BdevEntry entry, IoTimeoutAction step, long ticks, int count)
    {
        _steps[entry] = (step, Stopwatch.GetTimestamp());
        var bdev = entry.Bdev;
        log.LogError("Module {Module} has not completed {Count} I/Os of bdev {Bdev}, the oldest for {Seconds:0.0} s. {What}.", BdevRegistry.ModuleOf(bdev), count, bdev.Name,
            ticks / (double)Stopwatch.Frequency, step switch
            {
                IoTimeoutAction.Report => "Nothing is done about it by the policy",
                IoTimeoutAction.Abort => "They are aborted",
                IoTimeoutAction.Reset => "The bdev is reset",
                _ => "The bdev is removed",
            });
        switch (step)
        {
            case IoTimeoutAction.Abort when bdev.Supports(BdevIoType.Abort):
                long limit = (long)(options.IoTimeout.TotalSeconds * Stopwatch.Frequency);
                _ = threads.ForEachChannelAsync(entry, (channel, _) =>
                {
                    ((BdevQueueChannel)channel).Queue.AbortOlderThan(limit);
                    return 0;
                }, null);
                break;
            case IoTimeoutAction.Reset:
                _ = ResetAsync(entry);
                break;
            case IoTimeoutAction.Remove:
                _ = bdevs.RemoveStuckAsync(entry, TimeSpan.FromSeconds(1));
                break;
        }
    }

    private async Task ResetAsync(BdevEntry entry)
    {
        var first = new TaskCompletionSource<BdevQueue>(TaskCreationOptions.RunContinuationsAsynchronously);
        await threads.ForEachChannelAsync(entry, (channel, _) =>
        {
            var queue = ((BdevQueueChannel)channel).Queue;
            BdevReset.Start(queue, static (object? _, in BdevIoResult _) => { }, null);
            return 1; // one reset is for all channels
        }, null);
    }
}
