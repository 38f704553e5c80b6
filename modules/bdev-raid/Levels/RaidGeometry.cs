namespace Spindle.Bdev.Raid;

/// <summary>What does not change while an array is online.</summary>
/// <param name="MemberCount">Slots.</param>
/// <param name="StripBlocks">Blocks of a strip, a power of two; 0 for levels without strips.</param>
/// <param name="BlockSize">Bytes of a block, interleaved metadata included.</param>
/// <param name="MetadataSize">Bytes of metadata of a block.</param>
/// <param name="MetadataInterleaved">Whether it lies in the block.</param>
public sealed record RaidGeometry(int MemberCount, uint StripBlocks, uint BlockSize, uint MetadataSize, bool MetadataInterleaved)
{
    /// <summary>The exponent of <see cref="StripBlocks"/>.</summary>
    public int StripShift { get; } = StripBlocks == 0 ? 0 : System.Numerics.BitOperations.Log2(StripBlocks);
}
