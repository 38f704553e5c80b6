using Spindle.Bdevs;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>What came of a change to a zone.</summary>
internal enum ZoneVerdict
{
    /// <summary>It was made.</summary>
    Done,
    /// <summary>It was begun: the caller has to end it.</summary>
    Begun,
    /// <summary>What is under way in the zone has to end first.</summary>
    Busy,
    /// <summary>The zone is full.</summary>
    Full,
    /// <summary>The write is not at the write pointer.</summary>
    InvalidWrite,
    /// <summary>The write is longer than what is left of the zone.</summary>
    Boundary,
    /// <summary>There is no such way out of the zone's state.</summary>
    InvalidTransition,
}

/// <summary>The zones of one bdev, shared by all of its channels. Each is one 64-bit word, changed by compare-and-exchange, so that no thread waits for another.
/// All members on any thread.</summary>
internal sealed class ZoneTable
{
    /// <summary>Blocks of the largest zone: what the word has room for.</summary>
    public const ulong LargestCapacity = 1UL << 43;

    /// <summary>Zones that a bdev may have: 128 MiB of words.</summary>
    public const ulong MostZones = 1UL << 24;

    // A word: the state (4 bits), the writes under way (16), the blocks that were written since the last reset (44). A zone that was finished early is full,
    // and still knows how much of it was written.
    private const int StateShift = 60;
    private const int BusyShift = 44;
    private const ulong OneBusy = 1UL << BusyShift;
    private const ulong MostBusy = 0xFFFF;
    private const ulong WrittenMask = OneBusy - 1;

    // Not one of the contract's: its blocks are being deallocated.
    private const BdevZoneState Resetting = (BdevZoneState)15;

    private readonly ulong[] _words;
    private readonly int _shift;

    /// <summary>Zones that are full, as all are at first: what is on the base is there to be read, and a reset says that it may go.</summary>
    /// <param name="count">Zones.</param>
    /// <param name="capacity">Blocks of each that can be written.</param>
    /// <param name="shift">The power of two that is the zones' size in blocks.</param>
    public ZoneTable(ulong count, ulong capacity, int shift)
    {
        (Capacity, _shift) = (capacity, shift);
        _words = new ulong[count];
        Array.Fill(_words, Word(BdevZoneState.Full, capacity));
    }

    /// <summary>Zones as another table had them.</summary>
    /// <param name="states">What <see cref="States"/> gave.</param>
    /// <param name="written">What <see cref="Written"/> gave.</param>
    /// <param name="capacity">Blocks of each that can be written.</param>
    /// <param name="shift">The power of two that is the zones' size in blocks.</param>
    /// <exception cref="SpindleException">EPROTO: they do not fit together.</exception>
    public ZoneTable(byte[] states, ulong[] written, ulong capacity, int shift)
    {
        (Capacity, _shift) = (capacity, shift);
        if (states.Length != written.Length) throw new SpindleException(Errno.EPROTO, $"The state has {states.Length} zones and {written.Length} write pointers.");
        _words = new ulong[states.Length];
        for (int i = 0; i < states.Length; i++)
        {
            if (written[i] > capacity || states[i] > (byte)BdevZoneState.ExplicitlyOpen)
                throw new SpindleException(Errno.EPROTO, $"Zone {i} of the state is {states[i]} with {written[i]} blocks written of {capacity}.");
            _words[i] = Word((BdevZoneState)states[i], written[i]);
        }
    }

    /// <summary>Blocks of each zone that can be written.</summary>
    public ulong Capacity { get; }

    /// <summary>The states, while nothing is under way.</summary>
    public byte[] States() => [.. _words.Select(word => (byte)State(word))];

    /// <summary>The blocks of each that were written, while nothing is under way.</summary>
    public ulong[] Written() => [.. _words.Select(word => word & WrittenMask)];

    private static ulong Word(BdevZoneState state, ulong written) => (ulong)state << StateShift | written;

    private static BdevZoneState State(ulong word) => (BdevZoneState)(word >> StateShift);

    [DataPath]
    private ref ulong WordOf(ulong block) => ref _words[block >> _shift];

    /// <summary>The first block of the zone that a block is in.</summary>
    [DataPath]
    private ulong Start(ulong block) => block >> _shift << _shift;

    /// <summary>The first block that was not written, in the zone that a block is in.</summary>
    [DataPath]
    public ulong WrittenEnd(ulong block)
    {
        ulong word = Volatile.Read(ref WordOf(block));
        return Start(block) + (State(word) == Resetting ? 0 : word & WrittenMask);
    }

