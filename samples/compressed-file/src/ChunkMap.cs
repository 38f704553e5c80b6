using System.Buffers.Binary;
using System.Numerics;
using Spindle;

namespace Acme.CompressedFile;

/// <summary>Where a chunk's bytes are: up to four units, how many bytes of them, and their CRC32C. A chunk of zeroes has none. A chunk that did not
/// shrink has <see cref="StoreFormat.ChunkSize"/> bytes, as they are.</summary>
internal readonly record struct ChunkEntry(uint Unit0, uint Unit1, uint Unit2, uint Unit3, ushort Length, uint Crc)
{
    public bool IsHole => Length == 0;

    public int UnitCount => (Length + (int)StoreFormat.UnitSize - 1) / (int)StoreFormat.UnitSize;

    [DataPath]
    public uint Unit(int index) => index switch { 0 => Unit0, 1 => Unit1, 2 => Unit2, _ => Unit3 };
}

/// <summary>The map from chunks to units, in memory, and which sectors of it differ from the file's.</summary>
internal sealed class ChunkMap
{
    public const int EntrySize = 32;
    private const int EntriesPerSector = StoreFormat.SectorSize / EntrySize;

    private readonly ChunkEntry[] _entries;
    private readonly ulong[] _dirty, _committing;

    private ChunkMap(ulong chunks)
    {
        _entries = new ChunkEntry[chunks];
        Sectors = (int)((chunks + EntriesPerSector - 1) / EntriesPerSector);
        _dirty = new ulong[(Sectors + 63) / 64];
        _committing = new ulong[_dirty.Length];
    }

    public ulong Chunks => (ulong)_entries.Length;

    public int Sectors { get; }

    /// <summary>Chunks that hold something.</summary>
    public ulong Used { get; private set; }

    public ChunkEntry this[ulong chunk] => _entries[chunk];

    /// <summary>Reads a map, and takes its units.</summary>
    /// <param name="bytes">The file's map.</param>
    /// <param name="chunks">How many there are.</param>
    /// <param name="units">All free.</param>
    /// <param name="problem">Null, or what no map has.</param>
    public static ChunkMap Load(ReadOnlySpan<byte> bytes, ulong chunks, UnitAllocator units, out string? problem)
    {
        var map = new ChunkMap(chunks);
        problem = null;
        for (ulong chunk = 0; chunk < chunks && problem is null; chunk++)
        {
            var entry = bytes.Slice((int)chunk * EntrySize, EntrySize);
            if (entry.IndexOfAnyExcept((byte)0) < 0) continue;
            if (BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]) != Crc32C.Of(entry[..28])) problem = $"the map's entry of chunk {chunk} is damaged (CRC32C)";
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]);
            if (length is 0 or > StoreFormat.ChunkSize) problem ??= $"the map's entry of chunk {chunk} says {length} bytes";
            if (problem is not null) break;
            var read = new ChunkEntry(Unit(entry, 0), Unit(entry, 1), Unit(entry, 2), Unit(entry, 3), (ushort)length, BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]));
            for (int i = 0; i < read.UnitCount && problem is null; i++)
                if (!units.TryTake(read.Unit(i))) problem = $"the map's entry of chunk {chunk} names unit {read.Unit(i)}, which is another's or beyond the end";
            map._entries[chunk] = read;
            map.Used++;
        }
        return map;
    }

    private static uint Unit(ReadOnlySpan<byte> entry, int index) => BinaryPrimitives.ReadUInt32LittleEndian(entry[(index * 4)..]);

    [DataPath]
    public void Set(ulong chunk, in ChunkEntry entry)
    {
        if (_entries[chunk].IsHole != entry.IsHole) Used = entry.IsHole ? Used - 1 : Used + 1;
        _entries[chunk] = entry;
        int sector = (int)(chunk / EntriesPerSector);
        _dirty[sector / 64] |= 1UL << (sector % 64);
    }

    /// <summary>Starts a commit: writes the sectors that changed into an image of the file's map, as they are now.</summary>
    /// <returns>False when none did.</returns>
    [DataPath]
    public bool Snapshot(Span<byte> image)
    {
        bool any = false;
        for (int word = 0; word < _dirty.Length; word++)
        {
            ulong dirty = _dirty[word];
            if (dirty == 0) continue;
            any = true;
            _committing[word] = dirty;
            _dirty[word] = 0;
            for (; dirty != 0; dirty &= dirty - 1) WriteSector(image, word * 64 + BitOperations.TrailingZeroCount(dirty));
        }
        return any;
    }

    [DataPath]
    private void WriteSector(Span<byte> image, int sector)
    {
        ulong first = (ulong)sector * EntriesPerSector;
        for (ulong i = first; i < Math.Min(first + EntriesPerSector, Chunks); i++)
        {
            var bytes = image.Slice((int)i * EntrySize, EntrySize);
            bytes.Clear();
            ref readonly var entry = ref _entries[i];
            if (entry.IsHole) continue;
            for (int unit = 0; unit < StoreFormat.UnitsPerChunk; unit++) BinaryPrimitives.WriteUInt32LittleEndian(bytes[(unit * 4)..], entry.Unit(unit));
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], entry.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], entry.Crc);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Crc32C.Of(bytes[..28]));
        }
    }

    /// <summary>The next sectors in a row that the commit has to write, at or after one.</summary>
    /// <returns>False when there are none.</returns>
    [DataPath]
    public bool NextRun(int from, int most, out int first, out int count)
    {
        first = from;
        while (first < Sectors && !IsCommitting(first)) first = _committing[first / 64] == 0 ? (first / 64 + 1) * 64 : first + 1;
        count = 0;
        while (count < most && first + count < Sectors && IsCommitting(first + count)) count++;
        return count > 0;
    }

    [DataPath]
    private bool IsCommitting(int sector) => (_committing[sector / 64] >> (sector % 64) & 1) != 0;

    /// <summary>Ends a commit; after a failure its sectors are to be written again.</summary>
    [DataPath]
    public void EndCommit(bool succeeded)
    {
        for (int word = 0; word < _committing.Length; word++)
        {
            if (!succeeded) _dirty[word] |= _committing[word];
            _committing[word] = 0;
        }
    }
}
