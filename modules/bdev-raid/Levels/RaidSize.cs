namespace Spindle.Bdev.Raid;

/// <summary>How large an array is.</summary>
/// <param name="BlockCount">Blocks of the array.</param>
/// <param name="DataBlocks">For each slot the blocks of its data region that are used.</param>
public sealed record RaidSize(ulong BlockCount, ulong[] DataBlocks);
