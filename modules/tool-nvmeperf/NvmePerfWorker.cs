using System.Diagnostics;
using Spindle.Nvme.Commands;
using Spindle.Perf;
using Spindle.Tool.NvmePerf.Initiator;

namespace Spindle.Tool.NvmePerf;

/// <summary>What one queue does; constant while it runs.</summary>
internal sealed record NvmePerfWork(uint Nsid, ulong FirstBlock, ulong IoCount, uint IoBlocks, uint IoSize, bool IsRandom, int ReadPercent, ulong Seed);

/// <summary>Keeps commands outstanding on one queue: each completion submits the next. Allocates nothing while it runs.</summary>
internal sealed class NvmePerfWorker
{
    private readonly InitiatorConnection _connection;
    private readonly NvmePerfWork _work;
    private readonly SlotCompletion _completed;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _from, _until;
    private ulong _random, _next;
    private int _outstanding;
    private bool _measuring;
    private volatile bool _stop;
    private long _measuredUntil, _allocatedBefore;

    internal NvmePerfWorker(InitiatorConnection connection, NvmePerfWork work, long from, long until)
    {
        _connection = connection;
        _work = work;
        _completed = OnCompleted;
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
        _connection.Failed = reason =>
        {
            Failure ??= reason;
            _done.TrySetResult();
        };
        _outstanding = depth;
        long now = Stopwatch.GetTimestamp();
        for (int i = 0; i < depth; i++)
        {
            var slot = _connection.Slots[i];
            slot.Completed = _completed;
            slot.State = null;
            Begin(slot, now);
        }
        _connection.Flush();
        return _done.Task;
    }

    /// <summary>Ends early. On any thread.</summary>
    internal void Stop() => _stop = true;

    [DataPath]
    private void Begin(InitiatorSlot slot, long now)
    {
        bool read = _work.ReadPercent == 100 || (_work.ReadPercent > 0 && Math.BigMul(Random(), 100, out _) < (ulong)_work.ReadPercent);
        ulong index = _work.IsRandom ? Math.BigMul(Random(), _work.IoCount, out _) : _next++ % _work.IoCount;
        ulong block = _work.FirstBlock + index * _work.IoBlocks;
        slot.Command = default;
        slot.Command.Opcode = (byte)(read ? NvmOpcode.Read : NvmOpcode.Write);
        slot.Command.Nsid = _work.Nsid;
        slot.Command.Cdw10 = (uint)block;
        slot.Command.Cdw11 = (uint)(block >> 32);
        slot.Command.Cdw12 = _work.IoBlocks - 1;
        slot.IsWrite = !read;
        slot.DataLength = _work.IoSize;
        slot.Started = now;
        _connection.Submit(slot);
    }

    [DataPath]
    private void OnCompleted(InitiatorSlot slot, in CompletionQueueEntry completion)
    {
        long now = Stopwatch.GetTimestamp();
        if (!completion.Status.IsSuccess) Refused(slot, completion);
        else if (!slot.IsWrite && slot.Received != slot.DataLength) _connection.Fail("a read ended before all of its data had come");
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
        else if (--_outstanding == 0)
        {
            if (_measuring) EndMeasuring(now);
            _done.TrySetResult();
        }
    }

    private void Refused(InitiatorSlot slot, in CompletionQueueEntry completion)
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
