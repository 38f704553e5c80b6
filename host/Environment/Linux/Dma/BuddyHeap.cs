using System.Numerics;

namespace Spindle.Host.Environments.Linux.Dma;

/// <summary>Divides slabs into blocks whose sizes are powers of two, each aligned to its size (Knuth, The Art of Computer Programming 1, 2.5).
/// Keeps books only; never touches the memory. Not thread-safe.</summary>
/// <param name="addSlab">Gives a new slab aligned to its size, of <see cref="SlabSize"/> bytes; may throw.</param>
/// <param name="removeSlab">Takes back a slab that has no block in use.</param>
internal sealed class BuddyHeap(Func<nuint> addSlab, Action<nuint> removeSlab)
{
    /// <summary>Bytes of a slab: a huge page.</summary>
    internal const int SlabSize = 1 << MaxBits;

    /// <summary>The largest block handed out; what is larger deserves its own mapping.</summary>
    internal const int MaxBlock = SlabSize / 2;

    private const int MaxBits = 21, MinBits = 6;

    private readonly HashSet<nuint>[] _free = [.. Enumerable.Range(0, MaxBits + 1).Select(static _ => new HashSet<nuint>())];
    private readonly Dictionary<nuint, int> _used = [];

    /// <summary>Takes a block of at least <paramref name="size"/> bytes, aligned as asked; both at most <see cref="MaxBlock"/>.</summary>
    internal nuint Take(nuint size, nuint alignment)
    {
        var bits = Math.Max(MinBits, BitOperations.Log2((uint)Math.Max(size, alignment) * 2 - 1));
        var from = bits;
        while (from < MaxBits && _free[from].Count == 0) from++;
        nuint block;
        if (_free[from].Count == 0)
        {
            block = addSlab();
        }
        else
        {
            using var any = _free[from].GetEnumerator();
            any.MoveNext();
            block = any.Current;
            _free[from].Remove(block);
        }
        while (from > bits)
        {
            from--;
            _free[from].Add(block + ((nuint)1 << from));
        }
        _used.Add(block, bits);
        return block;
    }

    /// <summary>Gives a block back.</summary>
    internal void Return(nuint block)
    {
        if (!_used.Remove(block, out var bits)) return;
        while (bits < MaxBits && _free[bits].Remove(block ^ ((nuint)1 << bits)))
        {
            block &= ~((nuint)1 << bits);
            bits++;
        }
        if (bits == MaxBits) removeSlab(block);
        else _free[bits].Add(block);
    }
}
