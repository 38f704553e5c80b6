using Spindle.Bdevs;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>What blocks read as that were not written since their zone was reset: zeroes, with metadata that says of protection information not to check it.</summary>
internal static unsafe class UnwrittenBlocks
{
    // Application and reference tags of all ones: no check (NVM Command Set Specification 1.0, 5.2.3).
    private const byte NotChecked = 0xFF;

    /// <summary>Fills what a read is to get, from one of its blocks on.</summary>
    [DataPath]
    public static void Fill(BdevIo io, ulong from)
    {
        var bdev = io.Bdev;
        byte metadata = bdev.DifType == DifType.None ? (byte)0 : NotChecked;
        ulong first = from * bdev.BlockSize, at = 0;
        foreach (ref readonly var vector in io.Iovs)
        {
            ulong end = at + vector.Length;
            if (end > first)
            {
                ulong begin = Math.Max(at, first);
                vector.Span[(int)(begin - at)..].Clear();
                if (metadata != 0 && bdev.MetadataInterleaved) FillMetadata(vector.Span, at, begin, bdev.BlockSize, bdev.MetadataSize, metadata);
            }
            at = end;
        }
        if (io.Metadata == null || bdev.MetadataInterleaved) return;
        // In pieces: a span holds no more than 2 GiB.
        for (ulong block = from; block < io.NumBlocks; block++) new Span<byte>(io.Metadata + block * bdev.MetadataSize, (int)bdev.MetadataSize).Fill(metadata);
    }

    /// <summary>Fills the metadata of the blocks that lie, in part or as a whole, in a vector.</summary>
    /// <param name="vector">The vector.</param>
    /// <param name="at">Where in the read's data it begins.</param>
    /// <param name="begin">Where in the read's data to begin.</param>
    /// <param name="blockSize">Bytes of a block, metadata included.</param>
    /// <param name="size">Bytes of its metadata, which are the last.</param>
    /// <param name="value">What to fill it with.</param>
    [DataPath]
    private static void FillMetadata(Span<byte> vector, ulong at, ulong begin, uint blockSize, uint size, byte value)
    {
        ulong end = at + (ulong)vector.Length;
        for (ulong block = begin / blockSize * blockSize; block < end; block += blockSize)
        {
            ulong from = Math.Max(begin, block + blockSize - size), to = Math.Min(end, block + blockSize);
            if (from < to) vector[(int)(from - at)..(int)(to - at)].Fill(value);
        }
    }
}
