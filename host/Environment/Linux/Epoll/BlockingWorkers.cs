using Spindle.Host.Environments.Linux.Interop;

namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>A ring's own threads for file operations that would block: buffered I/O, fdatasync, fallocate. Jobs go to them through a short
/// locked list (this is the fallback's slow path), results come back through a lock-free one.</summary>
/// <param name="notify">Told, on a worker, that a result is there.</param>
internal sealed unsafe class BlockingWorkers(Action notify) : IDisposable
{
    private const int MaxThreads = 4;

    private readonly object _gate = new();
    private readonly Thread[] _threads = new Thread[MaxThreads];
    private OperationSlot? _first;
    private OperationSlot? _last;
    private OperationSlot? _results;
    private int _started;
    private bool _stopping;

    /// <summary>True when there are results.</summary>
    internal bool HasResults => Volatile.Read(ref _results) is not null;

#pragma warning disable SPDL011 // What these threads do takes a system call that blocks; the hand-over costs little beside it, and nobody holds the lock for longer than this.
    [DataPath]
    internal void Add(OperationSlot slot)
    {
        slot.Next = null;
        lock (_gate)
        {
            if (_last is null) _first = slot;
            else _last.Next = slot;
            _last = slot;
            // All at once, at the first job: a thread that starts later would allocate in the middle of the work.
            while (_started < MaxThreads) StartThread();
            Monitor.Pulse(_gate);
        }
    }
#pragma warning restore SPDL011

    /// <summary>Takes all results, linked, oldest first.</summary>
    [DataPath]
    internal OperationSlot? TakeResults()
    {
        var newest = Interlocked.Exchange(ref _results, null);
        OperationSlot? oldest = null;
        while (newest is not null)
        {
            var next = newest.Next;
            newest.Next = oldest;
            oldest = newest;
            newest = next;
        }
        return oldest;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        for (var i = 0; i < _started; i++) _threads[i].Join(TimeSpan.FromSeconds(1));
    }

    private void StartThread()
    {
        var thread = new Thread(Work, 256 << 10) { IsBackground = true, Name = $"ring file worker {_started}" };
        _threads[_started++] = thread;
        thread.Start();
    }

    private void Work()
    {
        while (Take() is { } slot)
        {
            slot.Result = Volatile.Read(ref slot.Cancelled) ? -Errno.ECANCELED : Execute(slot);
            Publish(slot);
            notify();
        }
    }

    private OperationSlot? Take()
    {
        lock (_gate)
        {
            while (_first is null)
            {
                if (_stopping) return null;
                Monitor.Wait(_gate);
            }
            var slot = _first;
            _first = slot.Next;
            if (_first is null) _last = null;
            return slot;
        }
    }

    private void Publish(OperationSlot slot)
    {
        // The exchange releases the result written before it; the taker's exchange acquires it.
        var head = Volatile.Read(ref _results);
        while (true)
        {
            slot.Next = head;
            var seen = Interlocked.CompareExchange(ref _results, slot, head);
            if (ReferenceEquals(seen, head)) return;
            head = seen;
        }
    }

    private static int Execute(OperationSlot slot)
    {
        while (true)
        {
            var result = slot.Kind switch
            {
                OperationKind.Read => (int)Libc.preadv(slot.Fd, slot.Vectors, slot.VectorCount, slot.Offset),
                OperationKind.Write => (int)Libc.pwritev(slot.Fd, slot.Vectors, slot.VectorCount, slot.Offset),
                OperationKind.Flush => Libc.fdatasync(slot.Fd),
                _ => Libc.fallocate(slot.Fd, slot.Argument, slot.Offset, slot.Length),
            };
            if (result >= 0) return result;
            var error = Libc.LastError;
            if (error != Errno.EINTR) return -error;
        }
    }
}
