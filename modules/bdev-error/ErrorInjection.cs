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
public sealed record ErrorInjection(ErrorKind Kind, uint Count, ulong QueueDepth, ulong CorruptOffset, byte CorruptValue)
{
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
            if (Interlocked.CompareExchange(ref _left, left - 1, left) == left) return true;
        }
    }
}

/// <summary>The injections of one bdev, one for each type. Replaced on the app thread while other threads look.</summary>
public sealed class ErrorInjections
{
    private readonly ErrorInjection?[] _byType = new ErrorInjection?[(int)BdevIoType.Flush + 1];

    /// <summary>The types that can be hit.</summary>
    public static IReadOnlyList<BdevIoType> Types { get; } = [BdevIoType.Read, BdevIoType.Write, BdevIoType.Unmap, BdevIoType.Flush];

    /// <summary>Puts an injection in the place of the type's last one; null to end it.</summary>
    public void Set(BdevIoType type, ErrorInjection? injection) => Volatile.Write(ref _byType[(int)type], injection);

    /// <summary>The injection that hits an I/O, if one does. On any thread.</summary>
    [DataPath]
    public ErrorInjection? Hit(BdevIoType type, ulong outstanding)
    {
        if ((int)type >= _byType.Length) return null;
        var injection = Volatile.Read(ref _byType[(int)type]);
        return injection is not null && outstanding >= injection.QueueDepth && injection.TryTake() ? injection : null;
    }
}
