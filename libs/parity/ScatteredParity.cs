using Spindle.Memory;

namespace Spindle.Parity;

/// <summary>Parity of strips that lie one after the other in I/O vectors, split anywhere. On any thread.</summary>
[DataPath]
public static unsafe class ScatteredParity
{
    /// <summary>P, and Q if it is wanted, of a stripe's data.</summary>
    /// <param name="data">All data strips, one after the other; at least that many bytes.</param>
    /// <param name="count">Data strips; at most <see cref="GaloisField.MaxData"/>.</param>
    /// <param name="stripBytes">Bytes of a strip.</param>
    /// <param name="p">Where P goes.</param>
    /// <param name="q">Where Q goes; null for none.</param>
    public static void Generate(ReadOnlySpan<IoVec> data, int count, uint stripBytes, byte* p, byte* q)
    {
        byte** pieces = stackalloc byte*[count];
        Span<Position> positions = stackalloc Position[count];
        positions[0] = default;
        for (int i = 1; i < count; i++)
        {
            positions[i] = positions[i - 1];
            positions[i].Advance(data, stripBytes);
        }
        for (uint at = 0; at < stripBytes;)
        {
            uint length = stripBytes - at;
            for (int i = 0; i < count; i++)
            {
                positions[i].Settle(data);
                length = Math.Min(length, positions[i].Contiguous(data));
                pieces[i] = positions[i].Pointer(data);
            }
            if (q is null) StripeParity.Xor(p + at, pieces, count, length);
            else StripeParity.Generate(p + at, q + at, pieces, count, length);
            at += length;
            if (at == stripBytes) return;
            for (int i = 0; i < count; i++) positions[i].Advance(data, length);
        }
    }

    /// <summary>A byte in vectors.</summary>
    private struct Position
    {
        private int _vector;
        private uint _offset;

        internal readonly byte* Pointer(ReadOnlySpan<IoVec> vectors) => vectors[_vector].Pointer + _offset;

        internal readonly uint Contiguous(ReadOnlySpan<IoVec> vectors) => vectors[_vector].Length - _offset;

        /// <summary>Past vectors that are empty or at their end.</summary>
        internal void Settle(ReadOnlySpan<IoVec> vectors)
        {
            while (_offset == vectors[_vector].Length)
            {
                _vector++;
                _offset = 0;
            }
        }

        internal void Advance(ReadOnlySpan<IoVec> vectors, uint bytes)
        {
            while (bytes > vectors[_vector].Length - _offset)
            {
                bytes -= vectors[_vector].Length - _offset;
                _vector++;
                _offset = 0;
            }
            _offset += bytes;
        }
    }
}
