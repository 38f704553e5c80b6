using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Parity.Lanes;

/// <summary>Sixteen bytes: SSSE3 or Arm's AdvSimd.</summary>
[DataPath]
internal readonly unsafe struct Lanes16(Vector128<byte> value) : ILanes<Lanes16>
{
    private readonly Vector128<byte> _value = value;

    public static bool IsSupported
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.IsHardwareAccelerated && (Ssse3.IsSupported || System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported);
    }

    public static int Size => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Load(byte* at) => new(Vector128.Load(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes16 lanes, byte* at) => lanes._value.Store(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Xor(Lanes16 a, Lanes16 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Double(Lanes16 a) =>
        new((a._value + a._value) ^ (Vector128.LessThan(a._value.AsSByte(), Vector128<sbyte>.Zero).AsByte() & Vector128.Create((byte)0x1D)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Multiply(Lanes16 a, in ProductTables tables)
    {
        var nibble = Vector128.Create((byte)15);
        fixed (byte* low = tables.Low, high = tables.High)
        {
            return new(Look(Table(low), a._value & nibble) ^ Look(Table(high), Vector128.ShiftRightLogical(a._value.AsUInt16(), 4).AsByte() & nibble));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Table(byte* table) => Vector128.Load(table);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Look(Vector128<byte> table, Vector128<byte> indexes) =>
        Ssse3.IsSupported ? Ssse3.Shuffle(table, indexes) : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.VectorTableLookup(table, indexes);
}
