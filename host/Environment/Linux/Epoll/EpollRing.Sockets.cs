using System.Runtime.CompilerServices;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>Sockets and events. An operation is tried in the next poll if its descriptor may be ready, else it is parked until epoll says so.</summary>
internal sealed unsafe partial class EpollRing
{
    /// <summary>Where an operation on a descriptor is (<see cref="OperationSlot.Argument"/>): to be tried, parked, or ended with its result set.</summary>
    private const int Trying = 0, Parked = 1, Ended = 2;

    [DataPath]
    public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (RingArguments.CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        error = Begin(target!.Fd, target, OperationKind.Receive, operation, out var slot);
        if (error == 0) slot!.SetVectors(buffers);
        return error;
    }

    [DataPath]
    public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (RingArguments.CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        error = Begin(target!.Fd, target, OperationKind.Send, operation, out var slot);
        if (error == 0) slot!.SetVectors(buffers);
        return error;
    }

    [DataPath]
    public int Accept(RingListener listener, AcceptOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (listener is not LinuxListener { Fd: >= 0 } target) return -Errno.EBADF;
        var error = Begin(target.Fd, target, OperationKind.Accept, operation, out _);
        if (error == 0) operation.Accepted = null;
        return error;
    }

    [DataPath]
    public int Wait(RingEvent ringEvent, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (ringEvent is not LinuxEvent { Fd: >= 0 } target) return -Errno.EBADF;
        return Begin(target.Fd, target, OperationKind.Wait, operation, out _);
    }

