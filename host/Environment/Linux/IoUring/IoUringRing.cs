using System.Runtime.CompilerServices;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;
using static Spindle.Host.Environments.Linux.Interop.IoUringAbi;

namespace Spindle.Host.Environments.Linux.IoUring;

/// <summary>The ring on io_uring. Operations are written to the submission queue as they come; one system call per <see cref="Poll"/> submits
/// them and collects completions, and none when there is nothing to do. The operations themselves are in IoUringRing.Files.cs and
/// IoUringRing.Sockets.cs.</summary>
internal sealed unsafe partial class IoUringRing : IReactorRing
{
    private const uint SubmissionEntries = 512, CompletionEntries = 4096;

    /// <summary>User data of entries that belong to no operation: the read of the wake event, and cancellations.</summary>
    private const ulong WakeData = ulong.MaxValue, IgnoredData = ulong.MaxValue - 1;

    private static readonly TimeSpan DisposePatience = TimeSpan.FromSeconds(5);

    /// <summary>The operations a kernel must know.</summary>
    private static ReadOnlySpan<byte> NeededOperations =>
    [
        OP_READV, OP_WRITEV, OP_FSYNC, OP_SENDMSG, OP_RECVMSG, OP_TIMEOUT, OP_ACCEPT, OP_ASYNC_CANCEL, OP_FALLOCATE, OP_READ, OP_WRITE, OP_SEND, OP_RECV,
    ];

    private readonly IoUringQueue _queue;
    private readonly OperationTable _table = new();
    private readonly MemoryFileQueue _memoryFiles;
    private readonly int _wakeFd;
    private readonly ulong* _wakeCounter;
    private readonly bool _canPollFirst;
    private int _wakeRequested;
    private bool _wakeArmed;
    private bool _disposed;

    private IoUringRing(IoUringQueue queue, int wakeFd)
    {
        _queue = queue;
        _memoryFiles = new MemoryFileQueue(_table);
        _wakeFd = wakeFd;
        _wakeCounter = (ulong*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(sizeof(ulong));
        // Poll-first came with the same kernel (5.19) as this flag.
        _canPollFirst = (queue.SetupFlags & SETUP_COOP_TASKRUN) != 0;
        ArmWake();
    }

    public string Kind => "io_uring";

    public int PendingCount => _table.Count;

    /// <summary>Makes a ring for the calling thread.</summary>
    /// <exception cref="SpindleException">The kernel refused.</exception>
    internal static IoUringRing Create()
    {
        var queue = IoUringQueue.Create(SubmissionEntries, CompletionEntries, out var error)
            ?? throw new SpindleException(error, $"The kernel refused an io_uring instance: {Errno.Message(error)}.");
        var wakeFd = Libc.eventfd(0, Libc.EFD_CLOEXEC);
        if (wakeFd < 0)
        {
            error = Libc.LastError;
            queue.Dispose();
            throw new SpindleException(error, $"Cannot make an eventfd: {Errno.Message(error)}. Raise the limit of open files (ulimit -n).");
        }
        return new IoUringRing(queue, wakeFd);
    }

    /// <summary>Tries whether this process may use io_uring.</summary>
    /// <returns>0, or the positive error number.</returns>
    internal static int Probe()
    {
        using var queue = IoUringQueue.Create(8, 16, out var error);
        if (queue is null) return error;
        return queue.Supports(NeededOperations) ? 0 : Errno.ENOSYS;
    }

    [DataPath]
    public int Poll()
    {
        if (_queue.HasQueued || _queue.KernelNeedsEntry) _queue.Enter();
        var completed = _memoryFiles.HasQueued ? _memoryFiles.Run() : 0;
        var tail = _queue.CompletionTail;
        return _queue.CompletionHead == tail ? completed : completed + Reap(tail);
    }

    public void Sleep(TimeSpan timeout)
    {
        if (_memoryFiles.HasQueued) return;
        if (!_wakeArmed) ArmWake();
        // Either this sees the request, or the request's write to the event ends the wait below (see Wake).
        if (Interlocked.Exchange(ref _wakeRequested, 0) != 0)
        {
            if (_queue.HasQueued) _queue.Enter();
            return;
        }
        _queue.EnterAndWait(timeout);
        Interlocked.Exchange(ref _wakeRequested, 0);
    }

    public void Wake()
    {
        if (Volatile.Read(ref _disposed)) return;
        // The one who sets the request writes the event; the others know that it is on its way.
        if (Interlocked.Exchange(ref _wakeRequested, 1) != 0) return;
        var one = 1ul;
        _ = Libc.write(_wakeFd, &one, sizeof(ulong));
    }

    [DataPath]
    public void Cancel(RingOperation operation)
    {
        if (!_table.TryFind(operation, out var slot) || slot.Cancelled) return;
        if (MemoryFileQueue.Holds(slot))
        {
            slot.Cancelled = true;
            return;
        }
        var entry = _queue.Next();
        if (entry is null) return;
        slot.Cancelled = true;
        entry->Opcode = OP_ASYNC_CANCEL;
        entry->Fd = -1;
        entry->Address = slot.UserData;
        entry->UserData = IgnoredData;
    }

    /// <summary>Ends what is pending, then gives the kernel's and the native memory back. Completions of operations still pending do run, with -ECANCELED
    /// as a rule. On the ring's thread.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        var deadline = Environment.TickCount64 + (long)DisposePatience.TotalMilliseconds;
        while (_table.Count > 0 && Environment.TickCount64 < deadline)
        {
            CancelAll();
            _queue.EnterAndWait(TimeSpan.FromMilliseconds(10));
            Poll();
        }
        // A disk that does not answer may still write to its vectors' buffers; then memory that is never reused is the smaller evil.
        if (_table.Count > 0) _table.Leak();
        _queue.Dispose();
        _table.Free();
        _ = Libc.close(_wakeFd);
        // The pending read of the wake event may outlive the queue for a moment; its 8 bytes are left to it.
    }

