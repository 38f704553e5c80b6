using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;
using Spindle.Memory;
using static Spindle.Host.Environments.Linux.Interop.IoUringAbi;

namespace Spindle.Host.Environments.Linux.IoUring;

/// <summary>Files, timers and events.</summary>
internal sealed unsafe partial class IoUringRing
{
    [DataPath]
    public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, OperationKind.Read, OP_READ, OP_READV);

    [DataPath]
    public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, OperationKind.Write, OP_WRITE, OP_WRITEV);

    [DataPath]
    public int Flush(RingFile file, RingOperation operation)
    {
        if (RingArguments.CheckFile(file, operation, out var target) is var error and not 0) return error;
        if (target!.IsInMemory)
        {
            _memoryFiles.Add(_table.Begin(operation, OperationKind.Flush, target), target);
            return 0;
        }
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Flush, target);
        entry->Opcode = OP_FSYNC;
        entry->Fd = target.Fd;
        entry->OperationFlags = FSYNC_DATASYNC;
        entry->UserData = slot.UserData;
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
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Timeout, null);
        slot.Memory->Time = KernelTimespec.From(delay);
        entry->Opcode = OP_TIMEOUT;
        entry->Fd = -1;
        entry->Address = (ulong)&slot.Memory->Time;
        entry->Length = 1;
        entry->UserData = slot.UserData;
        return 0;
    }

    [DataPath]
    public int Wait(RingEvent ringEvent, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (ringEvent is not LinuxEvent { Fd: >= 0 } target) return -Errno.EBADF;
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Wait, target);
        entry->Opcode = OP_READ;
        entry->Fd = target.Fd;
        entry->Address = (ulong)&slot.Memory->Counter;
        entry->Length = sizeof(ulong);
        entry->UserData = slot.UserData;
        return 0;
    }

    [DataPath]
    private int Transfer(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation, OperationKind kind, byte single, byte vectored)
    {
        if (RingArguments.CheckTransfer(file, buffers, offset, operation, out var target) is var error and not 0) return error;
        if (target!.IsInMemory)
        {
            _memoryFiles.Add(_table.Begin(operation, kind, target), target, buffers, offset);
            return 0;
        }
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, kind, target);
        entry->Fd = target.Fd;
        entry->Offset = (ulong)offset;
        if (buffers.Length == 1)
        {
            entry->Opcode = single;
            entry->Address = (ulong)buffers[0].Address;
            entry->Length = buffers[0].Length;
        }
        else
        {
            slot.SetVectors(buffers);
            entry->Opcode = vectored;
            entry->Address = (ulong)slot.Vectors;
            entry->Length = (uint)buffers.Length;
        }
        entry->UserData = slot.UserData;
        return 0;
    }

    [DataPath]
    private int Allocate(RingFile file, int mode, long offset, long length, RingOperation operation)
    {
        if (RingArguments.CheckRange(file, offset, length, operation, out var target) is var error and not 0) return error;
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Allocate, target);
        entry->Opcode = OP_FALLOCATE;
        entry->Fd = target!.Fd;
        entry->Offset = (ulong)offset;
        entry->Address = (ulong)length;
        entry->Length = (uint)mode;
        entry->UserData = slot.UserData;
        return 0;
    }
}
