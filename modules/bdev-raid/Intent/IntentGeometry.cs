namespace Spindle.Bdev.Raid.Intent;

/// <summary>Into which regions an array is divided, of each of which one bit says whether it is being written.</summary>
internal sealed class IntentGeometry
{
    /// <summary>Bytes of the smallest region: what a resync reads of each member in a moment.</summary>
    private const ulong LeastBytes = 1 << 20;

    /// <summary>The most regions; larger arrays have larger ones.</summary>
    private const ulong MostRegions = 32768;

    /// <param name="blockCount">The array's blocks.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="unit">Blocks of a stripe: a region has whole ones.</param>
    internal IntentGeometry(ulong blockCount, uint blockSize, ulong unit)
    {
        BlockCount = blockCount;
        ulong units = Math.Max(1, LeastBytes / blockSize / unit);
        ulong least = (blockCount + MostRegions - 1) / MostRegions;
        while (units * unit < least) units *= 2;
        RegionBlocks = units * unit;
        RegionCount = (int)((blockCount + RegionBlocks - 1) / RegionBlocks);
    }

    /// <summary>The array's blocks.</summary>
    internal ulong BlockCount { get; }

    /// <summary>Blocks of a region.</summary>
    internal ulong RegionBlocks { get; }

    /// <summary>Regions.</summary>
    internal int RegionCount { get; }

    /// <summary>The region of a block.</summary>
    [DataPath]
    internal int RegionOf(ulong block) => (int)(block / RegionBlocks);
}
