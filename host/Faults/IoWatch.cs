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

/// <summary>Looks for I/O that a module has had for too long, and goes as far about it as the policy says: the host's, or what was said for the bdev
/// (<see cref="BdevRegistry.SetIoTimeout"/>). It runs on the thread pool: the storage threads only count, and allocate nothing for it; what is done
/// about stuck I/O is done on the app thread.</summary>
internal sealed class IoWatch(ReactorSystem threads, BdevRegistry bdevs, FaultOptions options, ILogger log)
{
    private readonly Dictionary<BdevEntry, (IoTimeoutAction Step, long At)> _steps = [];
    private readonly Dictionary<StorageThreadCore, Look> _looks = [];
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _changed = new(0);
    private volatile IReadOnlyList<StuckIo> _stuck = [];

    /// <summary>The bdevs that have such I/O now. Any thread.</summary>
    public IReadOnlyList<StuckIo> Stuck => _stuck;

    /// <summary>Looks from now on.</summary>
    public void Start()
    {
        bdevs.IoTimeoutChanged += OnChanged;
        _ = Task.Run(RunAsync);
    }

    /// <summary>No more.</summary>
    public void Stop()
    {
        bdevs.IoTimeoutChanged -= OnChanged;
        _end.Cancel();
        OnChanged();
    }

    private void OnChanged() => _changed.Release();

    /// <summary>How long a bdev's module may take for an I/O; zero for ever.</summary>
    private TimeSpan LimitOf(BdevEntry entry) => PolicyOf(entry) == IoTimeoutAction.None ? TimeSpan.Zero : entry.IoTimeout?.After ?? options.IoTimeout;

    private IoTimeoutAction PolicyOf(BdevEntry entry) => entry.IoTimeout?.Action ?? options.OnIoTimeout;

    /// <summary>How often to look: a few times within the shortest limit; null while there is none.</summary>
    private TimeSpan? Period()
    {
        var limits = bdevs.Entries.Where(entry => entry.IoTimeout is not null).Select(LimitOf).Append(options.IoTimeout).Where(limit => limit > TimeSpan.Zero).ToArray();
        return limits.Length == 0 ? null : TimeSpan.FromMilliseconds(Math.Clamp(limits.Min().TotalMilliseconds / 4, 10, 1000));
    }

    private async Task RunAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var period = Period();
            if (await _changed.WaitAsync(period ?? Timeout.InfiniteTimeSpan)) continue;
            try
            {
                var found = await LookAsync(period!.Value);
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
        var present = threads.Threads.Cast<StorageThreadCore>().ToHashSet();
        foreach (var gone in _looks.Keys.Where(thread => !present.Contains(thread)).ToArray()) _looks.Remove(gone);
        foreach (var thread in present)
        {
            if (!_looks.TryGetValue(thread, out var look)) _looks[thread] = look = new Look(thread, this);
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
    private sealed class Look(StorageThreadCore thread, IoWatch watch)
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
                if (queue.Queue.Outstanding == 0 || watch.LimitOf(entry) is var limit && limit == TimeSpan.Zero) continue;
                var (oldest, count) = queue.Queue.OlderThan(Ticks(limit));
                if (count != 0) Found.Add((entry, oldest, count));
            }
        }
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    private void Act(Dictionary<BdevEntry, (long Ticks, int Count)> found)
    {
        foreach (var gone in _steps.Keys.Where(entry => !found.ContainsKey(entry)).ToArray()) _steps.Remove(gone);
        foreach (var (entry, (ticks, count)) in found)
        {
            bool known = _steps.TryGetValue(entry, out var last);
            // The next step when the one before has had as long as the I/O.
            if (known && Stopwatch.GetElapsedTime(last.At) < LimitOf(entry)) continue;
            if (NextStep(entry, known ? last.Step : IoTimeoutAction.None) is { } step) Take(entry, step, ticks, count);
        }
        _stuck = [.. found.Select(f => new StuckIo(f.Key.Bdev.Name, BdevRegistry.ModuleOf(f.Key.Bdev), TimeSpan.FromSeconds(f.Value.Ticks / (double)Stopwatch.Frequency),
            f.Value.Count, _steps.GetValueOrDefault(f.Key).Step.ToString().ToLowerInvariant()))];
    }

    /// <summary>The first step after one that the policy allows and the bdev has; a report where there is none to begin with, null where there are no more.</summary>
    private IoTimeoutAction? NextStep(BdevEntry entry, IoTimeoutAction last)
    {
        var policy = PolicyOf(entry);
        for (var step = last < IoTimeoutAction.Abort ? IoTimeoutAction.Abort : last + 1; step <= policy; step++)
        {
            // A bdev without a reset is drained instead, which would never end.
            if (step == IoTimeoutAction.Abort && !entry.Bdev.Supports(BdevIoType.Abort)) continue;
            if (step == IoTimeoutAction.Reset && !entry.Bdev.Supports(BdevIoType.Reset)) continue;
            return step;
        }
        return last == IoTimeoutAction.None ? IoTimeoutAction.Report : null;
    }

    private void Take(BdevEntry entry, IoTimeoutAction step, long ticks, int count)
    {
        _steps[entry] = (step, Stopwatch.GetTimestamp());
        var bdev = entry.Bdev;
        log.LogError("Module {Module} has not completed {Count} I/Os of bdev {Bdev}, the oldest for {Seconds:0.0} s. {What}.", BdevRegistry.ModuleOf(bdev), count, bdev.Name,
            ticks / (double)Stopwatch.Frequency, step switch
            {
                IoTimeoutAction.Report when PolicyOf(entry) > IoTimeoutAction.Report => "The bdev has none of the steps that the policy allows, abort and reset",
                IoTimeoutAction.Report => "Nothing is done about it by the policy",
                IoTimeoutAction.Abort => "They are aborted",
                IoTimeoutAction.Reset => "The bdev is reset",
                _ => "The bdev is removed",
            });
        switch (step)
        {
            case IoTimeoutAction.Abort:
                long limit = Ticks(LimitOf(entry));
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
        await threads.ForEachChannelAsync(entry, (channel, _) =>
        {
            var queue = ((BdevQueueChannel)channel).Queue;
            BdevReset.Start(queue, static (object? _, in BdevIoResult _) => { }, null);
            return 1; // one reset is for all channels
        }, null);
    }
}
