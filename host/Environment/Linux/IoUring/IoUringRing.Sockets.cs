using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;
using Spindle.Memory;
using static Spindle.Host.Environments.Linux.Interop.IoUringAbi;

namespace Spindle.Host.Environments.Linux.IoUring;

/// <summary>Sockets.</summary>
internal sealed unsafe partial class IoUringRing
{
    [DataPath]
    public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (RingArguments.CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Receive, target);
        FillMessage(entry, slot, target!.Fd, buffers, OP_RECV, OP_RECVMSG);
        if (target.Drained && _canPollFirst) entry->IoPriority = RECVSEND_POLL_FIRST;
        return 0;
    }

    [DataPath]
    public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (RingArguments.CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        var slot = _table.Begin(operation, OperationKind.Send, target);
        FillMessage(entry, slot, target!.Fd, buffers, OP_SEND, OP_SENDMSG);
        entry->OperationFlags = Libc.MSG_NOSIGNAL;
        return 0;
    }

    [DataPath]
    public int Accept(RingListener listener, AcceptOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (listener is not LinuxListener { Fd: >= 0 } target) return -Errno.EBADF;
        var entry = _queue.Next();
        if (entry is null) return -Errno.EAGAIN;
        operation.Accepted = null;
        var slot = _table.Begin(operation, OperationKind.Accept, target);
        entry->Opcode = OP_ACCEPT;
        entry->Fd = target.Fd;
        entry->OperationFlags = Libc.SOCK_CLOEXEC;
        entry->UserData = slot.UserData;
        return 0;
    }

    [DataPath]
    private static void FillMessage(SubmissionEntry* entry, OperationSlot slot, int fd, ReadOnlySpan<IoVec> buffers, byte single, byte vectored)
    {
        entry->Fd = fd;
        entry->UserData = slot.UserData;
        if (buffers.Length == 1)
        {
            entry->Opcode = single;
            entry->Address = (ulong)buffers[0].Address;
            entry->Length = buffers[0].Length;
            return;
        }
        slot.SetVectors(buffers);
        slot.Memory->Message = new MessageHeader { Vector = slot.Vectors, VectorLength = (nuint)buffers.Length };
        entry->Opcode = vectored;
        entry->Address = (ulong)&slot.Memory->Message;
        entry->Length = 1;
    }
}
