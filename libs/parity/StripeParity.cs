using System.Diagnostics;
using Spindle.Parity.Lanes;

namespace Spindle.Parity;

/// <summary>Parity of the strips of a stripe: P is the XOR of the data, Q the sum of strip i times the generator to the power of i (H. P. Anvin, "The mathematics of RAID-6").
/// All lengths are in bytes; any alignment. Nothing is allocated. On any thread.</summary>
[DataPath]
public static unsafe class StripeParity
{
    /// <summary>Adds (XOR) a strip to another one.</summary>
    public static void Add(byte* target, byte* source, nuint length)
    {
        byte** both = stackalloc byte*[] { target, source };
        Xor(target, both, 2, length);
    }

    /// <summary>The XOR of strips.</summary>
    /// <param name="target">Where to; may be one of the sources.</param>
    /// <param name="sources">The strips.</param>
    /// <param name="count">How many; at least 1.</param>
    /// <param name="length">Bytes of a strip.</param>
    public static void Xor(byte* target, byte** sources, int count, nuint length)
    {
        Debug.Assert(count > 0);
        if (Lanes64.IsSupported) ParityKernels<Lanes64>.Xor(target, sources, count, length);
        else if (Lanes32.IsSupported) ParityKernels<Lanes32>.Xor(target, sources, count, length);
        else if (Lanes16.IsSupported) ParityKernels<Lanes16>.Xor(target, sources, count, length);
        else ParityKernels<Lanes8>.Xor(target, sources, count, length);
    }

    /// <summary>P and Q of a stripe.</summary>
    /// <param name="p">Where P goes.</param>
    /// <param name="q">Where Q goes.</param>
    /// <param name="data">The data strips, the one of coefficient 1 first; a null one counts as zeroes.</param>
    /// <param name="count">How many; at most <see cref="GaloisField.MaxData"/>.</param>
    /// <param name="length">Bytes of a strip.</param>
    public static void Generate(byte* p, byte* q, byte** data, int count, nuint length)
    {
        Debug.Assert(count is > 0 and <= GaloisField.MaxData);
        if (Lanes64.IsSupported) ParityKernels<Lanes64>.Generate(p, q, data, count, length);
        else if (Lanes32.IsSupported) ParityKernels<Lanes32>.Generate(p, q, data, count, length);
        else if (Lanes16.IsSupported) ParityKernels<Lanes16>.Generate(p, q, data, count, length);
        else ParityKernels<Lanes8>.Generate(p, q, data, count, length);
    }

    /// <summary>Adds what has changed in a data strip to Q.</summary>
    /// <param name="q">Q, brought up to date.</param>
    /// <param name="change">The XOR of the strip's old and new data.</param>
    /// <param name="index">Which data strip.</param>
    /// <param name="length">Bytes.</param>
    public static void UpdateQ(byte* q, byte* change, int index, nuint length)
    {
        var tables = new ProductTables(GaloisField.Power(index));
        if (Lanes64.IsSupported) ParityKernels<Lanes64>.MultiplyAdd(q, change, in tables, length);
        else if (Lanes32.IsSupported) ParityKernels<Lanes32>.MultiplyAdd(q, change, in tables, length);
        else if (Lanes16.IsSupported) ParityKernels<Lanes16>.MultiplyAdd(q, change, in tables, length);
        else ParityKernels<Lanes8>.MultiplyAdd(q, change, in tables, length);
    }

    /// <summary>Makes up to two lost strips of a stripe with P and Q again, from all the others.</summary>
    /// <param name="strips">The data strips, then P, then Q. Those that are lost are written.</param>
    /// <param name="count">Data strips; at most <see cref="GaloisField.MaxData"/>.</param>
    /// <param name="first">A lost strip: its index in <paramref name="strips"/>.</param>
    /// <param name="second">Another one, or -1.</param>
    /// <param name="length">Bytes of a strip.</param>
    public static void Recover(byte** strips, int count, int first, int second, nuint length)
    {
        if (Lanes64.IsSupported) StripRecovery<Lanes64>.Recover(strips, count, first, second, length);
        else if (Lanes32.IsSupported) StripRecovery<Lanes32>.Recover(strips, count, first, second, length);
        else if (Lanes16.IsSupported) StripRecovery<Lanes16>.Recover(strips, count, first, second, length);
        else StripRecovery<Lanes8>.Recover(strips, count, first, second, length);
    }
}
