using System.Runtime.CompilerServices;
using Spindle.Parity.Lanes;

namespace Spindle.Parity;

/// <summary>The loops, for lanes of one width; what does not fill the lanes is done byte by byte.</summary>
[DataPath]
internal static unsafe class ParityKernels<T> where T : struct, ILanes<T>
{
    /// <summary>XOR of all sources.</summary>
    internal static void Xor(byte* target, byte** sources, int count, nuint length)
    {
        nuint at = 0, size = (nuint)T.Size;
        for (; length - at >= 4 * size; at += 4 * size)
        {
            byte* from = sources[0] + at;
            T a = T.Load(from), b = T.Load(from + size), c = T.Load(from + 2 * size), d = T.Load(from + 3 * size);
            for (int i = 1; i < count; i++)
            {
                from = sources[i] + at;
                a = T.Xor(a, T.Load(from));
                b = T.Xor(b, T.Load(from + size));
                c = T.Xor(c, T.Load(from + 2 * size));
                d = T.Xor(d, T.Load(from + 3 * size));
            }
            byte* to = target + at;
            T.Store(a, to);
            T.Store(b, to + size);
            T.Store(c, to + 2 * size);
            T.Store(d, to + 3 * size);
        }
        for (; length - at >= size; at += size)
        {
            var a = T.Load(sources[0] + at);
            for (int i = 1; i < count; i++) a = T.Xor(a, T.Load(sources[i] + at));
            T.Store(a, target + at);
        }
        for (; at < length; at++)
        {
            byte a = sources[0][at];
            for (int i = 1; i < count; i++) a ^= sources[i][at];
            target[at] = a;
        }
    }

    /// <summary>P and Q of the data by Horner's rule, the last strip first. A null source counts as zeroes.</summary>
    internal static void Generate(byte* p, byte* q, byte** data, int count, nuint length)
    {
        nuint at = 0, size = (nuint)T.Size;
        for (; length - at >= 2 * size; at += 2 * size)
        {
            T p0 = default, p1 = default, q0 = default, q1 = default;
            for (int i = count - 1; i >= 0; i--)
            {
                q0 = T.Double(q0);
                q1 = T.Double(q1);
                byte* from = data[i];
                if (from is null) continue;
                T d0 = T.Load(from + at), d1 = T.Load(from + at + size);
                p0 = T.Xor(p0, d0);
                p1 = T.Xor(p1, d1);
                q0 = T.Xor(q0, d0);
                q1 = T.Xor(q1, d1);
            }
            T.Store(p0, p + at);
            T.Store(p1, p + at + size);
            T.Store(q0, q + at);
            T.Store(q1, q + at + size);
        }
        for (; at < length; at++)
        {
            byte sum = 0, weighted = 0;
            for (int i = count - 1; i >= 0; i--)
            {
                weighted = GaloisField.Double(weighted);
                if (data[i] is null) continue;
                sum ^= data[i][at];
                weighted ^= data[i][at];
            }
            p[at] = sum;
            q[at] = weighted;
        }
    }

    /// <summary>Adds the product of a source with a constant to the target.</summary>
    internal static void MultiplyAdd(byte* target, byte* source, in ProductTables tables, nuint length)
    {
        nuint at = 0, size = (nuint)T.Size;
        for (; length - at >= size; at += size) T.Store(T.Xor(T.Load(target + at), T.Multiply(T.Load(source + at), in tables)), target + at);
        for (; at < length; at++) target[at] ^= tables.Multiply(source[at]);
    }

    /// <summary>The target becomes the sum of both, times a constant.</summary>
    internal static void AddMultiply(byte* target, byte* source, in ProductTables tables, nuint length)
    {
        nuint at = 0, size = (nuint)T.Size;
        for (; length - at >= size; at += size) T.Store(T.Multiply(T.Xor(T.Load(target + at), T.Load(source + at)), in tables), target + at);
        for (; at < length; at++) target[at] = tables.Multiply((byte)(target[at] ^ source[at]));
    }

    /// <summary>Two lost strips of data: from what P and Q of the others are (in <paramref name="y"/> and <paramref name="x"/>) and P and Q themselves (Anvin, 4).</summary>
    internal static void RecoverTwo(byte* x, byte* y, byte* p, byte* q, in ProductTables a, in ProductTables b, nuint length)
    {
        nuint at = 0, size = (nuint)T.Size;
        for (; length - at >= size; at += size)
        {
            var sum = T.Xor(T.Load(p + at), T.Load(y + at));
            var weighted = T.Xor(T.Load(q + at), T.Load(x + at));
            var first = T.Xor(T.Multiply(sum, in a), T.Multiply(weighted, in b));
            T.Store(first, x + at);
            T.Store(T.Xor(first, sum), y + at);
        }
        for (; at < length; at++)
        {
            byte sum = (byte)(p[at] ^ y[at]), weighted = (byte)(q[at] ^ x[at]);
            x[at] = (byte)(a.Multiply(sum) ^ b.Multiply(weighted));
            y[at] = (byte)(x[at] ^ sum);
        }
    }
}
