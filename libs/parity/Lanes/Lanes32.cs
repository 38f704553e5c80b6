using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Parity.Lanes;

/// <summary>Thirty-two bytes: AVX2.</summary>
[DataPath]
internal readonly unsafe struct Lanes32(Vector256<byte> value) : ILanes<Lanes32>
{
    private readonly Vector256<byte> _value = value;

    public static bool IsSupported
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256.IsHardwareAccelerated && Avx2.IsSupported;
    }

    public static int Size => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes32 Load(byte* at) => new(Vector256.Load(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes32 lanes, byte* at) => lanes._value.Store(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes32 Xor(Lanes32 a, Lanes32 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes32 Double(Lanes32 a) =>
        new((a._value + a._value) ^ (Vector256.LessThan(a._value.AsSByte(), Vector256<sbyte>.Zero).AsByte() & Vector256.Create((byte)0x1D)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes32 Multiply(Lanes32 a, in ProductTables tables)
    {
        var nibble = Vector256.Create((byte)15);
        fixed (byte* low = tables.Low, high = tables.High)
        {
            return new(Look(Table(low), a._value & nibble) ^ Look(Table(high), Vector256.ShiftRightLogical(a._value.AsUInt16(), 4).AsByte() & nibble));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Table(byte* table) => Avx2.BroadcastVector128ToVector256(table);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Look(Vector256<byte> table, Vector256<byte> indexes) => Avx2.Shuffle(table, indexes);
}
