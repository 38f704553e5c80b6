using System.Diagnostics;
using Spindle.Host.Reactors;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Portable;

/// <summary>The ring on .NET's own sockets and files: operations run on the thread pool, their results come back through a lock-free list and
/// complete in <see cref="Poll"/>. For development where there is no Linux; it allocates.</summary>
internal sealed class PortableRing : IReactorRing
{
    private const int MaxVectors = 1024;

    private static readonly TimeSpan DisposePatience = TimeSpan.FromSeconds(5);

    private readonly List<PortableOperation> _operations = [];
    private readonly Stack<PortableOperation> _free = [];
    private readonly TimerHeap<PortableOperation> _timers = new();
    private readonly object _gate = new();
    private PortableOperation? _finished;
    private bool _signalled;
    private bool _disposed;

    public string Kind => "portable";

    public int PendingCount { get; private set; }

    public int Poll()
    {
        var completed = 0;
        if (Volatile.Read(ref _finished) is not null) completed += CompleteFinished();
        if (_timers.Count > 0) completed += CompleteTimers();
        return completed;
    }

    public void Sleep(TimeSpan timeout)
    {
        var wait = timeout < TimeSpan.Zero ? long.MaxValue : (timeout.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond;
        if (_timers.Count > 0)
        {
            var left = _timers.First.Due - Stopwatch.GetTimestamp();
            wait = Math.Min(wait, left <= 0 ? 0 : left * 1000 / Stopwatch.Frequency + 1);
        }
        lock (_gate)
        {
            // Post and Wake set the flag under the lock, after what they announce is there: nothing is missed between the look and the wait.
            if (!_signalled && Volatile.Read(ref _finished) is null && wait > 0) Monitor.Wait(_gate, wait == long.MaxValue ? -1 : (int)Math.Min(wait, int.MaxValue));
            _signalled = false;
        }
    }

    public void Wake()
    {
        lock (_gate)
        {
            _signalled = true;
            Monitor.Pulse(_gate);
        }
    }

    public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, PortableKind.Read);

