using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>A bdev's constraints in the form the data path asks for: does an I/O go through as it is?</summary>
internal sealed class BdevLimits
{
    internal BdevLimits(Bdev bdev, uint bounceSize)
    {
        BlockSize = bdev.BlockSize;
        Protection = BdevProtection.Of(bdev, bounceSize);
        AlignmentMask = bdev.RequiredAlignment - 1;
        // Zones are a boundary to reads, which are split there; a write that crosses one is refused before it comes here.
        Boundary = bdev.SplitOnOptimalIoBoundary ? bdev.OptimalIoBoundary : bdev.ZoneSizeBlocks;
        IsZoned = bdev.IsZoned;
        ZoneSize = bdev.ZoneSizeBlocks;
        MaxAppendBlocks = bdev.MaxZoneAppendBlocks != 0 ? bdev.MaxZoneAppendBlocks : bdev.MaxRwBlocks != 0 ? Math.Min(bdev.MaxRwBlocks, bdev.ZoneSizeBlocks) : bdev.ZoneSizeBlocks;
        MaxRwBlocks = bdev.MaxRwBlocks == 0 ? ulong.MaxValue : bdev.MaxRwBlocks;
        MaxSegments = bdev.MaxSegments == 0 ? int.MaxValue : bdev.MaxSegments;
        MaxSegmentSize = bdev.MaxSegmentSize == 0 ? uint.MaxValue : bdev.MaxSegmentSize;
        WritesAtOnce = !IsZoned && bdev.MetadataSize == 0 && bdev.GetType().GetMethod(nameof(Bdev.TryWriteAtOnce))!.DeclaringType != typeof(Bdev);
        WriteUnit = bdev.SplitOnWriteUnit ? Math.Max(1, bdev.WriteUnitBlocks) : 1;
        BounceBlocks = Math.Max(1, Math.Min(bounceSize, MaxSegmentSize) / bdev.BlockSize);
        MaxUnmapBlocks = bdev.MaxUnmapBlocks == 0 ? ulong.MaxValue : bdev.MaxUnmapBlocks;
        MaxWriteZeroesBlocks = bdev.MaxWriteZeroesBlocks == 0 ? ulong.MaxValue : bdev.MaxWriteZeroesBlocks;
        MaxCopyBlocks = bdev.MaxCopyBlocks == 0 ? ulong.MaxValue : bdev.MaxCopyBlocks;
        HasRwLimits = Boundary != 0 || MaxRwBlocks != ulong.MaxValue || MaxSegments != int.MaxValue || MaxSegmentSize != uint.MaxValue || AlignmentMask != 0;
        EmulatesCompare = !bdev.Supports(BdevIoType.Compare) && bdev.Supports(BdevIoType.Read);
        // What was written in a zone is not written again in place, and several writes at once come to no order.
        EmulatesCompareAndWrite = !IsZoned && !bdev.Supports(BdevIoType.CompareAndWrite) && bdev.Supports(BdevIoType.Read) && bdev.Supports(BdevIoType.Write);
        // What must be written in one go comes out of one buffer.
        EmulatesWriteZeroes = !bdev.Supports(BdevIoType.WriteZeroes) && bdev.Supports(BdevIoType.Write) && (ulong)WriteUnit * BlockSize <= Math.Min(BdevRegistry.ZeroesSize, MaxSegmentSize);
        EmulatesCopy = !IsZoned && !bdev.Supports(BdevIoType.Copy) && bdev.Supports(BdevIoType.Read) && bdev.Supports(BdevIoType.Write) && WriteUnit <= BounceBlocks;
    }

    public readonly uint BlockSize;
    public readonly BdevProtection? Protection; // null: the bdev has no metadata
    public readonly uint AlignmentMask;
    public readonly ulong Boundary;
    public readonly bool IsZoned;
    public readonly ulong ZoneSize;
    public readonly ulong MaxAppendBlocks;
    public readonly ulong MaxRwBlocks;
    public readonly int MaxSegments;
    public readonly uint MaxSegmentSize;
    public readonly bool WritesAtOnce; // the bdev may be asked to
    public readonly uint WriteUnit;
    public readonly uint BounceBlocks;
    public readonly ulong MaxUnmapBlocks;
    public readonly ulong MaxWriteZeroesBlocks;
    public readonly ulong MaxCopyBlocks;
    public readonly bool HasRwLimits;
    public readonly bool EmulatesCompare;
    public readonly bool EmulatesCompareAndWrite;
    public readonly bool EmulatesWriteZeroes;
    public readonly bool EmulatesCopy;

    /// <summary>Whether a data transfer needs no splitting and no copying.</summary>
    [DataPath]
    public bool Fits(ReadOnlySpan<IoVec> buffers, ulong offset, ulong blocks)
    {
        if (!HasRwLimits) return true;
        if (blocks > MaxRwBlocks || buffers.Length > MaxSegments) return false;
        if (Boundary != 0 && offset % Boundary + blocks > Boundary) return false;
        foreach (ref readonly var buffer in buffers)
        {
            if (buffer.Length > MaxSegmentSize) return false;
            if ((((uint)buffer.Address | buffer.Length) & AlignmentMask) != 0) return false;
        }
        return true;
    }

    /// <summary>Whether a zone append needs no copying.</summary>
    [DataPath]
    public bool FitsAppend(ReadOnlySpan<IoVec> buffers)
    {
        if (buffers.Length > MaxSegments) return false;
        foreach (ref readonly var buffer in buffers)
        {
            if (buffer.Length > MaxSegmentSize || (((uint)buffer.Address | buffer.Length) & AlignmentMask) != 0) return false;
        }
        return true;
    }

    /// <summary>How many blocks a transfer may have that starts there.</summary>
    public ulong UpToBoundary(ulong offset, ulong blocks) => Boundary == 0 ? blocks : Math.Min(blocks, Boundary - offset % Boundary);

    /// <summary>Whether all buffers are aligned as the bdev needs them.</summary>
    [DataPath]
    public bool IsAligned(ReadOnlySpan<IoVec> buffers)
    {
        if (AlignmentMask == 0) return true;
        foreach (ref readonly var buffer in buffers)
        {
            if ((((uint)buffer.Address | buffer.Length) & AlignmentMask) != 0) return false;
        }
        return true;
    }
}
