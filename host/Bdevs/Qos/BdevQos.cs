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

/// <summary>One queue's part of a bdev's budgets. On the queue's thread.</summary>
internal sealed class QosShare(RateBudget? ios, RateBudget? bytes, RateBudget? readBytes, RateBudget? writeBytes)
{
    private readonly RateShare _ios = ios?.AddShare() ?? RateShare.Unlimited();
    private readonly RateShare _bytes = bytes?.AddShare() ?? RateShare.Unlimited();
    private readonly RateShare _readBytes = readBytes?.AddShare() ?? RateShare.Unlimited();
    private readonly RateShare _writeBytes = writeBytes?.AddShare() ?? RateShare.Unlimited();

    /// <summary>Pays for one read or write, if it may go now.</summary>
    /// <param name="read">Else it is a write.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="waited">It had to wait before.</param>
    /// <param name="now">The reactor's time in ticks.</param>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPay(bool read, long length, bool waited, long now)
    {
        var direction = read ? _readBytes : _writeBytes;
        if (_ios.Local < 1 || _bytes.Local < length || direction.Local < length)
        {
            // What was drawn of one when another has none is kept for the next try.
            if (!_ios.Has(1, waited, now) || !_bytes.Has(length, waited, now) || !direction.Has(length, waited, now)) return false;
        }
        _ios.Local--;
        _bytes.Local -= length;
        direction.Local -= length;
        return true;
    }

    /// <summary>Nothing waits in the queue any more.</summary>
    [DataPath]
    internal void StopWaiting()
    {
        Volatile.Write(ref _ios.WaitingAt, 0);
        Volatile.Write(ref _bytes.WaitingAt, 0);
        Volatile.Write(ref _readBytes.WaitingAt, 0);
        Volatile.Write(ref _writeBytes.WaitingAt, 0);
    }

    /// <summary>Gives back what is left.</summary>
    internal void Remove()
    {
        _ios.Remove();
        _bytes.Remove();
        _readBytes.Remove();
        _writeBytes.Remove();
    }
}
