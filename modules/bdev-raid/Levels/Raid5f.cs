namespace Spindle.Bdev.Raid;

/// <summary>One parity, in SPDK's layout; written in whole stripes only, so that nothing has to be read for it.</summary>
public sealed class Raid5f : ParityLevel
{
    private Raid5f(RaidGeometry geometry) : base(geometry, parities: 1, dataFollowsParity: false) { }

    /// <summary>The level.</summary>
    public static RaidLevelType Type { get; } = new("raid5f", "5f", 95, LeastMembers: 3, LeastOperational: static slots => slots - 1, HasStrips: true, static geometry => new Raid5f(geometry));

    /// <inheritdoc/>
    public override uint WriteUnitBlocks => (uint)Layout.StripeBlocks;

    /// <summary>Vectors may lie anywhere: what a member needs is copied for it, where the host could not copy a stripe that is larger than its buffers.</summary>
    public override uint AlignmentOf(uint members) => 1;

    /// <inheritdoc/>
    public override uint OptimalIoBoundary => (uint)Layout.StripeBlocks;
}
