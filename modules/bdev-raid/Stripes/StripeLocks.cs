namespace Spindle.Bdev.Raid.Stripes;

/// <summary>One at a time works on a stripe, on whichever thread: parity is a matter of all its strips. Nobody blocks: who comes later is in a list and is sent a message. Stripes
/// share locks, by the low bits of their numbers; an I/O has at most one, so that none waits in a circle.</summary>
internal sealed class StripeLocks
{
    private const int Count = 1024;

    /// <summary>In a lock: it is held, and nobody has come since its holder last looked.</summary>
    private static readonly StripeTurn Held = new(null!);

    private readonly StripeTurn?[] _locks = new StripeTurn?[Count];

    /// <summary>Takes a lock, or stands in line for it: then <see cref="StripeIo.Entered"/> is called on the I/O's thread.</summary>
    /// <returns>True: it is taken.</returns>
    [DataPath]
    internal bool TryEnter(ulong stripe, StripeTurn turn)
    {
        ref var here = ref _locks[stripe % Count];
        while (true)
        {
            var seen = Volatile.Read(ref here);
            if (seen is null)
            {
                if (Interlocked.CompareExchange(ref here, Held, null) is null) return true;
                continue;
            }
            turn.Next = seen;
            if (Interlocked.CompareExchange(ref here, turn, seen) == seen) return false;
        }
    }

    /// <summary>Gives a lock to who came first, or to nobody.</summary>
    [DataPath]
    internal void Leave(ulong stripe, StripeTurn turn)
    {
        ref var here = ref _locks[stripe % Count];
        var next = turn.Behind;
        turn.Behind = null;
        if (next is null)
        {
            if (Interlocked.CompareExchange(ref here, null, Held) == Held) return;
            // Those who came meanwhile, the last one first: turned round.
            var latest = Interlocked.Exchange(ref here, Held);
            while (latest != Held)
            {
                var earlier = latest!.Next;
                latest.Next = next;
                next = latest;
                latest = earlier;
            }
        }
        next!.Behind = next.Next;
        next.Next = null;
        next.Io.SendEntered();
    }
}

/// <summary>One I/O's place in the line for a stripe.</summary>
internal sealed class StripeTurn(StripeIo io)
{
    /// <summary>Whose.</summary>
    internal StripeIo Io => io;

    /// <summary>While it waits: who came before, in the lock; or who comes after, in the holder's line.</summary>
    internal StripeTurn? Next;

    /// <summary>While it holds the lock: who is next.</summary>
    internal StripeTurn? Behind;
}
