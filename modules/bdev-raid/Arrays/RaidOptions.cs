namespace Spindle.Bdev.Raid;

/// <summary>How background processes run; those that begin later take over what was set.</summary>
/// <param name="ProcessWindowKib">KiB of a window, in which the array's I/O waits while it is worked on.</param>
/// <param name="ProcessMaxBandwidthMib">MiB a second at most; 0: no limit.</param>
public sealed record RaidOptions(uint ProcessWindowKib = 1024, uint ProcessMaxBandwidthMib = 0);
