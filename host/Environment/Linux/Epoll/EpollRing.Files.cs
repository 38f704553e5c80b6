using System.Diagnostics;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>Files and timers.</summary>
internal sealed unsafe partial class EpollRing
{
    [DataPath]
    public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, OperationKind.Read);

    [DataPath]
    public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, OperationKind.Write);

    [DataPath]
    public int Flush(RingFile file, RingOperation operation)
    {
        if (RingArguments.CheckFile(file, operation, out var target) is var error and not 0) return error;
        var slot = _table.Begin(operation, OperationKind.Flush, target);
        slot.Fd = target!.Fd;
        if (target.IsInMemory) _memoryFiles.Add(slot, target);
        else _workers.Add(slot);
        return 0;
    }

    [DataPath]
    public int Deallocate(RingFile file, long offset, long length, RingOperation operation) =>
        Allocate(file, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length, operation);

    [DataPath]
    public int WriteZeroes(RingFile file, long offset, long length, RingOperation operation) =>
        Allocate(file, Libc.FALLOC_FL_ZERO_RANGE | Libc.FALLOC_FL_KEEP_SIZE, offset, length, operation);

    [DataPath]
    public int Timeout(TimeSpan delay, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        var slot = _table.Begin(operation, OperationKind.Timeout, null);
        var wait = Math.Min(Math.Max(delay.Ticks, 0), TimeSpan.TicksPerDay * 3650) * (Stopwatch.Frequency / (double)TimeSpan.TicksPerSecond);
        _timers.Add(slot, Stopwatch.GetTimestamp() + (long)Math.Ceiling(wait));
        return 0;
    }

    [DataPath]
    private int Transfer(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation, OperationKind kind)
    {
        if (RingArguments.CheckTransfer(file, buffers, offset, operation, out var target) is var error and not 0) return error;
        var slot = _table.Begin(operation, kind, target);
        slot.Fd = target!.Fd;
        slot.Offset = offset;
        slot.SetVectors(buffers);
        // Asynchronous I/O on a buffered file blocks in the submission.
        if (target.IsInMemory) _memoryFiles.Add(slot, target);
        else if (_aio is not null && target.IsDirect) _aio.Add(slot);
        else _workers.Add(slot);
        return 0;
    }

    [DataPath]
    private int Allocate(RingFile file, int mode, long offset, long length, RingOperation operation)
    {
        if (RingArguments.CheckRange(file, offset, length, operation, out var target) is var error and not 0) return error;
        var slot = _table.Begin(operation, OperationKind.Allocate, target);
        slot.Fd = target!.Fd;
        slot.Argument = mode;
        slot.Offset = offset;
        slot.Length = length;
        _workers.Add(slot);
        return 0;
    }

    [DataPath]
    private void ReapFiles(AioQueue aio)
    {
        foreach (ref readonly var completion in aio.Reap())
        {
            if (_table.TryFind(completion.Data, out var slot)) End(slot, (int)completion.Result);
        }
    }
}
