using System.Diagnostics;
using Spindle.Host.Environments;
using Spindle.Host.Reactors;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Testing;

/// <summary>A ring whose timeouts follow a <see cref="ManualClock"/>; all else is the ring's below.</summary>
internal sealed class ManualRing(IReactorRing inner, ManualClock clock) : IReactorRing
{
    private readonly List<(RingOperation Operation, long Due)> _timeouts = [];
    private readonly List<RingOperation> _cancelled = [];

    public string Kind => inner.Kind;
    public int PendingCount => inner.PendingCount + _timeouts.Count + _cancelled.Count;

    public int Poll()
    {
        int completed = inner.Poll();
        while (_cancelled.Count > 0)
        {
            var operation = _cancelled[0];
            _cancelled.RemoveAt(0);
            RingDispatch.Complete(operation, -Errno.ECANCELED);
            completed++;
        }
        long now = clock.Ticks;
        for (int i = 0; i < _timeouts.Count;)
        {
            if (_timeouts[i].Due > now)
            {
                i++;
                continue;
            }
            var operation = _timeouts[i].Operation;
            _timeouts.RemoveAt(i);
            RingDispatch.Complete(operation, 0);
            completed++;
            i = 0; // a completion may have changed the list
        }
        return completed;
    }

    public void Sleep(TimeSpan timeout)
    {
        if (_cancelled.Count > 0 || _timeouts.Exists(t => t.Due <= clock.Ticks)) return;
        inner.Sleep(timeout);
    }

    public int Timeout(TimeSpan delay, RingOperation operation)
    {
        if (operation.IsPending) return -Errno.EBUSY;
        RingDispatch.Begin(operation);
        _timeouts.Add((operation, clock.Ticks + (long)(Math.Max(0, delay.TotalSeconds) * Stopwatch.Frequency)));
        return 0;
    }

    public void Cancel(RingOperation operation)
    {
        int at = _timeouts.FindIndex(t => ReferenceEquals(t.Operation, operation));
        if (at < 0)
        {
            inner.Cancel(operation);
            return;
        }
        _timeouts.RemoveAt(at);
        _cancelled.Add(operation);
    }

    public void Wake() => inner.Wake();

    public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => inner.Read(file, buffers, offset, operation);
    public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => inner.Write(file, buffers, offset, operation);
    public int Flush(RingFile file, RingOperation operation) => inner.Flush(file, operation);
    public int Deallocate(RingFile file, long offset, long length, RingOperation operation) => inner.Deallocate(file, offset, length, operation);
    public int WriteZeroes(RingFile file, long offset, long length, RingOperation operation) => inner.WriteZeroes(file, offset, length, operation);
    public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => inner.Receive(socket, buffers, operation);
    public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => inner.Send(socket, buffers, operation);
    public int Accept(RingListener listener, AcceptOperation operation) => inner.Accept(listener, operation);
    public int Wait(RingEvent ringEvent, RingOperation operation) => inner.Wait(ringEvent, operation);

    public void Dispose()
    {
        foreach (var (operation, _) in _timeouts) RingDispatch.Complete(operation, -Errno.ECANCELED);
        _timeouts.Clear();
        inner.Dispose();
    }
}

/// <summary>An environment whose rings follow a manual clock.</summary>
internal sealed class ManualClockEnvironment(IHostEnvironment inner, ManualClock clock) : IHostEnvironment
{
    public string Name => inner.Name;
    public IReadOnlyList<int> AvailableCores => inner.AvailableCores;
    public IIoPlatform Io => inner.Io;
    public IDmaMemory Memory => inner.Memory;
    public IReadOnlyList<string> Fallbacks => inner.Fallbacks;
    public string? PinCurrentThread(int core) => inner.PinCurrentThread(core);
    public IReactorRing CreateRing() => new ManualRing(inner.CreateRing(), clock);
    public void Dispose() => inner.Dispose();
}
