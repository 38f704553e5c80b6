namespace Spindle.Bdev.Raid;

/// <summary>One parity, in SPDK's layout; written in whole stripes only, so that nothing has to be read for it.</summary>
public sealed class Raid5f : ParityLevel
{
    private Raid5f(RaidGeometry geometry) : base(geometry, parities: 1, dataFollowsParity: false) { }

    /// <summary>The level.</summary>
    public static RaidLevelType Type { get; } = new("raid5f", "5f", 95, LeastMembers: 3, LeastOperational: static slots => slots - 1, HasStrips: true, static geometry => new Raid5f(geometry));

    /// <inheritdoc/>
    public override uint WriteUnitBlocks => (uint)Layout.StripeBlocks;

    /// <inheritdoc/>
    public override uint OptimalIoBoundary => (uint)Layout.StripeBlocks;
}
