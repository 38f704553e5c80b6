namespace Spindle.Bdev.Raid;

/// <summary>What an array is doing.</summary>
public enum RaidState
{
    /// <summary>Its bdev is there.</summary>
    Online,
    /// <summary>It waits for members.</summary>
    Configuring,
    /// <summary>Too few members are left: its bdev is gone, or going.</summary>
    Offline,
}
