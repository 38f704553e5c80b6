using System.Buffers.Binary;
using System.Numerics;
using Spindle;

namespace Acme.Checksum;

/// <summary>A set of small numbers, made once.</summary>
internal sealed class BitSet(int count)
{
    private readonly ulong[] _words = new ulong[(count + 63) / 64];

    public int Count => count;

    [DataPath]
    public bool Has(int bit) => (_words[bit / 64] >> (bit % 64) & 1) != 0;

    [DataPath]
    public void Add(int bit) => _words[bit / 64] |= 1UL << (bit % 64);

    [DataPath]
    public void Clear() => _words.AsSpan().Clear();

    [DataPath]
    public void Union(BitSet other)
    {
        for (int i = 0; i < _words.Length; i++) _words[i] |= other._words[i];
    }

    [DataPath]
    public void Intersect(BitSet other)
    {
        for (int i = 0; i < _words.Length; i++) _words[i] &= other._words[i];
    }

    /// <summary>Whether each member is one of one of the others.</summary>
    [DataPath]
    public bool IsWithin(BitSet one, BitSet other)
    {
        for (int i = 0; i < _words.Length; i++) if ((_words[i] & ~(one._words[i] | other._words[i])) != 0) return false;
        return true;
    }

    [DataPath]
    public void CopyTo(BitSet other) => _words.CopyTo(other._words, 0);

    /// <summary>The first member at or after a number; -1 when there is none.</summary>
    [DataPath]
    public int Next(int from)
    {
        for (int word = from / 64; word < _words.Length; word++)
        {
            ulong rest = word == from / 64 ? _words[word] & ulong.MaxValue << (from % 64) : _words[word];
            if (rest != 0) return word * 64 + BitOperations.TrailingZeroCount(rest);
        }
        return -1;
    }

    [DataPath]
    public void Write(Span<byte> bytes)
    {
        for (int bit = 0; bit < count; bit++) if (Has(bit)) bytes[bit / 8] |= (byte)(1 << (bit % 8));
    }

    public void Read(ReadOnlySpan<byte> bytes)
    {
        for (int bit = 0; bit < count; bit++) if ((bytes[bit / 8] >> (bit % 8) & 1) != 0) Add(bit);
    }

    public void AddAll()
    {
        for (int bit = 0; bit < count; bit++) Add(bit);
    }
}

/// <summary>The checksums of all blocks, in memory, and which groups of them differ from the base's.</summary>
internal sealed class ChecksumTable(Layout layout)
{
    private readonly uint[] _checksums = new uint[layout.DataBlocks];

    /// <summary>Groups that are to be written.</summary>
    public BitSet Dirty { get; } = new(layout.Groups);

    [DataPath]
    public uint Get(ulong block) => _checksums[block];

    [DataPath]
    public void Set(ulong block, uint checksum)
    {
        _checksums[block] = checksum;
        Dirty.Add((int)(block / layout.PerGroup));
    }

    /// <summary>Writes a group's block.</summary>
    [DataPath]
    public void WriteGroup(int group, Span<byte> block)
    {
        block.Clear();
        ulong first = (ulong)group * layout.PerGroup, end = Math.Min(first + layout.PerGroup, layout.DataBlocks);
        for (ulong i = first; i < end; i++) BinaryPrimitives.WriteUInt32LittleEndian(block[((int)(i - first) * 4)..], _checksums[i]);
        Layout.Seal(block);
    }

    /// <summary>Reads a group's block.</summary>
    /// <returns>False when it is damaged.</returns>
    public bool ReadGroup(int group, ReadOnlySpan<byte> block)
    {
        if (!Layout.IsSealed(block)) return false;
        ulong first = (ulong)group * layout.PerGroup, end = Math.Min(first + layout.PerGroup, layout.DataBlocks);
        for (ulong i = first; i < end; i++) _checksums[i] = BinaryPrimitives.ReadUInt32LittleEndian(block[((int)(i - first) * 4)..]);
        return true;
    }
}
