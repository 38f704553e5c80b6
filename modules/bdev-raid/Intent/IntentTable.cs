namespace Spindle.Bdev.Raid.Intent;

/// <summary>What is known of each region, one word for each, that all threads change by atomic operations.</summary>
internal sealed class IntentTable(IntentGeometry geometry)
{
    /// <summary>The bit is set on the members.</summary>
    private const int Marked = 1 << 30;
    /// <summary>What is redundant may not fit the data.</summary>
    private const int Doubt = 1 << 29;
    /// <summary>Somebody waits for <see cref="Marked"/>.</summary>
    private const int Wanted = 1 << 28;
    /// <summary>It was written since the last look.</summary>
    private const int Touched = 1 << 27;
    /// <summary>Below: writes under way.</summary>
    private const int Writes = Touched - 1;

    private readonly int[] _words = new int[geometry.Capacity];

    /// <summary>Regions.</summary>
    internal int Count => geometry.RegionCount;

    /// <summary>A write begins.</summary>
    /// <returns>False: the region has to be marked first, which is noted.</returns>
    [DataPath]
    internal bool TryBegin(int region)
    {
        ref int word = ref _words[region];
        while (true)
        {
            int seen = Volatile.Read(ref word);
            bool isMarked = (seen & Marked) != 0;
            int next = isMarked ? seen + 1 | Touched : seen | Wanted;
            if (next == seen || Interlocked.CompareExchange(ref word, next, seen) == seen) return isMarked;
        }
    }

    /// <summary>It has ended.</summary>
    [DataPath]
    internal void End(int region) => Interlocked.Decrement(ref _words[region]);

    /// <summary>Notes that what is redundant may not fit.</summary>
    [DataPath]
    internal void SetDoubt(int region) => Interlocked.Or(ref _words[region], Doubt);

    internal void ClearDoubt(int region) => Interlocked.And(ref _words[region], ~Doubt);

    [DataPath]
    internal bool IsInDoubt(int region) => (Volatile.Read(ref _words[region]) & Doubt) != 0;

    internal bool IsWanted(int region) => (Volatile.Read(ref _words[region]) & Wanted) != 0;

    internal bool IsMarked(int region) => (Volatile.Read(ref _words[region]) & Marked) != 0;

    /// <summary>The bit is on the members.</summary>
    internal void SetMarked(int region)
    {
        ref int word = ref _words[region];
        int seen;
        do seen = Volatile.Read(ref word);
        while (Interlocked.CompareExchange(ref word, seen & ~Wanted | Marked, seen) != seen);
    }

    /// <summary>Whether nothing was written since this was last asked. It counts anew from here.</summary>
    internal bool IsIdle(int region)
    {
        ref int word = ref _words[region];
        if (Volatile.Read(ref word) == Marked) return true;
        Interlocked.And(ref word, ~Touched);
        return false;
    }

    /// <summary>Takes the mark away if nothing has come meanwhile.</summary>
    internal bool TryUnmark(int region) => Interlocked.CompareExchange(ref _words[region], 0, Marked) == Marked;
}
