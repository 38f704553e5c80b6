using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Dif;

/// <summary>Reduces a long message to 16 bytes with the same CRC, by the processor's carry-less multiplication: a block of 16 bytes at distance d from another
/// is congruent to its halves times x^(d+64) and x^d modulo the polynomial. Four such chains run at a time, since one multiplication takes several cycles.</summary>
[DataPath]
internal static unsafe class CrcFolding
{
    private const int Step = 64;

    // For four blocks ahead, and for one: the factors of the half that element 0 holds, and of element 1's.
    private static readonly Vector128<ulong> T10Ahead = Vector128.Create(T10Power(512), T10Power(576));
    private static readonly Vector128<ulong> T10Next = Vector128.Create(T10Power(128), T10Power(192));
    // Bit-reflected: element 0 is the higher half, and a product lacks a factor of x.
    private static readonly Vector128<ulong> NvmeAhead = Vector128.Create(NvmePower(575), NvmePower(511));
    private static readonly Vector128<ulong> NvmeNext = Vector128.Create(NvmePower(191), NvmePower(127));
    private static readonly Vector128<byte> Reversed = Vector128.Create((byte)15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);

    /// <summary>Below this the tables are as fast.</summary>
    internal const int Shortest = 2 * Step;

    internal static bool IsSupported
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Pclmulqdq.IsSupported && Ssse3.IsSupported;
    }

    /// <summary>16 bytes with the CRC-16/T10-DIF, from 0, of the whole steps of a message.</summary>
    /// <param name="crc">The value to continue from.</param>
    /// <param name="data">The message, moved on.</param>
    /// <param name="length">Its bytes, at least one step; what is left.</param>
    internal static Vector128<byte> T10(ushort crc, ref byte* data, ref nuint length)
    {
        var a = T10Load(data) ^ Vector128.Create(0, (ulong)crc << 48);
        var b = T10Load(data + 16);
        var c = T10Load(data + 32);
        var d = T10Load(data + 48);
        for (data += Step, length -= Step; length >= Step; data += Step, length -= Step)
        {
            a = Fold(a, T10Ahead) ^ T10Load(data);
            b = Fold(b, T10Ahead) ^ T10Load(data + 16);
            c = Fold(c, T10Ahead) ^ T10Load(data + 32);
            d = Fold(d, T10Ahead) ^ T10Load(data + 48);
        }
        b ^= Fold(a, T10Next);
        c ^= Fold(b, T10Next);
        d ^= Fold(c, T10Next);
        return Ssse3.Shuffle(d.AsByte(), Reversed);
    }

    /// <summary>16 bytes with the register of NVMe's 64-bit CRC, from 0, of the whole steps of a message.</summary>
    /// <param name="register">The register to continue from.</param>
    /// <param name="data">The message, moved on.</param>
    /// <param name="length">Its bytes, at least one step; what is left.</param>
    internal static Vector128<byte> Nvme64(ulong register, ref byte* data, ref nuint length)
    {
        var a = Vector128.Load((ulong*)data) ^ Vector128.Create(register, 0);
        var b = Vector128.Load((ulong*)(data + 16));
        var c = Vector128.Load((ulong*)(data + 32));
        var d = Vector128.Load((ulong*)(data + 48));
        for (data += Step, length -= Step; length >= Step; data += Step, length -= Step)
        {
            a = Fold(a, NvmeAhead) ^ Vector128.Load((ulong*)data);
            b = Fold(b, NvmeAhead) ^ Vector128.Load((ulong*)(data + 16));
            c = Fold(c, NvmeAhead) ^ Vector128.Load((ulong*)(data + 32));
            d = Fold(d, NvmeAhead) ^ Vector128.Load((ulong*)(data + 48));
        }
        b ^= Fold(a, NvmeNext);
        c ^= Fold(b, NvmeNext);
        d ^= Fold(c, NvmeNext);
        return d.AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> T10Load(byte* at) => Ssse3.Shuffle(Vector128.Load(at), Reversed).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Fold(Vector128<ulong> block, Vector128<ulong> factors) =>
        Pclmulqdq.CarrylessMultiply(block, factors, 0x00) ^ Pclmulqdq.CarrylessMultiply(block, factors, 0x11);

    /// <summary>x to a power modulo the polynomial of T10.</summary>
    private static ulong T10Power(int exponent)
    {
        uint power = 1;
        for (; exponent > 0; exponent--) power = (power & 0x8000) != 0 ? (power << 1 ^ 0x18BB7) & 0xFFFF : power << 1;
        return power;
    }

    /// <summary>x to a power modulo the polynomial of NVMe, its bits reflected.</summary>
    private static ulong NvmePower(int exponent)
    {
        ulong power = 1, reflected = 0;
        for (; exponent > 0; exponent--) power = (power & 1UL << 63) != 0 ? power << 1 ^ 0xAD93D23594C93659 : power << 1;
        for (int i = 0; i < 64; i++) reflected |= (power >> i & 1) << (63 - i);
        return reflected;
    }
}
