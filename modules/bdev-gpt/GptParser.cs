using System.Buffers.Binary;
using System.Text;

namespace Spindle.Bdev.Gpt;

/// <summary>Reads GUID partition tables (UEFI 2.10, chapter 5). Takes any bytes: what is on a disk was written by others.</summary>
/// <param name="blockSize">Bytes of a block of the disk; a multiple of 512.</param>
/// <param name="blockCount">Blocks of the disk; 2 or more.</param>
/// <param name="types">Which partitions to show.</param>
public sealed class GptParser(uint blockSize, ulong blockCount, GptTypes types)
{
    // Both as in SPDK: where its table would be looked for in vain, there is none here either.
    private const int MostEntries = 128;
    private const uint AreaBytes = 32768;

    private const int EntrySize = 128;
    private const int SmallestHeader = 92;
    private const int SmallestBlock = 512;

    /// <summary>Bytes of the largest block of a disk that is looked at.</summary>
    public const uint LargestBlock = 1 << 20;

    /// <summary>Blocks at either end of the disk in which a copy of the table lies whole.</summary>
    public uint AreaBlocks
    {
        get
        {
            ulong bytes = Math.Max(AreaBytes, (2ul * blockSize) + (MostEntries * EntrySize));
            return (uint)Math.Min((bytes + blockSize - 1) / blockSize, blockCount);
        }
    }

    /// <summary>Whether the disk's first block is the protective MBR of a partition table (UEFI 2.10, 5.2.3).</summary>
    /// <param name="area">The first blocks of the disk, <see cref="AreaBlocks"/> of them.</param>
    public bool HasProtectiveMbr(ReadOnlySpan<byte> area)
    {
        if (area.Length < SmallestBlock || area[510] != 0x55 || area[511] != 0xaa) return false;
        for (int record = 446; record < 510; record += 16)
        {
            if (area[record + 4] != 0xee) continue;
            uint first = BinaryPrimitives.ReadUInt32LittleEndian(area[(record + 8)..]), blocks = BinaryPrimitives.ReadUInt32LittleEndian(area[(record + 12)..]);
            return first == 1 && (blocks == uint.MaxValue || blocks == (uint)(blockCount - 1));
        }
        return false;
    }

    /// <summary>Reads one copy of the table.</summary>
    /// <param name="area">The first, or the last, blocks of the disk, <see cref="AreaBlocks"/> of them.</param>
    /// <param name="copy">Which of them.</param>
    /// <param name="problem">What is wrong with it; empty when nothing is.</param>
    /// <returns>Null when it does not hold together.</returns>
    public GptTable? Parse(ReadOnlySpan<byte> area, GptCopy copy, out string problem)
    {
        if (blockSize < SmallestBlock || blockSize % SmallestBlock != 0 || blockCount < 2 || blockSize > LargestBlock || area.Length < (int)(AreaBlocks * blockSize))
        {
            problem = "there is no room for a table";
            return null;
        }
        area = area[..(int)(AreaBlocks * blockSize)];
        ulong last = blockCount - 1, areaFirst = copy == GptCopy.Primary ? 0 : blockCount - AreaBlocks, headerBlock = copy == GptCopy.Primary ? 1 : last;
        var header = area.Slice((int)((headerBlock - areaFirst) * blockSize), (int)blockSize);
        problem = CheckHeader(header, headerBlock);
        if (problem.Length > 0) return null;

        ulong firstUsable = U64(header, 40), lastUsable = U64(header, 48), entriesAt = U64(header, 72);
        uint count = U32(header, 80), entryBlocks = ((count * EntrySize) + blockSize - 1) / blockSize;
        problem = CheckPlaces(copy, firstUsable, lastUsable, entriesAt, entryBlocks, areaFirst);
        if (problem.Length > 0) return null;

        var entries = area.Slice((int)((entriesAt - areaFirst) * blockSize), (int)count * EntrySize);
        if (Crc32.Of(entries) != U32(header, 88))
        {
            problem = "the CRC of the partition entries does not match";
            return null;
        }
        return ReadEntries(entries, copy, firstUsable, lastUsable);
    }