    [DataPath]
    private int Reap(uint tail)
    {
        var completed = 0;
        while (_queue.CompletionHead != tail)
        {
            var entry = _queue.Take();
            if (!_table.TryFind(entry.UserData, out var slot))
            {
                if (entry.UserData == WakeData) WakeArrived(entry.Result);
                continue;
            }
            completed++;
            _table.Complete(slot, Translate(slot, entry.Result, entry.Flags));
        }
        return completed;
    }

    /// <summary>The kernel's result in the contract's terms.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Translate(OperationSlot slot, int result, uint flags)
    {
        switch (slot.Kind)
        {
            case OperationKind.Receive:
                // Nothing more there: the next receive had better wait for data first than try in vain.
                Unsafe.As<LinuxSocket>(slot.Target)!.Drained = (flags & CQE_F_SOCK_NONEMPTY) == 0;
                return result;
            case OperationKind.Timeout:
                return result == -Libc.ETIME ? 0 : result;
            case OperationKind.Wait:
                return Math.Min(result, 0);
            case OperationKind.Accept:
                if (result < 0) return result;
                Unsafe.As<AcceptOperation>(slot.Operation)!.Accepted = LinuxSocket.Accepted(result);
                return 0;
            default:
                return result;
        }
    }

    private void WakeArrived(int result)
    {
        _wakeArmed = false;
        ArmWake();
    }

    private void ArmWake()
    {
        var entry = _queue.Next();
        if (entry is null) return;
        _wakeArmed = true;
        entry->Opcode = OP_READ;
        entry->Fd = _wakeFd;
        entry->Address = (ulong)_wakeCounter;
        entry->Length = sizeof(ulong);
        entry->UserData = WakeData;
    }

    private void CancelAll()
    {
        // By operation rather than all at once: before 5.19 the kernel has no "any".
        foreach (var slot in _table.Pending())
        {
            var entry = _queue.Next();
            if (entry is null) return;
            entry->Opcode = OP_ASYNC_CANCEL;
            entry->Fd = -1;
            entry->Address = slot.UserData;
            entry->UserData = IgnoredData;
        }
    }
}
