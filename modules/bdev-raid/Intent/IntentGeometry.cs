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
    internal ulong BlockCount { get; private set; }

    /// <summary>Blocks of a region.</summary>
    internal ulong RegionBlocks { get; }

    /// <summary>Regions.</summary>
    internal int RegionCount { get; private set; }

    /// <summary>Regions that there may come to be, by growth.</summary>
    internal int Capacity => Math.Max(RegionCount, (int)MostRegions);

    /// <summary>The array grows; regions keep their size.</summary>
    /// <returns>False: it would have too many.</returns>
    internal bool TryGrow(ulong blockCount)
    {
        ulong regions = (blockCount + RegionBlocks - 1) / RegionBlocks;
        if (regions > (ulong)Capacity) return false;
        BlockCount = blockCount;
        RegionCount = (int)regions;
        return true;
    }

    /// <summary>The region of a block.</summary>
    [DataPath]
    internal int RegionOf(ulong block) => (int)(block / RegionBlocks);
}