    private string CheckHeader(ReadOnlySpan<byte> header, ulong headerBlock)
    {
        if (!header[..8].SequenceEqual("EFI PART"u8)) return "there is no signature";
        uint size = U32(header, 12);
        if (size < SmallestHeader || size > blockSize) return $"the header's size is {size}";
        if (Crc32.OfWithZeroes(header[..(int)size], 16) != U32(header, 16)) return "the header's CRC does not match";
        if (U64(header, 24) != headerBlock) return $"the header says that it is in block {U64(header, 24)}, but is in {headerBlock}";
        if (U32(header, 80) > MostEntries) return $"there are {U32(header, 80)} partition entries, above {MostEntries}";
        if (U32(header, 84) != EntrySize) return $"a partition entry has {U32(header, 84)} bytes, not {EntrySize}";
        return "";
    }

    // Every comparison is made before anything is added, so that nothing can overflow.
    private string CheckPlaces(GptCopy copy, ulong firstUsable, ulong lastUsable, ulong entriesAt, uint entryBlocks, ulong areaFirst)
    {
        ulong last = blockCount - 1;
        if (lastUsable < firstUsable) return $"the usable blocks end at {lastUsable}, before their start at {firstUsable}";
        if (lastUsable > last) return $"the usable blocks end at {lastUsable}, behind the disk's last block {last}";
        if (copy == GptCopy.Primary)
        {
            // Behind the header, in what was read, and before what partitions may use.
            if (entriesAt < 2 || entriesAt > AreaBlocks || entryBlocks > AreaBlocks - entriesAt) return $"the partition entries are at block {entriesAt}, outside of the first {AreaBlocks} blocks";
            if (firstUsable < 2 || firstUsable < entriesAt + entryBlocks) return $"the usable blocks start at {firstUsable}, inside the table";
        }
        else
        {
            if (entriesAt < areaFirst || entriesAt >= last || entryBlocks > last - entriesAt) return $"the partition entries are at block {entriesAt}, outside of the last {AreaBlocks} blocks";
            if (firstUsable < 2 || lastUsable >= entriesAt) return $"the usable blocks are {firstUsable} to {lastUsable}, which is inside the table";
        }
        return "";
    }

    private GptTable ReadEntries(ReadOnlySpan<byte> entries, GptCopy copy, ulong firstUsable, ulong lastUsable)
    {
        List<GptPartition> shown = [];
        List<string> passedOver = [];
        List<(int Number, ulong First, ulong Last)> used = [];
        for (int number = 1; number <= entries.Length / EntrySize; number++)
        {
            var entry = entries.Slice((number - 1) * EntrySize, EntrySize);
            var type = new Guid(entry[..16]);
            ulong first = U64(entry, 32), last = U64(entry, 40);
            // SPDK takes an entry that starts nowhere as one that is not used.
            if (type == Guid.Empty || first == 0) continue;
            if (first < firstUsable || last > lastUsable || last < first)
            {
                if (types.Has(type)) passedOver.Add($"Partition {number} has blocks {first} to {last}, which are not among the usable blocks {firstUsable} to {lastUsable}.");
                continue;
            }
            used.Add((number, first, last));
            if (!types.Has(type)) continue;
            ulong blocks = last - first + (type == GptTypes.SpdkOld ? 0ul : 1);
            if (blocks == 0) passedOver.Add($"Partition {number} has a single block, of which its type shows none.");
            else shown.Add(new GptPartition(number, type, new Guid(entry.Slice(16, 16)), ReadName(entry[56..]), first, blocks));
        }
        foreach (var partition in shown.ToArray())
        {
            var (_, first, last) = used.Find(range => range.Number == partition.Number);
            var other = used.Find(range => range.Number != partition.Number && range.First <= last && range.Last >= first);
            if (other == default) continue;
            // Two users of the same blocks would destroy each other's data.
            shown.Remove(partition);
            passedOver.Add($"Partition {partition.Number} overlaps partition {other.Number}.");
        }
        return new GptTable(copy, shown, passedOver);
    }

    private static string ReadName(ReadOnlySpan<byte> name)
    {
        int length = 0;
        while (length < name.Length && (name[length] | name[length + 1]) != 0) length += 2;
        return Encoding.Unicode.GetString(name[..length]);
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
}
