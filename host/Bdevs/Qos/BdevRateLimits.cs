namespace Spindle.Host.Bdevs.Qos;

/// <summary>The limits on one bdev's reads and writes, all threads together; 0: none. A megabyte is 2^20 bytes.</summary>
/// <param name="ReadWriteIosPerSecond">Reads and writes per second; kept in steps of <see cref="IosPerSecondStep"/>.</param>
/// <param name="ReadWriteMegabytesPerSecond">Megabytes of reads and writes per second.</param>
/// <param name="ReadMegabytesPerSecond">Megabytes of reads per second.</param>
/// <param name="WriteMegabytesPerSecond">Megabytes of writes per second.</param>
public sealed record BdevRateLimits(ulong ReadWriteIosPerSecond, ulong ReadWriteMegabytesPerSecond, ulong ReadMegabytesPerSecond, ulong WriteMegabytesPerSecond)
{
    /// <summary>The least I/Os per second there can be a limit of, and what a limit is a multiple of. SPDK's value.</summary>
    public const ulong IosPerSecondStep = 1000;

    /// <summary>The largest limit in megabytes per second: its bytes fit 64 bits. SPDK's value.</summary>
    public const ulong MaxMegabytesPerSecond = ulong.MaxValue >> 20;

    /// <summary>No limits.</summary>
    public static BdevRateLimits None { get; } = new(0, 0, 0, 0);

    /// <summary>The limits that are kept when these are asked for: I/Os per second rounded up to a step, megabytes no more than the largest.</summary>
    public BdevRateLimits Kept => new(RoundUp(ReadWriteIosPerSecond), Math.Min(ReadWriteMegabytesPerSecond, MaxMegabytesPerSecond),
        Math.Min(ReadMegabytesPerSecond, MaxMegabytesPerSecond), Math.Min(WriteMegabytesPerSecond, MaxMegabytesPerSecond));

    private static ulong RoundUp(ulong ios)
    {
        ulong rest = ios % IosPerSecondStep;
        if (rest == 0) return ios;
        ulong below = ios - rest;
        return below > ulong.MaxValue - IosPerSecondStep ? below : below + IosPerSecondStep;
    }
}
