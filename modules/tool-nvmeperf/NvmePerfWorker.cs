using System.Diagnostics;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Perf;

namespace Spindle.Tool.NvmePerf;

/// <summary>What one queue does; constant while it runs.</summary>
internal sealed record NvmePerfWork(uint Nsid, ulong FirstBlock, ulong IoCount, uint IoBlocks, uint IoSize, bool IsRandom, int ReadPercent, ulong Seed);

/// <summary>Keeps commands outstanding on one queue: each completion submits the next. Allocates nothing while it runs.</summary>
internal sealed class NvmePerfWorker : IDisposable
{
    private readonly NvmeQueue _queue;
    private readonly IDmaMemory _memory;
    private readonly NvmePerfWork _work;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _from, _until;
    private ulong _random, _next;
    private int _outstanding;
    private bool _measuring;
    private volatile bool _stop;
    private long _measuredUntil, _allocatedBefore;
    private DmaBuffer? _data;

    /// <summary>One of the commands that are kept outstanding.</summary>
    private sealed class Slot(NvmePerfWorker worker, IoVec data)
    {
        internal static readonly NvmeCompletion Completed = static (object? state, in CompletionQueueEntry completion) =>
        {
            var slot = (Slot)state!;
            slot.Worker.OnCompleted(slot, completion);
        };

        internal readonly NvmePerfWorker Worker = worker;
        internal readonly IoVec Data = data;
        internal bool IsWrite;
        internal long Started;
    }

    internal NvmePerfWorker(NvmeQueue queue, IDmaMemory memory, NvmePerfWork work, long from, long until)
    {
        _queue = queue;
        _memory = memory;
        _work = work;
        _from = from;
        _until = _measuredUntil = until;
        _random = work.Seed * 0x9E3779B97F4A7C15 | 1;
    }

    internal LatencyHistogram Latencies { get; } = new();
    internal string? Failure { get; private set; }
    internal long AllocatedBytes { get; private set; }
    internal double Seconds => Stopwatch.GetElapsedTime(_from, _measuredUntil).TotalSeconds;

    /// <summary>Runs until its time is over; ends when the last command has. On the connection's thread.</summary>
    internal Task RunAsync(int depth)
    {
        _queue.Failed = queue =>
        {
            Failure ??= queue.Failure;
            _stop = true;
        };
        _data = _memory.Allocate((nuint)depth * _work.IoSize);
        _outstanding = depth;
        long now = Stopwatch.GetTimestamp();
        for (int i = 0; i < depth; i++) Begin(new Slot(this, _data.Slice((nuint)i * _work.IoSize, _work.IoSize)), now);
        _queue.Flush();
        return _done.Task;
    }

    /// <summary>Ends early. On any thread.</summary>
    internal void Stop() => _stop = true;

    [DataPath]
    private void Begin(Slot slot, long now)
    {
        if (_queue.TryTake() is not { } command)
        {
            End(now);
            return;
        }
        bool read = _work.ReadPercent == 100 || (_work.ReadPercent > 0 && Math.BigMul(Random(), 100, out _) < (ulong)_work.ReadPercent);
        ulong index = _work.IsRandom ? Math.BigMul(Random(), _work.IoCount, out _) : _next++ % _work.IoCount;
        ref var entry = ref command.Entry;
        entry = default;
        entry.Opcode = (byte)(read ? NvmOpcode.Read : NvmOpcode.Write);
        entry.Nsid = _work.Nsid;
        entry.As<NvmIoCommand>().Slba = _work.FirstBlock + index * _work.IoBlocks;
        entry.As<NvmIoCommand>().BlockCount = _work.IoBlocks;
        command.SetData(new ReadOnlySpan<IoVec>(in slot.Data), !read);
        command.Completed = Slot.Completed;
        command.State = slot;
        slot.IsWrite = !read;
        slot.Started = now;
        _queue.Submit(command);
    }

    [DataPath]
    private void OnCompleted(Slot slot, in CompletionQueueEntry completion)
    {
        long now = Stopwatch.GetTimestamp();
        if (!completion.Status.IsSuccess) Refused(slot, completion);
        if (_measuring)
        {
            if (now >= _until) EndMeasuring(now);
            else Latencies.Add((ulong)((now - slot.Started) * (1_000_000_000 / Stopwatch.Frequency)));
        }
        else if (now >= _from && now < _until)
        {
            _measuring = true;
            _allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        }
        if (!_stop && now < _until)
        {
            Begin(slot, now);
        }
        else
        {
            End(now);
        }
    }

    [DataPath]
    private void End(long now)
    {
        if (--_outstanding > 0) return;
        if (_measuring) EndMeasuring(now);
        _done.TrySetResult();
    }

    /// <summary>Frees the data's memory; nothing may be outstanding.</summary>
    public void Dispose() => _data?.Dispose();

    private void Refused(Slot slot, in CompletionQueueEntry completion)
    {
        Failure ??= $"{(slot.IsWrite ? "write" : "read")} failed: status type {(byte)completion.Status.StatusCodeType:x}h, code {completion.Status.StatusCode:x2}h";
        _stop = true;
    }

    private void EndMeasuring(long now)
    {
        _measuring = false;
        _measuredUntil = Math.Min(now, _until);
        AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - _allocatedBefore;
    }

    [DataPath]
    private ulong Random()
    {
        // xorshift64* (Vigna 2014)
        ulong x = _random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        _random = x;
        return x * 2685821657736338717;
    }
}
