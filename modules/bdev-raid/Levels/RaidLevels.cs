namespace Spindle.Bdev.Raid;

/// <summary>The levels there are.</summary>
public static class RaidLevels
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<RaidLevelType> All { get; } = [Raid0.Type, Raid1.Type, Concat.Type, Raid5f.Type, Raid6.Type];

    /// <summary>By name or alias, in either case; null when there is none.</summary>
    public static RaidLevelType? Find(string name) => name.Length == 0 ? null :
        All.FirstOrDefault(level => name.Equals(level.Name, StringComparison.OrdinalIgnoreCase) || name.Equals(level.Alias, StringComparison.OrdinalIgnoreCase));

    /// <summary>By the superblock's number; null when there is none.</summary>
    public static RaidLevelType? Find(uint number) => All.FirstOrDefault(level => level.Number == number);
}
