using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Spindle.Host.Faults;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>Many producers, one consumer: a bounded ring of messages, with an overflow queue behind it so that sending never fails or blocks.</summary>
/// <remarks>How it works. (1) A producer claims a position by a compare-and-swap on the tail. (2) It writes the slot, then releases it by
/// storing position + 1 into the slot's sequence. (3) The consumer takes a slot when its sequence is head + 1, clears it, and hands it to the
/// next lap by storing head + capacity. (4) A producer that finds the ring full, or the overflow in use, appends to the overflow; the
/// overflow counts as in use until the consumer has run what it took from it, which keeps each producer's messages in order.</remarks>
internal sealed class Mailbox
{
    private struct Slot
    {
        public long Sequence;
        public StorageMessage? Message;
        public object? State;
    }

    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Positions
    {
        [FieldOffset(0)] public long Head;
        [FieldOffset(64)] public long Tail;
        [FieldOffset(128)] public int OverflowInUse;
    }

    private readonly Slot[] _slots;
    private readonly int _mask;
    private Positions _at;
    private readonly ConcurrentQueue<(StorageMessage, object?)> _overflow = new();
    private (StorageMessage, object?)[] _taken = new (StorageMessage, object?)[16];

    /// <param name="capacity">A power of two.</param>
    public Mailbox(int capacity)
    {
        _slots = new Slot[capacity];
        _mask = capacity - 1;
        for (int i = 0; i < capacity; i++) _slots[i].Sequence = i;
    }

    /// <summary>Messages that did not fit the ring, ever.</summary>
    public long OverflowCount;

    /// <summary>Consumer: whether there is nothing to take. A message whose producer is between (1) and (2) may be missed; its producer wakes the consumer after (2).</summary>
    public bool IsEmpty => Volatile.Read(ref _slots[(int)(_at.Head & _mask)].Sequence) != _at.Head + 1 && Volatile.Read(ref _at.OverflowInUse) == 0;

    /// <summary>Any thread.</summary>
    [DataPath]
    public void Enqueue(StorageMessage message, object? state)
    {
        if (Volatile.Read(ref _at.OverflowInUse) == 0)
        {
            long tail = Volatile.Read(ref _at.Tail);
            while (true)
            {
                ref var slot = ref _slots[(int)(tail & _mask)];
                long lap = Volatile.Read(ref slot.Sequence) - tail;
                if (lap == 0)
                {
                    long seen = Interlocked.CompareExchange(ref _at.Tail, tail + 1, tail);
                    if (seen == tail)
                    {
                        slot.Message = message;
                        slot.State = state;
                        Volatile.Write(ref slot.Sequence, tail + 1);
                        return;
                    }
                    tail = seen;
                }
                else if (lap < 0)
                {
                    break;
                }
                else
                {
                    tail = Volatile.Read(ref _at.Tail);
                }
            }
        }
        Interlocked.Increment(ref _at.OverflowInUse);
        Interlocked.Increment(ref OverflowCount);
        _overflow.Enqueue((message, state));
    }

    /// <summary>Consumer: runs up to <paramref name="max"/> messages of the ring, and all of the overflow if it is in use.</summary>
    /// <returns>How many ran.</returns>
    [DataPath]
    public int Run(int max, Action<Exception> fault)
    {
        int count = Volatile.Read(ref _at.OverflowInUse) == 0 ? RunRing(max, fault) : RunWithOverflow(fault);
        return count;
    }

    private int RunRing(int max, Action<Exception> fault)
    {
        int count = 0;
        while (count < max)
        {
            ref var slot = ref _slots[(int)(_at.Head & _mask)];
            if (Volatile.Read(ref slot.Sequence) != _at.Head + 1) break;
            var message = slot.Message!;
            object? state = slot.State;
            slot.Message = null;
            slot.State = null;
            Volatile.Write(ref slot.Sequence, _at.Head + _slots.Length);
            _at.Head++;
            count++;
            Invoke(message, state, fault);
        }
        return count;
    }

    private int RunWithOverflow(Action<Exception> fault)
    {
        // What a producer put into the ring before its first overflowing message must run before that message: take the overflow first, then
        // drain the ring as far as it reached at that moment, then run what was taken.
        int taken = 0;
        while (taken < 65536 && _overflow.TryDequeue(out var item))
        {
            if (taken == _taken.Length) Array.Resize(ref _taken, taken * 2);
            _taken[taken++] = item;
        }
        long until = Volatile.Read(ref _at.Tail);
        int count = 0;
        while (_at.Head < until)
        {
            int ran = RunRing((int)Math.Min(until - _at.Head, int.MaxValue), fault);
            count += ran;
            if (ran == 0) Thread.SpinWait(8); // a producer is between claiming and releasing its slot
        }
        for (int i = 0; i < taken; i++)
        {
            var (message, state) = _taken[i];
            _taken[i] = default;
            Invoke(message, state, fault);
        }
        if (taken > 0) Interlocked.Add(ref _at.OverflowInUse, -taken);
        return count + taken;
    }

    /// <summary>The message that runs now and its state, for the watchdog; null in between, since a kept one would keep its plugin's code.</summary>
    internal StorageMessage? Running;
    internal object? RunningState;

    /// <summary>Set while the reactor measures who allocates.</summary>
    internal AllocationMeter? Meter;

    private void Invoke(StorageMessage message, object? state, Action<Exception> fault)
    {
        Running = message;
        RunningState = state;
        Meter?.Switch(Breadcrumbs.OfMessages(CodeOwner.Of(message) ?? CodeOwner.Of(state) ?? ""));
        try
        {
            message(state);
        }
        catch (Exception exception)
        {
            fault(exception);
        }
        Running = null;
        RunningState = null;
        Meter?.Switch(0);
    }
}
