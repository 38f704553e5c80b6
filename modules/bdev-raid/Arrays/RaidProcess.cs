using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>Work on a whole array in the background, window after window, on a thread of its own; the rest on the app thread. I/O of the array waits where it works.</summary>
internal sealed class RaidProcess
{
    // A window is held in memory.
    private const uint MostWindowBytes = 64 << 20;
    private static readonly TimeSpan s_checkpoint = TimeSpan.FromSeconds(5);

    private readonly RaidArray _array;
    private readonly RaidBdev _bdev;
    private readonly RaidOptions _options;
    private readonly ulong _window;
    private readonly Queue<(ulong First, ulong Blocks)> _ranges;
    private bool _isStopped;

    /// <param name="array">The array, online.</param>
    /// <param name="kind">What is done.</param>
    /// <param name="target">What is rebuilt; null with another kind.</param>
    /// <param name="ranges">Where; a range may go beyond the array's end. Multiples of the level's unit.</param>
    public RaidProcess(RaidArray array, RaidStepKind kind, RaidMember? target, params IEnumerable<(ulong First, ulong Blocks)> ranges)
    {
        (_array, _bdev, _options, Kind, Target, _ranges) = (array, array.Bdev!, array.Options, kind, target, new Queue<(ulong, ulong)>(ranges));
        Offset = _ranges.TryPeek(out var first) ? first.First : 0;
        ulong unit = _bdev.Level.StepUnitBlocks;
        ulong bytes = Math.Min((ulong)_options.ProcessWindowKib * 1024, MostWindowBytes);
        _window = Math.Max((bytes + _bdev.BlockSize - 1) / _bdev.BlockSize / unit, 1) * unit;
    }

    /// <summary>What is done.</summary>
    public RaidStepKind Kind { get; }

    /// <summary>What is rebuilt.</summary>
    public RaidMember? Target { get; }

    /// <summary>Blocks that are done.</summary>
    public ulong Offset { get; private set; }

    /// <summary>Blocks that were not as they should be.</summary>
    public ulong Mismatches { get; private set; }

    /// <summary>How it ended: <c>finished</c>, <c>stopped</c> or <c>failed</c>; empty while it has not.</summary>
    public string Outcome { get; internal set; } = "";

    /// <summary>Why it failed; else empty.</summary>
    public string Failure { get; internal set; } = "";

    /// <summary>True when it is to end before its end.</summary>
    public bool IsStopped => _isStopped;

    /// <summary>Has it end after the window under way.</summary>
    public void Stop() => _isStopped = true;

    /// <summary>Works to the end, or until it is stopped.</summary>
    /// <returns>False when what was to be rebuilt is no member.</returns>
    /// <exception cref="RaidStepException">A member failed.</exception>
    /// <exception cref="SpindleException">ENODEV: the bdev goes. ENOMEM.</exception>
    public async Task<bool> RunAsync()
    {
        var threads = _array.Context.Threads;
        // The bdev is not gone before this is.
        var self = _array.Context.Bdevs.Open(_bdev.Name, write: false, (type, _, _) =>
        {
            if (type == BdevEventType.Remove) Stop();
        });
        self.Purpose = "background process";
        var thread = threads.CreateThread($"{_bdev.Name}_{NameOf(Kind)}");
        RaidChannel? channel = null;
        RaidStep? step = null;
        try
        {
            await thread.InvokeAsync(() =>
            {
                channel = (RaidChannel)threads.GetChannel(_bdev);
                step = _bdev.Level.CreateStep(_array.Context.Memory, Math.Min(_window, _bdev.BlockCount));
                return Task.CompletedTask;
            });
            long checkpoint = Stopwatch.GetTimestamp();
            var pace = new ProcessPace(_options.ProcessMaxBandwidthMib);
            while (!_isStopped && Next() is > 0 and var blocks)
            {
                await pace.WaitAsync(thread, blocks * _bdev.BlockSize);
                if (_isStopped) break;
                await DoWindowAsync(thread, channel!, step!, blocks);
                if (Target is null || Stopwatch.GetElapsedTime(checkpoint) < s_checkpoint) continue;
                checkpoint = Stopwatch.GetTimestamp();
                await _array.CheckpointAsync(this);
            }
            if (Target is null) return true;
            if (!_isStopped) return await _array.FinishRebuildAsync(Target);
            // The bdev goes: how far it is rebuilt is written down.
            await _array.CheckpointAsync(this);
            return true;
        }
        finally
        {
            await thread.InvokeAsync(() =>
            {
                step?.Dispose();
                if (channel is not null) threads.PutChannel(channel);
                return Task.CompletedTask;
            });
            await thread.ExitAsync();
            self.Close();
        }
    }

    /// <summary>Blocks of the window that comes next, at <see cref="Offset"/>; 0 at the end.</summary>
    private ulong Next()
    {
        for (; _ranges.TryPeek(out var range); _ranges.Dequeue())
        {
            Offset = Math.Max(Offset, range.First);
            ulong end = range.Blocks > _bdev.BlockCount - Math.Min(range.First, _bdev.BlockCount) ? _bdev.BlockCount : range.First + range.Blocks;
            if (Offset < end) return Math.Min(_window, end - Offset);
        }
        return 0;
    }

    private async Task DoWindowAsync(IStorageThread thread, RaidChannel channel, RaidStep step, ulong blocks)
    {
        var bdevs = _array.Context.Bdevs;
        ulong offset = Offset;
        await bdevs.QuiesceRangeAsync(_bdev, offset, blocks);
        try
        {
            ulong mismatches = 0;
            await thread.InvokeAsync(async () => mismatches = await step.RunAsync(channel, Kind, Target?.Slot ?? -1, offset, blocks));
            Mismatches += mismatches;
            if (Target is not null) await _bdev.AdvanceAsync(Target, _bdev.Level.MemberBlocksOf(offset + blocks));
            // A rebuild makes one member's part; it says nothing of the others'.
            if (Kind is RaidStepKind.Resync or RaidStepKind.Repair) _array.IntentLog?.OnRangeInStep(offset, blocks);
            Offset = offset + blocks;
        }
        finally
        {
            try
            {
                await bdevs.UnquiesceRangeAsync(_bdev, offset, blocks);
            }
            catch (SpindleException)
            {
                // The bdev is going: nothing waits any more.
            }
        }
    }

    internal static string NameOf(RaidStepKind kind) => kind switch
    {
        RaidStepKind.Rebuild => "rebuild",
        RaidStepKind.Resync => "resync",
        RaidStepKind.Check => "check",
        _ => "repair",
    };
}
