using Spindle.Bdevs;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>One storage thread's delayed I/Os: a queue for each kind of latency, in the order in which the base completed them, and the poller that lets them go.</summary>
/// <remarks>As in SPDK a queue is first in, first out: after a latency was lowered, new I/O waits behind what was delayed by the higher one.</remarks>
internal sealed class DelayChannel : VirtualChannel
{
    private readonly DelayIo?[] _first = new DelayIo?[4];
    private readonly DelayIo?[] _last = new DelayIo?[4];
    private readonly IPoller _poller;
    private readonly IStorageThread _thread;
    private readonly DelayLatencies _latencies;
    private uint _random = (uint)Random.Shared.Next(1, int.MaxValue);
    private int _count;

    public DelayChannel(IBdevChannel lower, IStorageThread thread, DelayLatencies latencies) : base(lower, 0)
    {
        _thread = thread;
        _latencies = latencies;
        // Paused while nothing is delayed, so that an idle reactor may sleep.
        _poller = thread.RegisterPoller("bdev_delay", static channel => ((DelayChannel)channel!).Poll(), this);
        _poller.Pause();
    }

    /// <summary>Picks the latency of one I/O: one in a hundred gets that of the 99th percentile.</summary>
    [DataPath]
    public DelayKind Pick(DelayKind average)
    {
        // Xorshift (Marsaglia, 2003); any even distribution does.
        _random ^= _random << 13;
        _random ^= _random >> 17;
        _random ^= _random << 5;
        return _random % 100 == 0 ? average + 1 : average;
    }

    /// <summary>Delays an I/O that the base has done.</summary>
    /// <returns>False when it is to complete at once.</returns>
    [DataPath]
    public bool Delay(DelayIo io, DelayKind kind)
    {
        long ticks = _latencies.Ticks(kind);
        if (ticks == 0 && _first[(int)kind] is null) return false;
        io.Deadline = _thread.Now + ticks;
        io.Next = null;
        io.Previous = _last[(int)kind];
        if (io.Previous is null) _first[(int)kind] = io;
        else io.Previous.Next = io;
        _last[(int)kind] = io;
        if (_count++ == 0) _poller.Resume();
        return true;
    }

    /// <summary>Takes a delayed I/O out of its queue.</summary>
    [DataPath]
    public void Remove(DelayIo io, DelayKind kind)
    {
        if (io.Previous is null) _first[(int)kind] = io.Next;
        else io.Previous.Next = io.Next;
        if (io.Next is null) _last[(int)kind] = io.Previous;
        else io.Next.Previous = io.Previous;
        io.Next = io.Previous = null;
        if (--_count == 0) _poller.Pause();
    }

    [DataPath]
    private PollResult Poll()
    {
        long now = _thread.Now;
        var result = PollResult.Idle;
        for (int kind = 0; kind < _first.Length; kind++)
        {
            while (_first[kind] is { } io && io.Deadline <= now)
            {
                io.End();
                result = PollResult.Busy;
            }
        }
        return result;
    }

    /// <summary>Ends all delayed I/Os: as aborted, or as the base did. On the channel's thread.</summary>
    public int EndAll(bool aborted)
    {
        for (int kind = 0; kind < _first.Length; kind++)
        {
            while (_first[kind] is { } io)
            {
                if (aborted) io.AbortNow();
                else io.End();
            }
        }
        return 0;
    }

    /// <inheritdoc/>
    protected override void Destroy()
    {
        _poller.Unregister();
        base.Destroy();
    }
}
