using Spindle.Bdevs;

namespace Spindle.ContractTests.Suite;

/// <summary>A bdev under test and what may be expected of it.</summary>
/// <param name="Name">Its name.</param>
public sealed record Subject(string Name)
{
    /// <summary>Reads return what was written. False for null: the contents of reads are then not looked at.</summary>
    public bool KeepsData { get; init; } = true;

    /// <summary>Unmapped blocks read as zeroes.</summary>
    public bool UnmapsToZero { get; init; } = true;

    /// <summary>Types that are refused with -ENOTSUP.</summary>
    public IReadOnlySet<BdevIoType> Unsupported { get; init; } = new HashSet<BdevIoType>();

    /// <summary>Makes it larger by the given number of blocks; null when it cannot grow.</summary>
    public Func<ulong, Task>? GrowAsync { get; init; }

    /// <summary>The bdevs below it, which are taken away after it.</summary>
    public IReadOnlyList<string> Below { get; init; } = [];

    /// <summary>Takes it away as its RPC does.</summary>
    public required Func<Task> DeleteAsync { get; init; }
}
