using System.Numerics;
using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>Whether a bdev's geometry makes sense; everything behind relies on it.</summary>
internal static class BdevGeometry
{
    /// <param name="bdev">The bdev.</param>
    /// <param name="bufferSize">Bytes of the host's largest buffer.</param>
    /// <exception cref="SpindleException">EINVAL: a member makes no sense.</exception>
    internal static void Check(Bdev bdev, uint bufferSize)
    {
        if (string.IsNullOrWhiteSpace(bdev.Name)) throw Invalid(bdev, "Name", "is empty");
        if (bdev.Name.Length > 255) throw Invalid(bdev, "Name", "is longer than 255 characters");
        uint metadata = bdev.MetadataInterleaved ? bdev.MetadataSize : 0;
        if (bdev.BlockSize <= metadata) throw Invalid(bdev, nameof(Bdev.BlockSize), $"is {bdev.BlockSize}, not more than its metadata");
        uint data = bdev.BlockSize - metadata;
        if (data < 512 || data % 512 != 0 || bdev.BlockSize > 1 << 24) throw Invalid(bdev, nameof(Bdev.BlockSize), $"is {bdev.BlockSize}; the data part must be a multiple of 512 bytes");
        if (bdev.BlockCount == 0) throw Invalid(bdev, nameof(Bdev.BlockCount), "is 0");
        if (bdev.BlockCount > ulong.MaxValue / bdev.BlockSize) throw Invalid(bdev, nameof(Bdev.BlockCount), $"times the block size is beyond 64 bits");
        if (!BitOperations.IsPow2(bdev.RequiredAlignment) || bdev.RequiredAlignment > 4096) throw Invalid(bdev, nameof(Bdev.RequiredAlignment), $"is {bdev.RequiredAlignment}; it must be a power of two up to 4096");
        if (bdev.DifType != DifType.None) BdevProtection.Check(bdev);
        if (bdev.SplitOnOptimalIoBoundary && bdev.OptimalIoBoundary == 0) throw Invalid(bdev, nameof(Bdev.OptimalIoBoundary), "is 0, but I/O is to be split at it");
        if (bdev.SplitOnWriteUnit && bdev.WriteUnitBlocks > 1 && bdev.MaxRwBlocks != 0 && bdev.MaxRwBlocks < bdev.WriteUnitBlocks) throw Invalid(bdev, nameof(Bdev.MaxRwBlocks), "is less than a write unit");
        if (bdev.SplitOnWriteUnit && bdev.WriteUnitBlocks > 1) CheckWriteUnit(bdev, bufferSize);
        if (bdev.MaxSegments < 0) throw Invalid(bdev, nameof(Bdev.MaxSegments), "is negative");
        if (bdev.IsZoned) CheckZones(bdev);
        else CheckNoZones(bdev);
    }

    private static void CheckWriteUnit(Bdev bdev, uint bufferSize)
    {
        if (bdev.SplitOnOptimalIoBoundary && bdev.OptimalIoBoundary % bdev.WriteUnitBlocks != 0)
            throw Invalid(bdev, nameof(Bdev.OptimalIoBoundary), $"is {bdev.OptimalIoBoundary}; writes are split at it, so it must be a multiple of a write unit, {bdev.WriteUnitBlocks} blocks");
        // Memory that does not fit these is copied together, a write unit at least at a time.
        bool copies = bdev.RequiredAlignment > 1 || bdev.MaxSegments > 0 || bdev.MaxSegmentSize > 0;
        ulong unit = (ulong)bdev.WriteUnitBlocks * bdev.BlockSize;
        if (!copies || unit <= Math.Min(bufferSize, bdev.MaxSegmentSize == 0 ? uint.MaxValue : bdev.MaxSegmentSize)) return;
        throw Invalid(bdev, nameof(Bdev.WriteUnitBlocks), $"is {bdev.WriteUnitBlocks}, {unit} bytes: with {nameof(Bdev.RequiredAlignment)}, {nameof(Bdev.MaxSegments)} or " +
            $"{nameof(Bdev.MaxSegmentSize)} it must fit one segment and a buffer of {bufferSize} bytes (large_bufsize of iobuf_set_options)");
    }