    /// <summary>Begins a write: moves the write pointer over its blocks, which are the caller's then, until <see cref="EndWrite"/>.</summary>
    /// <param name="block">Where; for an append any block of the zone.</param>
    /// <param name="blocks">Blocks.</param>
    /// <param name="append">At the write pointer, wherever it is.</param>
    /// <param name="at">The first of the blocks.</param>
    [DataPath]
    public ZoneVerdict BeginWrite(ulong block, ulong blocks, bool append, out ulong at)
    {
        ref ulong place = ref WordOf(block);
        ulong start = Start(block), word = Volatile.Read(ref place);
        while (true)
        {
            at = start + (word & WrittenMask);
            var state = State(word);
            if (state == BdevZoneState.Full) return ZoneVerdict.Full;
            if (state == Resetting || (word >> BusyShift & MostBusy) == MostBusy) return ZoneVerdict.Busy;
            if (!append && block != at) return ZoneVerdict.InvalidWrite;
            ulong left = Capacity - (word & WrittenMask);
            if (blocks > left) return ZoneVerdict.Boundary;
            if (blocks == left) state = BdevZoneState.Full;
            else if (state != BdevZoneState.ExplicitlyOpen) state = BdevZoneState.ImplicitlyOpen;
            ulong next = (word & ~(0xFUL << StateShift)) + OneBusy + blocks | (ulong)state << StateShift;
            ulong found = Interlocked.CompareExchange(ref place, next, word);
            if (found == word) return ZoneVerdict.Done;
            word = found;
        }
    }

    /// <summary>Ends a write, whatever came of it.</summary>
    /// <param name="block">One of its blocks.</param>
    [DataPath]
    public void EndWrite(ulong block) => Interlocked.Add(ref WordOf(block), unchecked(0 - OneBusy));

    /// <summary>Begins a reset. Writes under way have to end first: the next ones go to the same blocks.</summary>
    /// <param name="block">The zone's first block.</param>
    /// <returns><see cref="ZoneVerdict.Begun"/> when blocks were written; <see cref="EndReset"/> has to follow.</returns>
    [DataPath]
    public ZoneVerdict BeginReset(ulong block)
    {
        ref ulong place = ref WordOf(block);
        ulong word = Volatile.Read(ref place);
        while (true)
        {
            var state = State(word);
            if (state == BdevZoneState.Empty) return ZoneVerdict.Done;
            if (state == Resetting || (word >> BusyShift & MostBusy) != 0) return ZoneVerdict.Busy;
            bool written = (word & WrittenMask) != 0;
            ulong found = Interlocked.CompareExchange(ref place, written ? Word(Resetting, 0) : Word(BdevZoneState.Empty, 0), word);
            if (found == word) return written ? ZoneVerdict.Begun : ZoneVerdict.Done;
            word = found;
        }
    }

    /// <summary>Ends a reset: the zone is empty.</summary>
    /// <param name="block">The zone's first block.</param>
    [DataPath]
    public void EndReset(ulong block) => Volatile.Write(ref WordOf(block), Word(BdevZoneState.Empty, 0));

    /// <summary>Opens, closes or finishes a zone.</summary>
    /// <param name="block">The zone's first block.</param>
    /// <param name="action">Which of these.</param>
    [DataPath]
    public ZoneVerdict Change(ulong block, BdevZoneAction action)
    {
        ref ulong place = ref WordOf(block);
        ulong word = Volatile.Read(ref place);
        while (true)
        {
            var state = State(word);
            if (state == Resetting) return ZoneVerdict.Busy;
            var next = action switch
            {
                BdevZoneAction.Open when state != BdevZoneState.Full => BdevZoneState.ExplicitlyOpen,
                BdevZoneAction.Close when state is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen or BdevZoneState.Closed => BdevZoneState.Closed,
                BdevZoneAction.Finish => BdevZoneState.Full,
                _ => Resetting,
            };
            if (next == Resetting) return ZoneVerdict.InvalidTransition;
            ulong found = Interlocked.CompareExchange(ref place, word & ~(0xFUL << StateShift) | (ulong)next << StateShift, word);
            if (found == word) return ZoneVerdict.Done;
            word = found;
        }
    }

    /// <summary>Tells what the zone is that starts at a block.</summary>
    [DataPath]
    public BdevZoneInfo Describe(ulong start)
    {
        ulong word = Volatile.Read(ref WordOf(start));
        var state = State(word);
        ulong written = word & WrittenMask;
        if (state == Resetting) (state, written) = (BdevZoneState.Empty, 0);
        else if (state == BdevZoneState.Full) written = Capacity;
        return new BdevZoneInfo { Start = start, WritePointer = start + written, Capacity = Capacity, State = state, Type = BdevZoneType.SequentialWriteRequired };
    }
}
