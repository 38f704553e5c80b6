using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Host.Bdevs.Qos;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <content>Limits as one queue sees them: reads and writes that the budgets do not allow yet wait here, each direction in the order in which they came.</content>
internal sealed unsafe partial class BdevQueue
{
    private BdevQos? _budgets;
    private QosShare? _qos; // null: there are no limits, and this is all that an I/O notices of it
    private IPoller? _qosPoller;
    private LimitedIos _limited;
    private long _arrivals;

    private struct LimitedIos
    {
        internal IoList Reads;
        internal IoList Writes;

        internal readonly bool Any => Reads.Head is not null || Writes.Head is not null;

        internal struct IoList
        {
            internal BdevIo? Head;
            internal BdevIo? Tail;
        }
    }

    private static bool IsLimited(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.ZoneAppend;

    /// <summary>The usual case: nothing waits, and the share's tokens are enough.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool MayGoAtOnce(BdevIo io)
    {
        var qos = _qos!;
        if (qos.SomethingWaits) return false;
        if (io.Type == BdevIoType.Read) return qos.TryPayRead(Length(io));
        return io.Type == BdevIoType.Write && qos.TryPayWrite(Length(io));
    }

    /// <summary>Whether an I/O may go to the module now; else it waits here.</summary>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private bool MayGo(BdevIo io)
    {
        if (!IsLimited(io.Type)) return true;
        if (!_limited.Any && _qos!.TryPay(io.Type == BdevIoType.Read, Length(io), waited: false, Thread.Now)) return true;
        bool first = !_limited.Any;
        ref var list = ref io.Type == BdevIoType.Read ? ref _limited.Reads : ref _limited.Writes;
        io.HostFlags = Queued;
        io.SubmitTicks = ++_arrivals; // until it is submitted
        io.Next = null;
        if (list.Tail is null) list.Head = io;
        else list.Tail.Next = io;
        list.Tail = io;
        _qos!.SomethingWaits = true;
        // A read need not wait for a write that only the writes' limit holds, nor the other way round.
        if (!first) ReleaseLimited();
        return false;
    }

    /// <summary>Whether a read in place may be; it is paid for then.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool MayLend(ulong blocks) => _qos is null || _qos.TryPayRead(Length(blocks)) || _qos.TryPay(true, Length(blocks), waited: false, Thread.Now);

    /// <summary>Bytes as the submitter sees them: without the metadata that is hidden from it.</summary>
    [DataPath]
    private long Length(BdevIo io) => io.CallbackState is BdevProtectedPiece { HidesMetadata: true } ? (long)(io.NumBlocks * Limits.Protection!.DataSize) : Length(io.NumBlocks);

    [DataPath]
    private long Length(ulong blocks) => (long)(blocks * Bdev.BlockSize);

    private static PollResult PollLimited(object? state) => ((BdevQueue)state!).ReleaseLimited() ? PollResult.Busy : PollResult.Idle;

    /// <summary>Submits what the limits allow by now, the older of both directions first.</summary>
    [DataPath]
    private bool ReleaseLimited()
    {
        bool any = false, readsWait = false, writesWait = false;
        while (_holds == 0 && _pendingHead is null && _qos is not null)
        {
            var read = readsWait ? null : _limited.Reads.Head;
            var write = writesWait ? null : _limited.Writes.Head;
            bool isRead = read is not null && (write is null || read.SubmitTicks < write.SubmitTicks);
            var io = isRead ? read : write;
            if (io is null) break;
            bool locked = RangeLocked && IsLocked(io);
            if (!locked && !_qos.TryPay(isRead, Length(io), waited: true, Thread.Now))
            {
                if (isRead) readsWait = true;
                else writesWait = true;
                continue;
            }
            TakeLimited(isRead);
            any = true;
            if (locked) EnqueueLocked(io);
            else Submit(io);
        }
        if (any && !_limited.Any) _qos?.StopWaiting();
        return any;
    }

    [DataPath]
    private BdevIo? TakeLimited(bool read)
    {
        ref var list = ref read ? ref _limited.Reads : ref _limited.Writes;
        var io = list.Head;
        if (io is null) return null;
        list.Head = io.Next;
        if (list.Head is null) list.Tail = null;
        io.Next = null;
        if (_qos is not null) _qos.SomethingWaits = _limited.Any;
        return io;
    }

    /// <summary>Draws from other budgets from now on; null: none. What waits is looked at anew. On the queue's thread.</summary>
    internal void SetQos(BdevQos? budgets)
    {
        if (ReferenceEquals(_budgets, budgets)) return;
        _budgets = budgets;
        _qos?.Remove();
        _qos = budgets?.AddShare();
        if (_qos is not null) _qos.SomethingWaits = _limited.Any;
        if (budgets is null)
        {
            _qosPoller?.Unregister();
            _qosPoller = null;
            while (_limited.Any) Dispatch(TakeOldestLimited());
            return;
        }
        _qosPoller ??= Thread.RegisterPoller($"limits of bdev '{Bdev.Name}'", PollLimited, this, RateBudget.Timeslice, PollerWake.Events);
        ReleaseLimited();
    }

    private BdevIo TakeOldestLimited()
    {
        bool read = _limited.Reads.Head is { } r && (_limited.Writes.Head is not { } w || r.SubmitTicks < w.SubmitTicks);
        return TakeLimited(read)!;
    }

    /// <summary>Ends what waits for the limits with a status.</summary>
    private void FailLimited(BdevIoStatus status)
    {
        while (_limited.Any)
        {
            var io = TakeOldestLimited();
            io.Result = BdevIoResult.Of(status);
            Defer(io);
        }
        _qos?.StopWaiting();
    }
}
