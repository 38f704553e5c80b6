using System.Diagnostics;
using System.Runtime.InteropServices;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;

namespace Spindle.Host.Environments.Linux.Epoll;

/// <summary>The ring for where io_uring is refused: epoll tells which sockets and events are ready, direct file I/O goes by asynchronous I/O, other
/// file operations go to worker threads, timers are kept here. One eventfd wakes it for all that is no socket. Operations are in
/// EpollRing.Files.cs and EpollRing.Sockets.cs.</summary>
internal sealed unsafe partial class EpollRing : IReactorRing
{
    private const int EventBatch = 256;

    /// <summary>The epoll data of the notification event; no descriptor has this number.</summary>
    private const ulong NotifyData = ulong.MaxValue;

    private static readonly TimeSpan DisposePatience = TimeSpan.FromSeconds(5);

    private readonly OperationTable _table = new();
    private readonly TimerHeap<OperationSlot> _timers = new();
    private readonly MemoryFileQueue _memoryFiles;
    private readonly BlockingWorkers _workers;
    private readonly AioQueue? _aio;
    private readonly int _epollFd;
    private readonly int _notifyFd;
    private readonly byte* _events;
    private EpollWatch?[] _watches = new EpollWatch?[256];
    private OperationSlot? _tryFirst;
    private OperationSlot? _tryLast;
    private int _parked;
    private int _wakeRequested;
    private bool _disposed;

    private EpollRing(int epollFd, int notifyFd, FallbackLog fallbacks)
    {
        _epollFd = epollFd;
        _notifyFd = notifyFd;
        _events = (byte*)NativeMemory.Alloc((nuint)(EventBatch * Libc.EpollEventSize));
        _memoryFiles = new MemoryFileQueue(_table);
        _workers = new BlockingWorkers(Notify);
        _aio = AioQueue.Create(notifyFd, out var error);
        if (_aio is null)
        {
            fallbacks.Add("aio", $"Direct file I/O goes through worker threads, as the kernel refused asynchronous I/O ({Errno.Message(error)}): "
                + "raise the sysctl fs.aio-max-nr.");
        }
    }

    public string Kind => "epoll";

    public int PendingCount => _table.Count;

    /// <summary>Makes a ring for the calling thread.</summary>
    /// <exception cref="SpindleException">There are no descriptors left.</exception>
    internal static EpollRing Create(FallbackLog fallbacks)
    {
        var epollFd = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        var error = epollFd < 0 ? Libc.LastError : 0;
        var notifyFd = error == 0 ? Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK) : -1;
        if (error == 0 && notifyFd < 0) error = Libc.LastError;
        // Edge-triggered, every write shows once, so it need never be read.
        if (error == 0) error = Libc.EpollWatch(epollFd, notifyFd, Libc.EPOLLIN, NotifyData);
        if (error == 0) return new EpollRing(epollFd, notifyFd, fallbacks);
        if (epollFd >= 0) _ = Libc.close(epollFd);
        if (notifyFd >= 0) _ = Libc.close(notifyFd);
        throw new SpindleException(error, $"Cannot make an epoll ring: {Errno.Message(error)}. Raise the limit of open files (ulimit -n).");
    }

    [DataPath]
    public int Poll()
    {
        var before = _completed;
        if (_parked > 0) CollectEvents(0);
        if (_aio is { } aio)
        {
            if (aio.HasQueued) EndAll(aio.Submit());
            if (aio.HasCompletions) ReapFiles(aio);
        }
        if (_memoryFiles.HasQueued) _completed += _memoryFiles.Run();
        if (_workers.HasResults) EndAll(_workers.TakeResults());
        if (_timers.Count > 0) EndTimers();
        if (_tryFirst is not null) TryAll();
        return _completed - before;
    }

    public void Sleep(TimeSpan timeout)
    {
        if (_aio is { HasQueued: true } aio)
        {
            // What ends at once ends as if it had been tried, in the next poll.
            for (var ended = aio.Submit(); ended is not null;)
            {
                var next = ended.Next;
                ended.Argument = Ended;
                Try(ended);
                ended = next;
            }
        }
        // Each of these was made true before the notification was written, and what becomes true from here on leaves its notification to the wait.
        if (Interlocked.Exchange(ref _wakeRequested, 0) != 0) return;
        if (_tryFirst is not null || _memoryFiles.HasQueued || _workers.HasResults || _aio is { HasCompletions: true } or { HasQueued: true, InFlight: 0 }) return;
        CollectEvents(Milliseconds(timeout));
        Interlocked.Exchange(ref _wakeRequested, 0);
    }

    public void Wake()
    {
        if (Volatile.Read(ref _disposed)) return;
        if (Interlocked.Exchange(ref _wakeRequested, 1) == 0) Notify();
    }

    [DataPath]
    public void Cancel(RingOperation operation)
    {
        if (_table.TryFind(operation, out var slot)) Cancel(slot);
    }

    /// <summary>Ends what is pending, with -ECANCELED where it has not been done; then gives everything back. On the ring's thread.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        var deadline = Environment.TickCount64 + (long)DisposePatience.TotalMilliseconds;
        while (_table.Count > 0 && Environment.TickCount64 < deadline)
        {
            foreach (var slot in _table.Pending()) Cancel(slot);
            if (Poll() == 0) Sleep(TimeSpan.FromMilliseconds(5));
        }
        _workers.Dispose();
        _aio?.Dispose();
        if (_table.Count > 0) _table.Leak();
        _table.Free();
        NativeMemory.Free(_events);
        _ = Libc.close(_epollFd);
        _ = Libc.close(_notifyFd);
    }

    private void Notify()
    {
        var one = 1ul;
        _ = Libc.write(_notifyFd, &one, sizeof(ulong));
    }

    [DataPath]
    private void Cancel(OperationSlot slot)
    {
        if (slot.Cancelled) return;
        slot.Cancelled = true;
        switch (slot.Kind)
        {
            case OperationKind.Timeout:
                _timers.Remove(slot);
                slot.Result = -Errno.ECANCELED;
                slot.Argument = Ended;
                Try(slot);
                break;
            case OperationKind.Receive or OperationKind.Send or OperationKind.Accept or OperationKind.Wait when slot.Argument == Parked:
                Unpark(slot);
                Try(slot);
                break;
            // A socket operation about to be tried sees the mark then; a file operation may have begun, and ends with its result.
        }
    }

    /// <summary>What is left of a timeout until the first timer, for epoll_wait: rounded up, so that a timer is due when the wait ends.</summary>
    private int Milliseconds(TimeSpan timeout)
    {
        var wait = timeout < TimeSpan.Zero ? long.MaxValue : (timeout.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond;
        if (_timers.Count > 0)
        {
            var left = _timers.First.Due - Stopwatch.GetTimestamp();
            wait = Math.Min(wait, left <= 0 ? 0 : left * 1000 / Stopwatch.Frequency + 1);
        }
        return wait == long.MaxValue ? -1 : (int)Math.Min(wait, int.MaxValue);
    }

    [DataPath]
    private void EndTimers()
    {
        var now = Stopwatch.GetTimestamp();
        while (_timers.Count > 0 && _timers.First is var slot && slot.Due <= now)
        {
            _timers.Remove(slot);
            End(slot, 0);
        }
    }

    [DataPath]
    private void EndAll(OperationSlot? slot)
    {
        while (slot is not null)
        {
            var next = slot.Next;
            End(slot, slot.Result);
            slot = next;
        }
    }

    private int _completed;

    [DataPath]
    private void End(OperationSlot slot, int result)
    {
        _completed++;
        _table.Complete(slot, result);
    }
}
