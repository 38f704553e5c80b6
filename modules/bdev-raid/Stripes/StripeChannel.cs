using Spindle.Memory;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>What a level with parity keeps for one thread.</summary>
internal sealed class StripeChannel : IDisposable
{
    // As many full-stripe writes at a time as SPDK's raid5f has, where they need no more memory than this.
    private const int MostWrites = 32, MostOthers = 16;
    private const ulong MostBytes = 4 << 20;

    private IoVec[] _scratch = new IoVec[32];

    internal StripeChannel(StripeLayout layout, IDmaMemory memory)
    {
        nuint parity = layout.StripBytes * (nuint)layout.Parities, whole = layout.StripBytes * (nuint)layout.Members;
        Parities = new StripePool(memory, parity, (int)Math.Clamp(MostBytes / parity, 2, MostWrites));
        try
        {
            Stripes = new StripePool(memory, whole, (int)Math.Clamp(MostBytes / whole, 2, MostOthers));
        }
        catch
        {
            Parities.Dispose();
            throw;
        }
    }

    /// <summary>Buffers for the parity of a stripe.</summary>
    internal StripePool Parities { get; }

    /// <summary>Buffers for all strips of a stripe, in the order of their roles.</summary>
    internal StripePool Stripes { get; }

    /// <summary>A part of vectors; valid until the next call.</summary>
    [DataPath]
    internal ReadOnlySpan<IoVec> Part(ReadOnlySpan<IoVec> vectors, uint offset, uint length)
    {
        int from = 0, count = 0;
        while (offset >= vectors[from].Length) offset -= vectors[from++].Length;
        while (length > 0)
        {
            uint piece = Math.Min(vectors[from].Length - offset, length);
            if (piece > 0)
            {
                if (count == _scratch.Length) Grow();
                _scratch[count++] = vectors[from].Slice(offset, piece);
            }
            length -= piece;
            offset = 0;
            from++;
        }
        return _scratch.AsSpan(0, count);
    }

    /// <summary>Once for a number of vectors that has not come before.</summary>
    private void Grow() => Array.Resize(ref _scratch, _scratch.Length * 2);

    /// <inheritdoc/>
    public void Dispose()
    {
        Parities.Dispose();
        Stripes.Dispose();
    }
}
