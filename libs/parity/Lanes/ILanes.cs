namespace Spindle.Parity.Lanes;

/// <summary>Bytes that are worked on at a time, each an element of the field. The compiler makes the kernels once for each width.</summary>
internal unsafe interface ILanes<T> where T : struct, ILanes<T>
{
    /// <summary>Whether this processor has them.</summary>
    static abstract bool IsSupported { get; }

    /// <summary>How many.</summary>
    static abstract int Size { get; }

    static abstract T Load(byte* at);

    static abstract void Store(T lanes, byte* at);

    static abstract T Xor(T a, T b);

    /// <summary>Each times 2.</summary>
    static abstract T Double(T a);

    /// <summary>Each times a constant: the products of its low and of its high four bits, from tables of 16 (Anvin, "The mathematics of RAID-6", 4).</summary>
    static abstract T Multiply(T a, in ProductTables tables);
}

/// <summary>The products of a constant with 0 to 15, and with 16 times those.</summary>
internal unsafe struct ProductTables
{
    internal fixed byte Low[16];
    internal fixed byte High[16];

    internal ProductTables(byte coefficient)
    {
        for (int i = 0; i < 16; i++)
        {
            Low[i] = GaloisField.Multiply(coefficient, (byte)i);
            High[i] = GaloisField.Multiply(coefficient, (byte)(i << 4));
        }
    }

    internal readonly byte Multiply(byte a) => (byte)(Low[a & 15] ^ High[a >> 4]);
}
