using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Spindle.Host.Bdevs.Qos;

/// <summary>What one limit allows all threads together: tokens (I/Os or bytes) that come with time. Threads draw them in batches by compare-and-swap,
/// never by a lock; a thread that is ahead of one that waits lets that one draw first.</summary>
/// <remarks>Fairness is start-time fair queueing: each thread's share has a virtual time, which grows by what it draws divided by the rate. A share may
/// draw unless it is ahead of a waiting one by more than <see cref="s_lead"/>. One that has nothing to do gathers no credit beyond that, and one
/// that has not been seen waiting for <see cref="s_stale"/> (its reactor hangs) is not waited for.</remarks>
internal sealed class RateBudget
{
    /// <summary>How often queues look whether what waits may go; the budget of this time may be used at once.</summary>
    internal static readonly TimeSpan Timeslice = TimeSpan.FromMilliseconds(1);

    private static readonly long s_lead = Stopwatch.Frequency / 250;
    private static readonly long s_stale = Stopwatch.Frequency / 50;

    private readonly double _perTick;
    private readonly long _perSlice;
    // While I/O waits no time is lost by a late look; but after a long standstill there must not be an endless burst.
    private readonly long _mostWhileWaiting;
    private readonly Lock _shareLock = new();
    private volatile RateShare[] _shares = [];
    private Tokens _tokens;

    // All threads write it: alone in its cache line.
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Tokens
    {
        [FieldOffset(64)] public long Available;
        [FieldOffset(72)] public long FilledAt;
        [FieldOffset(80)] public long Virtual;
    }

    /// <param name="perSecond">Tokens per second, above 0.</param>
    /// <param name="now">The reactors' time in ticks.</param>
    internal RateBudget(ulong perSecond, long now)
    {
        perSecond = Math.Min(perSecond, 1UL << 60); // an exabyte per second is no limit, and sums cannot overflow
        _perTick = perSecond / (double)Stopwatch.Frequency;
        _perSlice = (long)Math.Max(1, perSecond / 1000);
        _mostWhileWaiting = (long)Math.Max(1, perSecond / 10);
        _tokens.Available = _perSlice;
        _tokens.FilledAt = now;
    }

    /// <summary>Tokens there are now; below 0 when the last I/O was larger than what there was.</summary>
    internal long Available => Volatile.Read(ref _tokens.Available);

    /// <summary>A share for one more thread. On any thread.</summary>
    internal RateShare AddShare()
    {
        var share = new RateShare();
        lock (_shareLock) _shares = [.. _shares, share];
        return share;
    }

    /// <summary>The thread uses its share no more: what it has left is anybody's. On the share's thread.</summary>
    internal void RemoveShare(RateShare share, long left)
    {
        lock (_shareLock) _shares = [.. _shares.Where(s => !ReferenceEquals(s, share))];
        Interlocked.Add(ref _tokens.Available, left);
        Volatile.Write(ref share.WaitingAt, 0);
    }

    /// <summary>Draws tokens for a share: what it needs and a batch for what comes next. On the share's thread.</summary>
    /// <param name="share">Whose.</param>
    /// <param name="need">At least as many; more than there are are lent, so that an I/O of any size gets through.</param>
    /// <param name="waited">It is for an I/O that had to wait, for this limit or another.</param>
    /// <param name="now">The reactors' time in ticks.</param>
    /// <returns>What was drawn; 0 when there are none, or others come first: the share then counts as waiting.</returns>
    [DataPath]
    internal long Draw(RateShare share, long need, bool waited, long now)
    {
        long current = Volatile.Read(ref _tokens.Virtual);
        long mine = Math.Max(share.Virtual, current - s_lead);
        bool waiting = waited || share.WaitingAt != 0;
        var shares = _shares;
        foreach (var other in shares)
        {
            if (ReferenceEquals(other, share)) continue;
            long at = Volatile.Read(ref other.WaitingAt);
            if (at == 0 || now - at > s_stale) continue;
            waiting = true;
            if (mine <= Math.Max(Volatile.Read(ref other.Virtual), current - s_lead) + s_lead) continue;
            Volatile.Write(ref share.WaitingAt, now);
            return 0;
        }
        long drawn = Take(need, need + _perSlice / (4 * shares.Length), now, waiting);
        if (drawn == 0)
        {
            Volatile.Write(ref share.WaitingAt, now);
            return 0;
        }
        Volatile.Write(ref share.Virtual, mine + (long)(drawn / _perTick));
        if (mine > current) Volatile.Write(ref _tokens.Virtual, mine); // a race loses nothing but a little exactness
        Volatile.Write(ref share.WaitingAt, 0);
        return drawn;
    }

    [DataPath]
    private long Take(long need, long want, long now, bool waiting)
    {
        if (Volatile.Read(ref _tokens.Available) < want) Fill(now, waiting ? _mostWhileWaiting : _perSlice);
        while (true)
        {
            long available = Volatile.Read(ref _tokens.Available);
            if (available <= 0) return 0;
            long take = Math.Max(need, Math.Min(want, available));
            if (Interlocked.CompareExchange(ref _tokens.Available, available - take, available) == available) return take;
        }
    }

    /// <summary>Adds what came with the time since the last filling, up to a most. Of the threads that try at once, one does it.</summary>
    [DataPath]
    private void Fill(long now, long most)
    {
        long at = Volatile.Read(ref _tokens.FilledAt);
        if (now <= at) return;
        double tokens = (now - at) * _perTick;
        if (tokens < 1) return;
        long came = most, until = now;
        if (tokens < most)
        {
            // The part of a token that is left over is not lost: its time is counted again.
            came = (long)tokens;
            until = Math.Min(now, at + (long)Math.Ceiling(came / _perTick));
        }
        if (Interlocked.CompareExchange(ref _tokens.FilledAt, until, at) != at) return;
        while (true)
        {
            long available = Volatile.Read(ref _tokens.Available);
            if (Interlocked.CompareExchange(ref _tokens.Available, Math.Min(available + came, most), available) == available) return;
        }
    }
}

/// <summary>One thread's part of a budget, as the others see it: how far it is, and whether it waits.</summary>
internal sealed class RateShare
{
    /// <summary>How much the share has drawn, as time at the budget's rate.</summary>
    internal long Virtual;

    /// <summary>When it last asked for tokens and got none, while it has not got any since; 0 else.</summary>
    internal long WaitingAt;
}
