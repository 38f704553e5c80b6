using System.Numerics;

namespace Spindle.Blobs.Format;

/// <summary>Bits, of which the lowest clear one is found quickly. On one thread.</summary>
internal sealed class BitSet(uint length)
{
    private readonly ulong[] _words = new ulong[(length + 63UL) / 64];
    private uint _firstClear;

    public uint Length => length;

    public uint SetCount { get; private set; }

    public uint ClearCount => length - SetCount;

    public bool this[uint bit] => (_words[bit / 64] >> (int)(bit % 64) & 1) != 0;

    public void Set(uint bit)
    {
        if (this[bit]) return;
        _words[bit / 64] |= 1UL << (int)(bit % 64);
        SetCount++;
    }

    public void Clear(uint bit)
    {
        if (!this[bit]) return;
        _words[bit / 64] &= ~(1UL << (int)(bit % 64));
        SetCount--;
        _firstClear = Math.Min(_firstClear, bit);
    }

    /// <summary>Sets the lowest clear bit from <paramref name="from"/> and returns it; null when there is none.</summary>
    public uint? Claim(uint from = 0)
    {
        if (ClearCount == 0) return null;
        uint start = Math.Max(from, _firstClear);
        for (uint word = start / 64; word < _words.Length; word++)
        {
            ulong clear = ~_words[word];
            if (word == start / 64) clear &= ulong.MaxValue << (int)(start % 64);
            if (clear == 0) continue;
            uint bit = (word * 64) + (uint)BitOperations.TrailingZeroCount(clear);
            if (bit >= length) return null;
            Set(bit);
            if (from <= _firstClear) _firstClear = bit + 1;
            return bit;
        }
        return null;
    }

    public bool SameAs(BitSet other) => length == other.Length && _words.AsSpan().SequenceEqual(other._words);

    /// <summary>A longer or shorter copy.</summary>
    public BitSet Resized(uint bits)
    {
        var copy = new BitSet(bits);
        for (uint i = 0; i < Math.Min(length, bits); i++)
            if (this[i]) copy.Set(i);
        return copy;
    }
}
