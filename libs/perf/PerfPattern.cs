namespace Spindle.Perf;

/// <summary>What to do in which order.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="IsRandom">Offsets at random, else one after another.</param>
/// <param name="ReadPercent">Of all I/Os; null: as told by --mix.</param>
public sealed record PerfPattern(string Name, bool IsRandom, int? ReadPercent)
{
    /// <summary>Those there are.</summary>
    public static readonly PerfPattern[] All =
    [
        new("read", false, 100), new("write", false, 0), new("rw", false, null),
        new("randread", true, 100), new("randwrite", true, 0), new("randrw", true, null),
    ];
}
