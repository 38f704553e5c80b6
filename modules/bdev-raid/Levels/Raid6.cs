namespace Spindle.Bdev.Raid;

/// <summary>Two parities, P and Q, so that any two members may be missing; written in any blocks. Parity and data are placed as in Linux md's left-symmetric layout.</summary>
public sealed class Raid6 : ParityLevel
{
    private Raid6(RaidGeometry geometry) : base(geometry, parities: 2, dataFollowsParity: true) { }

    /// <summary>The level. SPDK has none of this number.</summary>
    public static RaidLevelType Type { get; } = new("raid6", "6", 6, LeastMembers: 4, LeastOperational: static slots => slots - 2, HasStrips: true, static geometry => new Raid6(geometry));

    /// <inheritdoc/>
    public override uint OptimalIoBoundary => (uint)Layout.StripeBlocks;
}
