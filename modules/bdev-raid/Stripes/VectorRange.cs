using Spindle.Memory;
using Spindle.Parity;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>A range of bytes in vectors, moved from or to memory that is in one piece.</summary>
[DataPath]
internal static unsafe class VectorRange
{
    internal static void CopyTo(ReadOnlySpan<IoVec> vectors, uint offset, uint length, byte* target) => Each(vectors, offset, length, target, 0);

    internal static void CopyFrom(ReadOnlySpan<IoVec> vectors, uint offset, uint length, byte* source) => Each(vectors, offset, length, source, 1);

    /// <summary>Adds (XOR) the range to memory.</summary>
    internal static void AddTo(ReadOnlySpan<IoVec> vectors, uint offset, uint length, byte* target) => Each(vectors, offset, length, target, 2);

    private static void Each(ReadOnlySpan<IoVec> vectors, uint offset, uint length, byte* memory, int what)
    {
        for (int i = 0; length > 0; i++)
        {
            uint here = vectors[i].Length;
            if (offset >= here)
            {
                offset -= here;
                continue;
            }
            uint piece = Math.Min(here - offset, length);
            byte* at = vectors[i].Pointer + offset;
            if (what == 0) Buffer.MemoryCopy(at, memory, piece, piece);
            else if (what == 1) Buffer.MemoryCopy(memory, at, piece, piece);
            else StripeParity.Add(memory, at, piece);
            memory += piece;
            length -= piece;
            offset = 0;
        }
    }
}