    private static void CheckZones(Bdev bdev)
    {
        ulong size = bdev.ZoneSizeBlocks;
        if (bdev.BlockCount % size != 0) throw Invalid(bdev, nameof(Bdev.BlockCount), $"is {bdev.BlockCount}; a zoned bdev consists of whole zones, of {size} blocks here");
        if (bdev.MaxZoneAppendBlocks > size) throw Invalid(bdev, nameof(Bdev.MaxZoneAppendBlocks), $"is {bdev.MaxZoneAppendBlocks}, more than a zone's {size} blocks");
        if (bdev.MaxOpenZones != 0 && bdev.MaxActiveZones != 0 && bdev.MaxOpenZones > bdev.MaxActiveZones)
            throw Invalid(bdev, nameof(Bdev.MaxOpenZones), $"is {bdev.MaxOpenZones}, above {nameof(Bdev.MaxActiveZones)} ({bdev.MaxActiveZones}): an open zone is active");
        if (bdev.MaxOpenZones != 0 && bdev.OptimalOpenZones > bdev.MaxOpenZones)
            throw Invalid(bdev, nameof(Bdev.OptimalOpenZones), $"is {bdev.OptimalOpenZones}, above {nameof(Bdev.MaxOpenZones)} ({bdev.MaxOpenZones})");
        if (bdev.SplitOnOptimalIoBoundary && size % bdev.OptimalIoBoundary != 0) throw Invalid(bdev, nameof(Bdev.OptimalIoBoundary), $"is {bdev.OptimalIoBoundary}; it must divide a zone's {size} blocks");
        if (bdev.SplitOnWriteUnit && bdev.WriteUnitBlocks > 1 && size % bdev.WriteUnitBlocks != 0) throw Invalid(bdev, nameof(Bdev.WriteUnitBlocks), $"is {bdev.WriteUnitBlocks}; it must divide a zone's {size} blocks");
        foreach (var type in new[] { BdevIoType.GetZoneInfo, BdevIoType.ZoneManagement })
            if (!bdev.Supports(type)) throw Invalid(bdev, nameof(Bdev.ZoneSizeBlocks), $"is {size}, but it does not support {type}, which every zoned bdev has");
    }

    private static void CheckNoZones(Bdev bdev)
    {
        foreach (var (member, value) in new[] { (nameof(Bdev.MaxZoneAppendBlocks), bdev.MaxZoneAppendBlocks), (nameof(Bdev.MaxOpenZones), bdev.MaxOpenZones),
            (nameof(Bdev.MaxActiveZones), bdev.MaxActiveZones), (nameof(Bdev.OptimalOpenZones), bdev.OptimalOpenZones) })
            if (value != 0) throw Invalid(bdev, member, $"is {value}, but it is not zoned: its {nameof(Bdev.ZoneSizeBlocks)} is 0");
        foreach (var type in new[] { BdevIoType.GetZoneInfo, BdevIoType.ZoneManagement, BdevIoType.ZoneAppend })
            if (bdev.Supports(type)) throw Invalid(bdev, nameof(Bdev.ZoneSizeBlocks), $"is 0, but it supports {type}: set the size of its zones");
    }

    /// <summary>Refuses a bdev of another version of a module that those who have the old one open would take for another disk.</summary>
    internal static void CheckReplacement(Bdev old, Bdev next, uint bufferSize)
    {
        if (ReferenceEquals(old, next) || next.HostEntry is not null) throw NoReplacement(old, "is registered already");
        Same("Name", old.Name, next.Name);
        Same(nameof(Bdev.BlockSize), old.BlockSize, next.BlockSize);
        Same(nameof(Bdev.MetadataSize), old.MetadataSize, next.MetadataSize);
        Same(nameof(Bdev.MetadataInterleaved), old.MetadataInterleaved, next.MetadataInterleaved);
        Same(nameof(Bdev.DifType), old.DifType, next.DifType);
        Same(nameof(Bdev.DifFormat), old.DifFormat, next.DifFormat);
        Same(nameof(Bdev.DifCheckFlags), old.DifCheckFlags, next.DifCheckFlags);
        Same(nameof(Bdev.DifIsHeadOfMetadata), old.DifIsHeadOfMetadata, next.DifIsHeadOfMetadata);
        Same(nameof(Bdev.AtomicCompareAndWriteBlocks), old.AtomicCompareAndWriteBlocks, next.AtomicCompareAndWriteBlocks);
        Same(nameof(Bdev.WriteCache), old.WriteCache, next.WriteCache);
        Same(nameof(Bdev.ZoneSizeBlocks), old.ZoneSizeBlocks, next.ZoneSizeBlocks);
        Same(nameof(Bdev.MaxZoneAppendBlocks), old.MaxZoneAppendBlocks, next.MaxZoneAppendBlocks);
        Same(nameof(Bdev.MaxOpenZones), old.MaxOpenZones, next.MaxOpenZones);
        Same(nameof(Bdev.MaxActiveZones), old.MaxActiveZones, next.MaxActiveZones);
        Check(next, bufferSize);
        foreach (var type in Enum.GetValues<BdevIoType>())
            if (old.Supports(type) && !next.Supports(type)) throw NoReplacement(old, $"does not support {type}, which the old one does");

        void Same<T>(string member, T was, T now)
        {
            if (!EqualityComparer<T>.Default.Equals(was, now)) throw NoReplacement(old, $"has {member} {now}, not {was} as before");
        }
    }

    private static SpindleException NoReplacement(Bdev old, string what) =>
        new(Errno.EPROTO, $"The new version's bdev '{old.Name}' {what}; those who have it open rely on it.");

    internal static SpindleException Invalid(Bdev bdev, string member, string what) =>
        new(Errno.EINVAL, $"Bdev '{bdev.Name}' cannot be registered: its {member} {what}.");
}
