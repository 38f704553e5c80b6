namespace Spindle.Bdevs;

/// <summary>Blocks whose data should be written again elsewhere before the medium loses it (SPDK's <c>spdk_bdev_media_event</c>).</summary>
/// <param name="OffsetBlocks">The first block.</param>
/// <param name="NumBlocks">Blocks; above 0.</param>
public readonly record struct BdevMediaEvent(ulong OffsetBlocks, ulong NumBlocks)
{
    /// <summary>The part of it that lies in a range, told by that range's own blocks; of no blocks when there is none.</summary>
    /// <param name="offsetBlocks">The range's first block.</param>
    /// <param name="numBlocks">The range's blocks.</param>
    public BdevMediaEvent Within(ulong offsetBlocks, ulong numBlocks)
    {
        ulong first = Math.Max(OffsetBlocks, offsetBlocks), end = Math.Min(End(OffsetBlocks, NumBlocks), End(offsetBlocks, numBlocks));
        return first < end ? new(first - offsetBlocks, end - first) : default;
    }

    private static ulong End(ulong offset, ulong count) => count > ulong.MaxValue - offset ? ulong.MaxValue : offset + count;
}
