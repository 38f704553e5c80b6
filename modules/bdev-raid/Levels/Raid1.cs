using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>The same on all members: reads from the one that has least to read, writes to all.</summary>
public sealed class Raid1(RaidGeometry geometry) : RaidLevel(geometry)
{
    /// <summary>The level.</summary>
    public static RaidLevelType Type { get; } = new("raid1", "1", 1, LeastMembers: 2, LeastOperational: static _ => 1, HasStrips: false, static geometry => new Raid1(geometry));

    /// <inheritdoc/>
    public override bool Carries(BdevIoType type) => type is BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Flush;

    /// <inheritdoc/>
    public override bool CanResize => true;

    /// <inheritdoc/>
    public override RaidSize SizeOf(ReadOnlySpan<ulong> available)
    {
        ulong least = ulong.MaxValue;
        foreach (ulong blocks in available) least = Math.Min(least, blocks);
        return new RaidSize(least, [.. Enumerable.Repeat(least, Geometry.MemberCount)]);
    }

    /// <inheritdoc/>
    public override RaidIo CreateIo(BdevIo io) => new MirroredIo(io);

    /// <inheritdoc/>
    public override RaidStep CreateStep(IDmaMemory memory, ulong mostBlocks) => new MirrorStep(Geometry, memory, mostBlocks);
}