    public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) =>
        Transfer(file, buffers, offset, operation, PortableKind.Write);

    public int Flush(RingFile file, RingOperation operation)
    {
        if (CheckFile(file, operation) is var error and not 0) return error;
        ThreadPool.UnsafeQueueUserWorkItem(Begin(operation, PortableKind.Flush, file, default), preferLocal: false);
        return 0;
    }

    public int Deallocate(RingFile file, long offset, long length, RingOperation operation) => Unsupported(file, offset, length, operation);

    public int WriteZeroes(RingFile file, long offset, long length, RingOperation operation) => Unsupported(file, offset, length, operation);

    public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        if (target!.Receiving) return -Errno.EBUSY;
        target.Receiving = true;
        Begin(operation, PortableKind.Receive, target, buffers).StartSocket();
        return 0;
    }

    public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation)
    {
        if (CheckSocket(socket, buffers, operation, out var target) is var error and not 0) return error;
        if (target!.Sending) return -Errno.EBUSY;
        target.Sending = true;
        Begin(operation, PortableKind.Send, target, buffers).StartSocket();
        return 0;
    }

    public int Accept(RingListener listener, AcceptOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (listener is not PortableListener { IsClosed: false }) return -Errno.EBADF;
        operation.Accepted = null;
        Begin(operation, PortableKind.Accept, listener, default).StartSocket();
        return 0;
    }

    public int Timeout(TimeSpan delay, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        var wait = Math.Min(Math.Max(delay.Ticks, 0), TimeSpan.TicksPerDay * 3650) * (Stopwatch.Frequency / (double)TimeSpan.TicksPerSecond);
        _timers.Add(Begin(operation, PortableKind.Timeout, null, default), Stopwatch.GetTimestamp() + (long)Math.Ceiling(wait));
        return 0;
    }

    public int Wait(RingEvent ringEvent, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        if (ringEvent is not PortableEvent { IsClosed: false } target) return -Errno.EBADF;
        var pending = Begin(operation, PortableKind.Wait, target, default);
        if (target.TryWait(pending)) return 0;
        Release(pending);
        operation.IsPending = false;
        operation.HostState = null;
        return -Errno.EBUSY;
    }

    public void Cancel(RingOperation operation)
    {
        var index = operation.HostSlot;
        if (operation.IsPending && (uint)index < (uint)_operations.Count && ReferenceEquals(_operations[index].Operation, operation)) Cancel(_operations[index]);
    }

    /// <summary>Called by operations that finished. On any thread.</summary>
    internal void Post(PortableOperation operation)
    {
        var head = Volatile.Read(ref _finished);
        while (true)
        {
            operation.Next = head;
            var seen = Interlocked.CompareExchange(ref _finished, operation, head);
            if (ReferenceEquals(seen, head)) break;
            head = seen;
        }
        // The one that made the list non-empty wakes; the sleeper looks at the list before it waits.
        if (head is null) Wake();
    }

    /// <summary>Ends what is pending. On the ring's thread.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        var deadline = Environment.TickCount64 + (long)DisposePatience.TotalMilliseconds;
        while (PendingCount > 0 && Environment.TickCount64 < deadline)
        {
            foreach (var pending in _operations.Where(static o => o.Operation is not null).ToArray()) Cancel(pending);
            if (Poll() == 0) Sleep(TimeSpan.FromMilliseconds(5));
        }
    }

    private void Cancel(PortableOperation pending)
    {
        switch (pending.Kind)
        {
            case PortableKind.Timeout:
                if (pending.HeapIndex < 0) return;
                _timers.Remove(pending);
                pending.Finish(-Errno.ECANCELED);
                break;
            case PortableKind.Wait:
                ((PortableEvent)pending.Target!).CancelWait(pending);
                break;
            default:
                pending.Cancellation.Cancel();
                break;
        }
    }

    private int Transfer(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation, PortableKind kind)
    {
        if (CheckFile(file, operation) is var error and not 0) return error;
        if (!AreValid(buffers) || offset < 0) return -Errno.EINVAL;
        var pending = Begin(operation, kind, file, buffers);
        pending.Offset = offset;
        ThreadPool.UnsafeQueueUserWorkItem(pending, preferLocal: false);
        return 0;
    }

    private int Unsupported(RingFile file, long offset, long length, RingOperation operation)
    {
        if (CheckFile(file, operation) is var error and not 0) return error;
        if (offset < 0 || length <= 0 || length > long.MaxValue - offset) return -Errno.EINVAL;
        Begin(operation, PortableKind.Unsupported, file, default).Finish(-Errno.ENOTSUP);
        return 0;
    }

    private static int CheckFile(RingFile file, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        return file is PortableFile { Handle.IsClosed: false } ? 0 : -Errno.EBADF;
    }

    private static int CheckSocket(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation, out PortableSocket? target)
    {
        target = socket as PortableSocket;
        if (operation.IsPending) return -Errno.EBUSY;
        if (target is null || target.IsClosed) return -Errno.EBADF;
        return AreValid(buffers) ? 0 : -Errno.EINVAL;
    }

    private static bool AreValid(ReadOnlySpan<IoVec> buffers)
    {
        long total = 0;
        foreach (ref readonly var buffer in buffers) total += buffer.Length;
        return buffers.Length is > 0 and <= MaxVectors && total <= int.MaxValue;
    }

    private PortableOperation Begin(RingOperation operation, PortableKind kind, object? target, ReadOnlySpan<IoVec> buffers)
    {
        if (!_free.TryPop(out var pending))
        {
            pending = new PortableOperation(this, _operations.Count);
            _operations.Add(pending);
        }
        if (!pending.Cancellation.TryReset()) pending.Cancellation = new CancellationTokenSource();
        pending.Kind = kind;
        pending.Operation = operation;
        pending.Target = target;
        pending.Buffers = buffers.IsEmpty ? [] : buffers.ToArray();
        operation.HostSlot = pending.Index;
        PendingCount++;
        RingDispatch.Begin(operation);
        return pending;
    }

    private void Release(PortableOperation pending)
    {
        if (pending.Operation is { } operation) operation.HostSlot = -1;
        pending.Operation = null;
        pending.Target = null;
        pending.Buffers = [];
        PendingCount--;
        _free.Push(pending);
    }

    private void Complete(PortableOperation pending, int result)
    {
        if (pending.Target is PortableSocket socket)
        {
            if (pending.Kind == PortableKind.Receive) socket.Receiving = false;
            else socket.Sending = false;
        }
        var operation = pending.Operation!;
        Release(pending);
        RingDispatch.Complete(operation, result);
    }

    private int CompleteFinished()
    {
        // Newest first in the list; turned round, so that completions run in the order in which operations finished.
        PortableOperation? oldest = null;
        for (var newest = Interlocked.Exchange(ref _finished, null); newest is not null;)
        {
            var next = newest.Next;
            newest.Next = oldest;
            oldest = newest;
            newest = next;
        }
        var completed = 0;
        while (oldest is not null)
        {
            var next = oldest.Next;
            oldest.Next = null;
            Complete(oldest, oldest.Result);
            completed++;
            oldest = next;
        }
        return completed;
    }

    private int CompleteTimers()
    {
        var completed = 0;
        var now = Stopwatch.GetTimestamp();
        while (_timers.Count > 0 && _timers.First is var pending && pending.Due <= now)
        {
            _timers.Remove(pending);
            Complete(pending, 0);
            completed++;
        }
        return completed;
    }
}
