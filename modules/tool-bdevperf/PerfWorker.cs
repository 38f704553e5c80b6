using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Perf;
using Spindle.Threading;

namespace Spindle.Tool.Bdevperf;

/// <summary>What one worker does; constant while it runs.</summary>
/// <param name="FirstBlock">Of the worker's part of the bdev.</param>
/// <param name="IoCount">I/Os that fit into that part.</param>
/// <param name="IoBlocks">Blocks of an I/O.</param>
/// <param name="QueueDepth">I/Os outstanding.</param>
/// <param name="IsRandom">Offsets at random.</param>
/// <param name="ReadPercent">Of all I/Os.</param>
/// <param name="Verify">Each I/O is a write, a read and a comparison.</param>
/// <param name="Seed">Of the random numbers.</param>
internal sealed record PerfWork(ulong FirstBlock, ulong IoCount, uint IoBlocks, int QueueDepth, bool IsRandom, int ReadPercent, bool Verify, ulong Seed);

/// <summary>Keeps a number of I/Os outstanding on one storage thread: each completion submits the next one. Allocates nothing while it runs.</summary>
internal sealed class PerfWorker
{
    private readonly PerfWork _work;
    private readonly PerfSlot[] _slots;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IBdevChannel _channel = null!;
    private IStorageThread _thread = null!;
    private ulong _random;
    private ulong _next;
    private int _outstanding;
    private bool _measuring;
    private volatile bool _stop;
    private long _measureFrom, _measureUntil, _measuredUntil;
    private long _allocatedBefore;

    internal PerfWorker(PerfWork work, DmaBuffer[] buffers, uint ioSize)
    {
        _work = work;
        _random = work.Seed * 0x9E3779B97F4A7C15 | 1;
        _slots = new PerfSlot[work.QueueDepth];
        for (int i = 0; i < _slots.Length; i++) _slots[i] = new PerfSlot(this, i, buffers[i].Slice(0, ioSize));
    }

    internal LatencyHistogram Latencies { get; } = new();

    /// <summary>How the first failed I/O ended; null when none did.</summary>
    internal string? Failure { get; private set; }

    /// <summary>Bytes allocated on the reactor's thread while measuring.</summary>
    internal long AllocatedBytes { get; private set; }

    /// <summary>Seconds that were measured.</summary>
    internal double Seconds => Stopwatch.GetElapsedTime(_measureFrom, _measuredUntil).TotalSeconds;

    internal BdevIoCallback Completed { get; } = PerfSlot.OnCompleted;

    /// <summary>Starts; the task ends when the last I/O has. On the worker's storage thread.</summary>
    internal Task Start(IBdevChannel channel, long measureFrom, long measureUntil)
    {
        _channel = channel;
        _thread = StorageThread.Required;
        _measureFrom = measureFrom;
        _measureUntil = measureUntil;
        _measuredUntil = measureUntil;
        _outstanding = _slots.Length;
        long now = Now;
        foreach (var slot in _slots) slot.Begin(now);
        return _done.Task;
    }

    /// <summary>Ends early. On any thread.</summary>
    internal void Stop() => _stop = true;

    internal PerfWork Work => _work;

    internal IBdevChannel Channel => _channel;

    /// <summary>The reactor's clock, read once for all that is completed in one go: reading it for each I/O took a fifth of the time of an I/O on null.</summary>
    internal long Now => _thread.Now;

    /// <summary>Notes an I/O's end and decides about the next one.</summary>
    /// <returns>False when the slot is to rest.</returns>
    [DataPath]
    internal bool OnIoDone(long started, long now)
    {
        if (_measuring)
        {
            if (now >= _measureUntil) EndMeasuring(now);
            else Latencies.Add((ulong)((now - started) * (1_000_000_000 / Stopwatch.Frequency)));
        }
        else if (now >= _measureFrom && now < _measureUntil)
        {
            _measuring = true;
            _allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        }
        if (!_stop && now < _measureUntil) return true;
        Rest(now);
        return false;
    }

    [DataPath]
    internal void Rest(long now)
    {
        if (--_outstanding > 0) return;
        if (_measuring) EndMeasuring(now);
        _done.TrySetResult();
    }

    private void EndMeasuring(long now)
    {
        _measuring = false;
        _measuredUntil = Math.Min(now, _measureUntil);
        AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - _allocatedBefore;
    }

    internal void Fail(string reason, long now)
    {
        Failure ??= reason;
        _stop = true;
        Rest(now);
    }

    [DataPath]
    internal ulong Random()
    {
        // xorshift64* (Vigna 2014)
        ulong x = _random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        _random = x;
        return x * 2685821657736338717;
    }

    /// <summary>The first block of a slot's next I/O. When verifying each slot keeps to a part of its own.</summary>
    [DataPath]
    internal ulong NextOffset(int slot)
    {
        ulong count = _work.IoCount, from = 0;
        if (_work.Verify)
        {
            count /= (ulong)_work.QueueDepth;
            from = (ulong)slot * count;
        }
        ulong index = _work.IsRandom ? Math.BigMul(Random(), count, out _) : _next++ % count;
        return _work.FirstBlock + (from + index) * _work.IoBlocks;
    }

    [DataPath]
    internal bool NextIsRead() =>
        _work.ReadPercent == 100 || (_work.ReadPercent > 0 && Math.BigMul(Random(), 100, out _) < (ulong)_work.ReadPercent);
}
