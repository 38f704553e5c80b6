using Spindle.Bdevs;

namespace Spindle.Bdev.Error;

/// <summary>What is done to an I/O.</summary>
public enum ErrorKind : byte
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>It fails and never reaches the base.</summary>
    Failure,
    /// <summary>It is held until a reset, an abort or the bdev's removal ends it.</summary>
    Pending,
    /// <summary>A byte of its data is changed on the way.</summary>
    CorruptData,
    /// <summary>It is refused for lack of memory, which the host answers by submitting it again.</summary>
    NoMemory,
}

/// <summary>One injection: what is to be done to the next I/Os of a type.</summary>
/// <param name="Kind">What.</param>
/// <param name="Count">To how many.</param>
/// <param name="QueueDepth">Only while the thread has so many I/Os at the base.</param>
/// <param name="CorruptOffset">For <see cref="ErrorKind.CorruptData"/>: byte of the I/O's data.</param>
/// <param name="CorruptValue">For <see cref="ErrorKind.CorruptData"/>: what the byte is xored with.</param>
/// <param name="Range">Only I/O that touches one of these blocks.</param>
public sealed record ErrorInjection(ErrorKind Kind, long Count, ulong QueueDepth, ulong CorruptOffset, byte CorruptValue, BlockRange Range)
{
    /// <summary>A <see cref="Count"/> without end.</summary>
    public const long Always = long.MaxValue;

    private long _left = Count;

    /// <summary>How many I/Os it will still hit.</summary>
    public long Left => Volatile.Read(ref _left);

    /// <summary>Takes one of the hits. On any thread.</summary>
    /// <returns>False when there is none left.</returns>
    [DataPath]
    public bool TryTake()
    {
        while (true)
        {
            long left = Volatile.Read(ref _left);
            if (left == 0) return false;
            if (left == Always) return true;
            if (Interlocked.CompareExchange(ref _left, left - 1, left) == left) return true;
        }
    }
}

/// <summary>Blocks that an injection is for.</summary>
/// <param name="Offset">The first block.</param>
/// <param name="Count">How many; as many as there are when they reach beyond the last number.</param>
public readonly record struct BlockRange(ulong Offset, ulong Count)
{
    /// <summary>All blocks.</summary>
    public static BlockRange All => new(0, ulong.MaxValue);

    /// <summary>Whether it has one of the blocks.</summary>
    [DataPath]
    public bool Touches(ulong offset, ulong count) =>
        offset < Offset ? Offset - offset < count : offset - Offset < Count;
}

/// <summary>The injections of one bdev, one for each type. Replaced on the app thread while other threads look.</summary>
public sealed class ErrorInjections
{
    private volatile bool _handingOver;
    private readonly ErrorInjection?[] _byType = new ErrorInjection?[(int)BdevIoType.Flush + 1];

    /// <summary>The types that can be hit.</summary>
    public static IReadOnlyList<BdevIoType> Types { get; } = [BdevIoType.Read, BdevIoType.Write, BdevIoType.Unmap, BdevIoType.Flush];

    /// <summary>Puts an injection in the place of the type's last one; null to end it.</summary>
    public void Set(BdevIoType type, ErrorInjection? injection) => Volatile.Write(ref _byType[(int)type], injection);

    /// <summary>A type's injection, if there is one. On the app thread.</summary>
    public ErrorInjection? this[BdevIoType type] => _byType[(int)type];

    /// <summary>True while no I/O may be held, since nothing would end it.</summary>
    public bool HoldNothing
    {
        get => _handingOver;
        set => _handingOver = value;
    }

    /// <summary>The injection that hits an I/O, if one does. On any thread.</summary>
    [DataPath]
    public ErrorInjection? Hit(BdevIoType type, ulong offset, ulong blocks, ulong outstanding)
    {
        if ((int)type >= _byType.Length) return null;
        var injection = Volatile.Read(ref _byType[(int)type]);
        if (injection is null || outstanding < injection.QueueDepth || !injection.Range.Touches(offset, blocks)) return null;
        if (injection.Kind == ErrorKind.Pending && _handingOver) return null;
        return injection.TryTake() ? injection : null;
    }
}
