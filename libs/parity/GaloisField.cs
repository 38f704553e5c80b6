namespace Spindle.Parity;

/// <summary>GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (11Dh) and the generator 2, as in H. P. Anvin, "The mathematics of RAID-6", 2. On any thread.</summary>
public static class GaloisField
{
    private static readonly byte[] Powers = MakePowers();
    private static readonly byte[] Logarithms = MakeLogarithms();

    /// <summary>The most data strips whose coefficients differ: powers of the generator repeat after 255.</summary>
    public const int MaxData = 255;

    /// <summary>The generator to a power.</summary>
    /// <param name="exponent">Any; it counts modulo 255.</param>
    public static byte Power(int exponent) => Powers[(exponent % 255 + 255) % 255];

    /// <summary>The product.</summary>
    public static byte Multiply(byte a, byte b) => a == 0 || b == 0 ? (byte)0 : Powers[(Logarithms[a] + Logarithms[b]) % 255];

    /// <summary>The inverse.</summary>
    /// <param name="a">Not 0.</param>
    /// <exception cref="DivideByZeroException">It is 0.</exception>
    public static byte Inverse(byte a) => a == 0 ? throw new DivideByZeroException("0 has no inverse.") : Powers[(255 - Logarithms[a]) % 255];

    /// <summary>The product with 2.</summary>
    internal static byte Double(byte a) => (byte)(a << 1 ^ (a >> 7) * 0x1D);

    private static byte[] MakePowers()
    {
        byte[] powers = new byte[255];
        byte power = 1;
        for (int i = 0; i < 255; i++, power = Double(power)) powers[i] = power;
        return powers;
    }

    private static byte[] MakeLogarithms()
    {
        byte[] logarithms = new byte[256];
        for (int i = 0; i < 255; i++) logarithms[Powers[i]] = (byte)i;
        return logarithms;
    }
}
