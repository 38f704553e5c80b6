using System.Runtime.CompilerServices;

namespace Spindle.Host.Bdevs.Qos;

/// <summary>The budgets of one bdev's limits, which all its queues draw from. Another one takes its place when the limits change.</summary>
internal sealed class BdevQos
{
    private readonly RateBudget? _ios;
    private readonly RateBudget? _bytes;
    private readonly RateBudget? _readBytes;
    private readonly RateBudget? _writeBytes;

    private BdevQos(BdevRateLimits limits, long now)
    {
        RateBudget? Make(ulong rate, int shift) => rate == 0 ? null : new RateBudget(rate << shift, now);
        _ios = Make(limits.ReadWriteIosPerSecond, 0);
        _bytes = Make(limits.ReadWriteMegabytesPerSecond, 20);
        _readBytes = Make(limits.ReadMegabytesPerSecond, 20);
        _writeBytes = Make(limits.WriteMegabytesPerSecond, 20);
    }

    /// <summary>The budgets of limits; null where there are none.</summary>
    internal static BdevQos? Of(BdevRateLimits limits, long now) => limits == BdevRateLimits.None ? null : new BdevQos(limits, now);

    /// <summary>What one queue may use. On any thread.</summary>
    internal QosShare AddShare() => new(_ios, _bytes, _readBytes, _writeBytes);
}

/// <summary>One queue's part of a bdev's budgets: the tokens it has drawn and not used. On the queue's thread.</summary>
internal sealed class QosShare
{
    private readonly Part? _iosPart;
    private readonly Part? _bytesPart;
    private readonly Part? _readBytesPart;
    private readonly Part? _writeBytesPart;
    // Side by side, and as many as there can be where there is no limit: an I/O looks at nothing else.
    private long _ios;
    private long _bytes;
    private long _readBytes;
    private long _writeBytes;

    internal QosShare(RateBudget? ios, RateBudget? bytes, RateBudget? readBytes, RateBudget? writeBytes)
    {
        (_iosPart, _ios) = Take(ios);
        (_bytesPart, _bytes) = Take(bytes);
        (_readBytesPart, _readBytes) = Take(readBytes);
        (_writeBytesPart, _writeBytes) = Take(writeBytes);
    }

    private static (Part?, long) Take(RateBudget? budget) => budget is null ? (null, long.MaxValue) : (new Part(budget, budget.AddShare()), 0);

    private sealed record Part(RateBudget Budget, RateShare Share);

    /// <summary>I/O waits in the queue, and new I/O waits behind it. The queue's to say.</summary>
    internal bool SomethingWaits;

    /// <summary>Pays for a read by tokens that are there.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPayRead(long length)
    {
        if (_ios < 1 || _bytes < length || _readBytes < length) return false;
        _ios--;
        _bytes -= length;
        _readBytes -= length;
        return true;
    }

    /// <summary>Pays for a write by tokens that are there.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPayWrite(long length)
    {
        if (_ios < 1 || _bytes < length || _writeBytes < length) return false;
        _ios--;
        _bytes -= length;
        _writeBytes -= length;
        return true;
    }

    /// <summary>Pays for one read or write, if it may go now, by tokens that it draws where they are not enough.</summary>
    /// <param name="read">Else it is a write.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="waited">It had to wait before.</param>
    /// <param name="now">The reactor's time in ticks.</param>
    [DataPath]
    internal bool TryPay(bool read, long length, bool waited, long now)
    {
        // What was drawn of one when another has none is kept for the next try.
        if (!Has(_iosPart, ref _ios, 1, waited, now) || !Has(_bytesPart, ref _bytes, length, waited, now)) return false;
        return read
            ? Has(_readBytesPart, ref _readBytes, length, waited, now) && TryPayRead(length)
            : Has(_writeBytesPart, ref _writeBytes, length, waited, now) && TryPayWrite(length);
    }

    [DataPath]
    private static bool Has(Part? part, ref long tokens, long need, bool waited, long now)
    {
        if (tokens >= need) return true;
        tokens += part!.Budget.Draw(part.Share, need - tokens, waited, now);
        return tokens >= need;
    }

    /// <summary>Nothing waits in the queue any more.</summary>
    [DataPath]
    internal void StopWaiting()
    {
        Stop(_iosPart);
        Stop(_bytesPart);
        Stop(_readBytesPart);
        Stop(_writeBytesPart);
    }

    [DataPath]
    private static void Stop(Part? part)
    {
        if (part is not null) Volatile.Write(ref part.Share.WaitingAt, 0);
    }

    /// <summary>Gives back what is left.</summary>
    internal void Remove()
    {
        _iosPart?.Budget.RemoveShare(_iosPart.Share, _ios);
        _bytesPart?.Budget.RemoveShare(_bytesPart.Share, _bytes);
        _readBytesPart?.Budget.RemoveShare(_readBytesPart.Share, _readBytes);
        _writeBytesPart?.Budget.RemoveShare(_writeBytesPart.Share, _writeBytes);
    }
}
