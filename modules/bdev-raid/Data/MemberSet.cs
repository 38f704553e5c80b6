using System.Runtime.CompilerServices;

namespace Spindle.Bdev.Raid;

/// <summary>A set of an array's slots, of which there are at most 255.</summary>
public struct MemberSet
{
    private Words _words;

    [InlineArray(4)]
    private struct Words
    {
        private ulong _first;
    }

    /// <summary>True when no slot is in it.</summary>
    public readonly bool IsEmpty => (_words[0] | _words[1] | _words[2] | _words[3]) == 0;

    /// <summary>Whether a slot is in it.</summary>
    [DataPath]
    public readonly bool Has(int slot) => (_words[slot >> 6] >> slot & 1) != 0;

    /// <summary>Puts a slot in.</summary>
    [DataPath]
    public void Add(int slot) => _words[slot >> 6] |= 1UL << slot;

    /// <summary>Takes a slot out.</summary>
    [DataPath]
    public void Remove(int slot) => _words[slot >> 6] &= ~(1UL << slot);
}