    [DataPath]
    private int Begin(int fd, object target, OperationKind kind, RingOperation operation, out OperationSlot? slot)
    {
        slot = null;
        var watch = (uint)fd < (uint)_watches.Length ? _watches[fd] : null;
        if (watch is null || !ReferenceEquals(watch.Target, target))
        {
            var error = Watch(fd, target, out watch);
            if (error != 0) return -error;
        }
        var sends = kind == OperationKind.Send;
        if ((sends ? watch.Out : watch.In) is not null) return -Errno.EBUSY;
        slot = _table.Begin(operation, kind, target);
        slot.Fd = fd;
        if (sends) watch.Out = slot;
        else watch.In = slot;
        if (watch.HungUp || (sends ? watch.OutReady : watch.InReady)) Try(slot);
        else Park(slot);
        return 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Watch(int fd, object target, out EpollWatch watch)
    {
        if (fd >= _watches.Length) Array.Resize(ref _watches, Math.Max(fd + 1, _watches.Length * 2));
        watch = new EpollWatch(target, (_watches[fd]?.Generation ?? 0) + 1);
        var events = target is LinuxSocket ? Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLRDHUP : Libc.EPOLLIN;
        var error = Libc.EpollWatch(_epollFd, fd, events, (ulong)watch.Generation << 32 | (uint)fd);
        if (error == 0) _watches[fd] = watch;
        return error;
    }

    [DataPath]
    private void Try(OperationSlot slot)
    {
        if (slot.Argument != Ended) slot.Argument = Trying;
        slot.Next = null;
        if (_tryLast is null) _tryFirst = slot;
        else _tryLast.Next = slot;
        _tryLast = slot;
    }

    [DataPath]
    private void Park(OperationSlot slot)
    {
        slot.Argument = Parked;
        _parked++;
    }

    [DataPath]
    private void Unpark(OperationSlot slot)
    {
        slot.Argument = Trying;
        _parked--;
    }

    /// <summary>Takes what epoll has and puts the operations that it concerns up to be tried. Runs no completion.</summary>
    [DataPath]
    private void CollectEvents(int timeoutMilliseconds)
    {
        var count = Libc.epoll_wait(_epollFd, _events, EventBatch, timeoutMilliseconds);
        for (var i = 0; i < count; i++)
        {
            var ev = _events + i * Libc.EpollEventSize;
            var data = *(ulong*)(ev + Libc.EpollDataOffset);
            if (data == NotifyData) continue;
            var fd = (uint)data;
            if (fd >= (uint)_watches.Length || _watches[fd] is not { } watch || watch.Generation != (uint)(data >> 32)) continue;
            var events = *(uint*)ev;
            if ((events & (Libc.EPOLLERR | Libc.EPOLLHUP | Libc.EPOLLRDHUP)) != 0) watch.HungUp = true;
            if (watch.HungUp || (events & Libc.EPOLLIN) != 0)
            {
                watch.InReady = true;
                TryParked(watch.In);
            }
            if (watch.HungUp || (events & Libc.EPOLLOUT) != 0)
            {
                watch.OutReady = true;
                TryParked(watch.Out);
            }
        }
    }

    [DataPath]
    private void TryParked(OperationSlot? slot)
    {
        if (slot is null || slot.Argument != Parked) return;
        Unpark(slot);
        Try(slot);
    }

    /// <summary>Tries what is up to be tried; what completions add waits for the next poll.</summary>
    [DataPath]
    private void TryAll()
    {
        var slot = _tryFirst;
        _tryFirst = _tryLast = null;
        while (slot is not null)
        {
            var next = slot.Next;
            if (slot.Argument == Ended) End(slot, slot.Result);
            else TryOne(slot);
            slot = next;
        }
    }

    [DataPath]
    private void TryOne(OperationSlot slot)
    {
        // A watch may have been replaced when the descriptor was closed in spite of a pending operation, and its number used again.
        var watch = _watches[slot.Fd]!;
        var mine = ReferenceEquals(watch.Target, slot.Target);
        var result = slot.Cancelled || !mine ? -Errno.ECANCELED : Execute(slot, watch);
        if (result == -Errno.EAGAIN)
        {
            if (slot.Kind == OperationKind.Send) watch.OutReady = false;
            else watch.InReady = false;
            Park(slot);
            return;
        }
        if (mine && slot.Kind == OperationKind.Send) watch.Out = null;
        else if (mine) watch.In = null;
        End(slot, result);
    }

    [DataPath]
    private static int Execute(OperationSlot slot, EpollWatch watch)
    {
        while (true)
        {
            nint result;
            switch (slot.Kind)
            {
                case OperationKind.Receive:
                    result = slot.VectorCount == 1
                        ? Libc.recv(slot.Fd, slot.Vectors->Base, slot.Vectors->Length, Libc.MSG_DONTWAIT)
                        : Libc.recvmsg(slot.Fd, Message(slot), Libc.MSG_DONTWAIT);
                    // Less than there was room for: drained, and more data brings a new edge (epoll(7), question 9).
                    if (result > 0 && (nuint)result < Room(slot)) watch.InReady = false;
                    break;
                case OperationKind.Send:
                    result = slot.VectorCount == 1
                        ? Libc.send(slot.Fd, slot.Vectors->Base, slot.Vectors->Length, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL)
                        : Libc.sendmsg(slot.Fd, Message(slot), Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL);
                    break;
                case OperationKind.Accept:
                    result = Libc.accept4(slot.Fd, null, null, Libc.SOCK_CLOEXEC);
                    if (result < 0) break;
                    Unsafe.As<AcceptOperation>(slot.Operation)!.Accepted = LinuxSocket.Accepted((int)result);
                    return 0;
                default:
                    result = Libc.read(slot.Fd, &slot.Memory->Counter, sizeof(ulong));
                    if (result > 0) return 0;
                    break;
            }
            if (result >= 0) return (int)result;
            var error = Libc.LastError;
            if (error != Errno.EINTR) return -error;
        }
    }

    [DataPath]
    private static MessageHeader* Message(OperationSlot slot)
    {
        var message = &slot.Memory->Message;
        *message = new MessageHeader { Vector = slot.Vectors, VectorLength = (nuint)slot.VectorCount };
        return message;
    }

    [DataPath]
    private static nuint Room(OperationSlot slot)
    {
        nuint room = 0;
        for (var i = 0; i < slot.VectorCount; i++) room += slot.Vectors[i].Length;
        return room;
    }
}
