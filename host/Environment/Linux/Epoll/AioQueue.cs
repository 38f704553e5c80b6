using System.Runtime.InteropServices;
using Spindle.Host.Environments.Linux.Interop;

namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>Direct file I/O by the kernel's asynchronous I/O: collects, submits in one call, reaps when the kernel's ring says there is something.</summary>
internal sealed unsafe class AioQueue : IDisposable
{
    private const int Depth = 1024, ReapBatch = 128;

    private readonly nuint _context;
    private readonly int _notifyFd;
    private readonly AioRingHeader* _ring;
    private readonly AioControlBlock** _batch;
    private readonly AioEvent* _events;
    private OperationSlot? _first;
    private OperationSlot? _last;

    private AioQueue(nuint context, int notifyFd)
    {
        _context = context;
        _notifyFd = notifyFd;
        var ring = (AioRingHeader*)context;
        _ring = ring->Magic == AioRingHeader.ExpectedMagic ? ring : null;
        _batch = (AioControlBlock**)NativeMemory.Alloc(Depth, (nuint)sizeof(AioControlBlock*));
        _events = (AioEvent*)NativeMemory.Alloc(ReapBatch, (nuint)sizeof(AioEvent));
    }

    /// <summary>Operations the kernel has.</summary>
    internal int InFlight { get; private set; }

    /// <summary>Operations the kernel has not got.</summary>
    internal bool HasQueued => _first is not null;

    /// <summary>True when there may be completions; reads memory only.</summary>
    internal bool HasCompletions => InFlight > 0 && (_ring is null || Volatile.Read(ref _ring->Head) != Volatile.Read(ref _ring->Tail));

    /// <param name="notifyFd">The eventfd that the kernel signals at each completion.</param>
    /// <param name="error">A positive error number.</param>
    /// <returns>Null when there is no asynchronous I/O to be had.</returns>
    internal static AioQueue? Create(int notifyFd, out int error)
    {
        nuint context = 0;
        error = AioAbi.Setup(Depth, &context) < 0 ? Libc.LastError : 0;
        return error == 0 ? new AioQueue(context, notifyFd) : null;
    }

    [DataPath]
    internal void Add(OperationSlot slot)
    {
        slot.Next = null;
        if (_last is null) _first = slot;
        else _last.Next = slot;
        _last = slot;
    }

    /// <summary>Submits what fits.</summary>
    /// <returns>The operations, linked, that ended without reaching the kernel; their results are set.</returns>
    [DataPath]
    internal OperationSlot? Submit()
    {
        OperationSlot? ended = null;
        while (_first is not null && InFlight < Depth)
        {
            var count = Gather(ref ended);
            if (count == 0) break;
            var submitted = AioAbi.Submit(_context, count, _batch);
            if (submitted > 0)
            {
                InFlight += submitted;
                for (var i = 0; i < submitted; i++) Drop();
                if (submitted == count) continue;
            }
            else if (submitted < 0 && Libc.LastError is var error && error is not (Errno.EAGAIN or Errno.EINTR))
            {
                // The first of the batch is at fault; the others have their turn next time round.
                var faulty = Drop();
                faulty.Result = -error;
                faulty.Next = ended;
                ended = faulty;
                continue;
            }
            // Out of room: the rest waits for completions. With none to come, nobody would try again but the next poll, which does.
            break;
        }
        return ended;
    }

    /// <summary>Takes completions.</summary>
    [DataPath]
    internal ReadOnlySpan<AioEvent> Reap()
    {
        var none = default(KernelTimespec);
        var count = AioAbi.GetEvents(_context, 0, ReapBatch, _events, &none);
        if (count <= 0) return default;
        InFlight -= count;
        return new ReadOnlySpan<AioEvent>(_events, count);
    }

    public void Dispose()
    {
        // Blocks until the kernel has finished what it has.
        _ = AioAbi.Destroy(_context);
        NativeMemory.Free(_batch);
        NativeMemory.Free(_events);
    }

    /// <summary>Fills the batch from the queue, up to the room there is; takes out what was cancelled at its head.</summary>
    private int Gather(ref OperationSlot? ended)
    {
        while (_first is { Cancelled: true })
        {
            var slot = Drop();
            slot.Result = -Errno.ECANCELED;
            slot.Next = ended;
            ended = slot;
        }
        var count = 0;
        for (var slot = _first; slot is not null && !slot.Cancelled && count < Depth - InFlight; slot = slot.Next)
        {
            var block = &slot.Memory->Control;
            *block = new AioControlBlock
            {
                Data = slot.UserData,
                Opcode = slot.Kind == OperationKind.Read ? AioAbi.IOCB_CMD_PREADV : AioAbi.IOCB_CMD_PWRITEV,
                Fd = slot.Fd,
                Buffer = (ulong)slot.Vectors,
                Bytes = (ulong)slot.VectorCount,
                Offset = slot.Offset,
                Flags = AioAbi.IOCB_FLAG_RESFD,
                EventFd = _notifyFd,
            };
            _batch[count++] = block;
        }
        return count;
    }

    private OperationSlot Drop()
    {
        var slot = _first!;
        _first = slot.Next;
        if (_first is null) _last = null;
        slot.Next = null;
        return slot;
    }
}
