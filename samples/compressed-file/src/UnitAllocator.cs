using System.Numerics;
using Spindle;

namespace Acme.CompressedFile;

/// <summary>Which units of the file are free. A unit whose chunk was written anew is retired: the map in the file may still lead to it, so it is free only when a
/// commit has written a map that does not. Everything is made at the start.</summary>
internal sealed class UnitAllocator
{
    private readonly ulong[] _used, _retired, _retiring;
    private int _lowest;

    public UnitAllocator(uint units)
    {
        Units = units;
        _used = new ulong[(units + 63) / 64];
        (_retired, _retiring) = (new ulong[_used.Length], new ulong[_used.Length]);
        // What lies beyond the last unit is never free.
        if (units % 64 != 0) _used[^1] = ulong.MaxValue << (int)(units % 64);
        Free = units;
    }

    public uint Units { get; }

    public uint Free { get; private set; }

    /// <summary>Units that the next commit frees.</summary>
    public uint Retired { get; private set; }

    /// <summary>Takes a unit that the map names.</summary>
    /// <returns>False when there is no such unit, or it is taken.</returns>
    public bool TryTake(uint unit)
    {
        if (unit >= Units || (_used[unit / 64] >> (int)(unit % 64) & 1) != 0) return false;
        _used[unit / 64] |= 1UL << (int)(unit % 64);
        Free--;
        return true;
    }

    /// <summary>Takes the lowest free unit, so that the file stays short and chunks lie in a row. One is free.</summary>
    [DataPath]
    public uint Take()
    {
        while (_used[_lowest] == ulong.MaxValue) _lowest++;
        int bit = BitOperations.TrailingZeroCount(~_used[_lowest]);
        _used[_lowest] |= 1UL << bit;
        Free--;
        return (uint)(_lowest * 64 + bit);
    }

    /// <summary>Gives a unit back that no map leads to.</summary>
    [DataPath]
    public void Return(uint unit)
    {
        _used[unit / 64] &= ~(1UL << (int)(unit % 64));
        _lowest = Math.Min(_lowest, (int)(unit / 64));
        Free++;
    }

    [DataPath]
    public void Retire(uint unit)
    {
        _retired[unit / 64] |= 1UL << (int)(unit % 64);
        Retired++;
    }

    /// <summary>What is retired now goes with the commit that starts.</summary>
    [DataPath]
    public void BeginCommit()
    {
        _retired.CopyTo(_retiring, 0);
        _retired.AsSpan().Clear();
        Retired = 0;
    }

    [DataPath]
    public void EndCommit(bool succeeded)
    {
        for (int word = 0; word < _retiring.Length; word++)
        {
            if (_retiring[word] == 0) continue;
            uint count = (uint)BitOperations.PopCount(_retiring[word]);
            if (succeeded)
            {
                _used[word] &= ~_retiring[word];
                _lowest = Math.Min(_lowest, word);
                Free += count;
            }
            else
            {
                _retired[word] |= _retiring[word];
                Retired += count;
            }
            _retiring[word] = 0;
        }
    }
}
