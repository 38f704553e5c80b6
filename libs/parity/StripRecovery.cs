using System.Diagnostics;
using Spindle.Parity.Lanes;

namespace Spindle.Parity;

/// <summary>Which of the ways leads to lost strips (Anvin, "The mathematics of RAID-6", 3 and 4).</summary>
[DataPath]
internal static unsafe class StripRecovery<T> where T : struct, ILanes<T>
{
    internal static void Recover(byte** strips, int count, int first, int second, nuint length)
    {
        int p = count, q = count + 1;
        if (second >= 0 && second < first) (first, second) = (second, first);
        Debug.Assert(first >= 0 && first <= q && second <= q && first != second);
        if (first >= p)
        {
            Parities(strips, count, first == p, first == q || second == q, length);
            return;
        }
        if (second < 0 || second == q)
        {
            // By P: what is lost is the XOR of all others.
            byte** others = stackalloc byte*[count];
            for (int i = 0, to = 0; i <= count; i++)
                if (i != first) others[to++] = strips[i];
            ParityKernels<T>.Xor(strips[first], others, count, length);
            if (second == q) Parities(strips, count, false, true, length);
            return;
        }
        byte** known = stackalloc byte*[count];
        for (int i = 0; i < count; i++) known[i] = i == first || i == second ? null : strips[i];
        if (second == p)
        {
            // By Q: (Q + Qx) / g^x. P's buffer has what is not needed.
            ParityKernels<T>.Generate(strips[p], strips[first], known, count, length);
            ParityKernels<T>.AddMultiply(strips[first], strips[q], new ProductTables(GaloisField.Power(-first)), length);
            ParityKernels<T>.Xor(strips[p], strips, count, length);
            return;
        }
        // By both: Dx = A (P + Pxy) + B (Q + Qxy) with A = g^(y-x) / (g^(y-x) + 1), B = g^-x / (g^(y-x) + 1); Dy = P + Pxy + Dx.
        ParityKernels<T>.Generate(strips[second], strips[first], known, count, length);
        byte ratio = GaloisField.Power(second - first), divisor = GaloisField.Inverse((byte)(ratio ^ 1));
        var a = new ProductTables(GaloisField.Multiply(ratio, divisor));
        var b = new ProductTables(GaloisField.Multiply(GaloisField.Power(-first), divisor));
        ParityKernels<T>.RecoverTwo(strips[first], strips[second], strips[p], strips[q], in a, in b, length);
    }

    private static void Parities(byte** strips, int count, bool p, bool q, nuint length)
    {
        if (!q)
        {
            ParityKernels<T>.Xor(strips[count], strips, count, length);
            return;
        }
        if (p)
        {
            ParityKernels<T>.Generate(strips[count], strips[count + 1], strips, count, length);
            return;
        }
        // Q alone: P is there and stays untouched, in pieces beside it.
        const int Piece = 512;
        byte* unused = stackalloc byte[Piece];
        byte** parts = stackalloc byte*[count];
        for (nuint at = 0; at < length; at += Piece)
        {
            for (int i = 0; i < count; i++) parts[i] = strips[i] + at;
            ParityKernels<T>.Generate(unused, strips[count + 1] + at, parts, count, nuint.Min(Piece, length - at));
        }
    }
}
