using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Parity.Lanes;

/// <summary>Sixty-four bytes: AVX-512BW.</summary>
[DataPath]
internal readonly unsafe struct Lanes64(Vector512<byte> value) : ILanes<Lanes64>
{
    private readonly Vector512<byte> _value = value;

    public static bool IsSupported
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.IsHardwareAccelerated && Avx512BW.IsSupported;
    }

    public static int Size => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes64 Load(byte* at) => new(Vector512.Load(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes64 lanes, byte* at) => lanes._value.Store(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes64 Xor(Lanes64 a, Lanes64 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes64 Double(Lanes64 a) =>
        new((a._value + a._value) ^ (Vector512.LessThan(a._value.AsSByte(), Vector512<sbyte>.Zero).AsByte() & Vector512.Create((byte)0x1D)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes64 Multiply(Lanes64 a, in ProductTables tables)
    {
        var nibble = Vector512.Create((byte)15);
        fixed (byte* low = tables.Low, high = tables.High)
        {
            return new(Look(Table(low), a._value & nibble) ^ Look(Table(high), Vector512.ShiftRightLogical(a._value.AsUInt16(), 4).AsByte() & nibble));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Table(byte* table)
    {
        var half = Avx2.BroadcastVector128ToVector256(table);
        return Vector512.Create(half, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Look(Vector512<byte> table, Vector512<byte> indexes) => Avx512BW.IsSupported
        ? Avx512BW.Shuffle(table, indexes)
        // In halves, for the tests of processors that have no more.
        : Vector512.Create(Avx2.Shuffle(table.GetLower(), indexes.GetLower()), Avx2.Shuffle(table.GetUpper(), indexes.GetUpper()));
}
