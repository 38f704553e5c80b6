using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Parity.Lanes;

/// <summary>Eight bytes in a register of any 64-bit processor.</summary>
[DataPath]
internal readonly unsafe struct Lanes8(ulong value) : ILanes<Lanes8>
{
    private readonly ulong _value = value;

    public static bool IsSupported => true;

    public static int Size => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Load(byte* at) => new(Unsafe.ReadUnaligned<ulong>(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes8 lanes, byte* at) => Unsafe.WriteUnaligned(at, lanes._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Xor(Lanes8 a, Lanes8 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Double(Lanes8 a)
    {
        ulong carries = a._value >> 7 & 0x0101010101010101;
        return new((a._value & 0x7F7F7F7F7F7F7F7F) << 1 ^ carries * 0x1D);
    }

    public static Lanes8 Multiply(Lanes8 a, in ProductTables tables)
    {
        ulong product = a._value;
        foreach (ref byte one in MemoryMarshal.AsBytes(new Span<ulong>(ref product))) one = tables.Multiply(one);
        return new(product);
    }
}
