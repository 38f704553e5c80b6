using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>A bdev under test, and what may be expected of it beyond what it says itself by <see cref="Bdev.Supports"/> and its geometry.</summary>
/// <param name="Name">Its name. It has at least 256 blocks; nobody else uses it.</param>
public sealed record BdevSubject(string Name)
{
    /// <summary>Reads return what was written. False for a bdev that discards: the contents of reads are then not looked at.</summary>
    public bool KeepsData { get; init; } = true;

    /// <summary>Unmapped blocks read as zeroes.</summary>
    public bool UnmapsToZero { get; init; } = true;

    /// <summary>It is opened with its metadata hidden.</summary>
    public bool HideMetadata { get; init; }

    /// <summary>Makes it larger by the given number of blocks; null when it cannot grow.</summary>
    public Func<ulong, Task>? GrowAsync { get; init; }

    /// <summary>Takes it away, its data kept, and brings it back under the same name, as a restart of the host would; null when it keeps nothing.</summary>
    public Func<Task>? RestartAsync { get; init; }

    /// <summary>Loses what a power cut now would lose, takes the bdev away and brings it back under the same name; null when it keeps nothing over a power cut,
    /// or the test cannot bring one about.</summary>
    public Func<Task>? CutPowerAsync { get; init; }

    /// <summary>The bdevs below it, which are taken away after it, the last first.</summary>
    public IReadOnlyList<string> Below { get; init; } = [];

    /// <summary>Takes it away as its RPC does; null: it is unregistered.</summary>
    public Func<Task>? DeleteAsync { get; init; }

    /// <summary>Releases what the test made for it, files for example, when it is gone.</summary>
    public Action? Release { get; init; }
}
