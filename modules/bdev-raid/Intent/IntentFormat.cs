using System.Buffers.Binary;
using Spindle.Dif;

namespace Spindle.Bdev.Raid.Intent;

/// <summary>The bytes of a write-intent bitmap as they lie on a member (docs/formats/raid-bitmap.md): a header of a sector, then sectors of bits. Each sector has a checksum of its own, since a
/// power cut may leave any of those that were written together.</summary>
internal static class IntentFormat
{
    /// <summary>The byte of a member at which it begins: behind the largest superblock.</summary>
    internal const uint Start = 64 * 1024;
    /// <summary>Bytes that have a checksum.</summary>
    internal const int Sector = 512;
    /// <summary>Bytes that are written at a time, at least.</summary>
    internal const int Page = 4096;
    private const int BytesInSector = Sector - 4;
    private const int BitsInSector = BytesInSector * 8;

    /// <summary>Bytes of all of it, with room to grow: a page for the header, and whole pages of bits.</summary>
    internal static int LengthOf(IntentGeometry geometry) => Page + (SectorsOf(geometry.Capacity) * Sector + Page - 1) / Page * Page;

    /// <summary>The page in which a region's bit is; the header's is 0.</summary>
    internal static int PageOf(int region) => 1 + region / BitsInSector * Sector / Page;

    private static int SectorsOf(int regions) => (regions + BitsInSector - 1) / BitsInSector;

    private static Span<byte> SectorAt(Span<byte> all, int sector) => all.Slice(Page + sector * Sector, Sector);

    /// <summary>Sets or clears a region's bit; <see cref="Seal"/> makes the checksums right.</summary>
    internal static void Set(Span<byte> all, int region, bool value)
    {
        ref byte at = ref SectorAt(all, region / BitsInSector)[region % BitsInSector / 8];
        int bit = 1 << region % 8;
        at = (byte)(value ? at | bit : at & ~bit);
    }

    /// <summary>Whether a region's bit is set.</summary>
    internal static bool Has(ReadOnlySpan<byte> all, int region) =>
        (all[Page + region / BitsInSector * Sector + region % BitsInSector / 8] >> region % 8 & 1) != 0;

    /// <summary>Computes the checksums of a page.</summary>
    internal static void Seal(Span<byte> all, int page)
    {
        for (int at = page * Page; at < (page + 1) * Page; at += Sector)
        {
            var sector = all.Slice(at, Sector);
            BinaryPrimitives.WriteUInt32LittleEndian(sector[BytesInSector..], CrcOf(sector[..BytesInSector]));
        }
    }

    /// <summary>Writes the header; it is sealed as the other sectors.</summary>
    internal static void WriteHeader(Span<byte> all, Guid array, ulong epoch, IntentGeometry geometry)
    {
        var header = all[..Sector];
        header.Clear();
        "SPNDLWIB"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)geometry.RegionCount);
        array.TryWriteBytes(header[16..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], geometry.RegionBlocks);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], geometry.BlockCount);
        Seal(all, 0);
    }

    /// <summary>The epoch of a bitmap of this array, which may be for more blocks where the array was about to grow; 0 when it is none, or damaged.</summary>
    internal static ulong EpochOf(ReadOnlySpan<byte> all, Guid array, IntentGeometry geometry)
    {
        var header = all[..Sector];
        bool isOne = header[..8].SequenceEqual("SPNDLWIB"u8) && IsWhole(header) && BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) == 1
            && new Guid(header.Slice(16, 16), bigEndian: true) == array
            && BinaryPrimitives.ReadUInt32LittleEndian(header[12..]) >= geometry.RegionCount
            && BinaryPrimitives.ReadUInt64LittleEndian(header[40..]) == geometry.RegionBlocks && BinaryPrimitives.ReadUInt64LittleEndian(header[48..]) >= geometry.BlockCount;
        return isOne ? BinaryPrimitives.ReadUInt64LittleEndian(header[32..]) : 0;
    }

    /// <summary>Adds the regions whose bits are set; those of a damaged sector all are.</summary>
    internal static void Collect(ReadOnlySpan<byte> all, IntentGeometry geometry, bool[] dirty)
    {
        for (int sector = 0; sector < SectorsOf(geometry.RegionCount); sector++)
        {
            bool isWhole = IsWhole(all.Slice(Page + sector * Sector, Sector));
            int end = Math.Min(geometry.RegionCount, (sector + 1) * BitsInSector);
            for (int region = sector * BitsInSector; region < end; region++) dirty[region] |= !isWhole || Has(all, region);
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> sector) => BinaryPrimitives.ReadUInt32LittleEndian(sector[BytesInSector..]) == CrcOf(sector[..BytesInSector]);

    private static unsafe uint CrcOf(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* at = bytes) return Crc.Castagnoli(0, at, (nuint)bytes.Length);
    }
}
