using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Nvme.Digests;

/// <summary>
/// CRC-32C (Castagnoli, reflected polynomial 82F63B78h), the digest of NVMe/TCP headers and data (NVMe TCP Transport Specification 1.0, "PDU Header Digest" and "PDU Data Digest")
/// and of iSCSI (RFC 3720, section 12.1). A digest is sent little-endian. Thread-safe, no allocation.
/// </summary>
/// <remarks>
/// Incremental use: start with <see cref="Initial"/>, feed pieces through <see cref="Update"/>, end with <see cref="Finish"/>.
/// On x64 with SSE4.2 long buffers are taken as three streams at once, because the crc32 instruction takes 3 cycles and starts one per cycle;
/// the streams are joined by shifting a CRC over a known number of zero bytes with tables.
/// </remarks>
public static class Crc32C
{
    /// <summary>State before the first byte.</summary>
    public const uint Initial = 0xFFFF_FFFF;

    // Bytes per stream of the 3-way loops. The tables below shift a CRC over that many bytes.
    private const int LongBlock = 1360;
    private const int ShortBlock = 168;

    private static readonly uint[] LongShift = Crc32CTables.BuildZeroShift(LongBlock);
    private static readonly uint[] ShortShift = Crc32CTables.BuildZeroShift(ShortBlock);

    /// <summary>The digest of one buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Compute(ReadOnlySpan<byte> data) => Finish(Update(Initial, data));

    /// <summary>The digest from a state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Finish(uint state) => ~state;

    /// <summary>The state after <paramref name="data"/>.</summary>
    public static uint Update(uint state, ReadOnlySpan<byte> data)
    {
        if (Sse42.X64.IsSupported)
        {
            return UpdateX64(state, ref MemoryMarshal.GetReference(data), data.Length);
        }
        if (Crc32.Arm64.IsSupported)
        {
            return UpdateArm64(state, ref MemoryMarshal.GetReference(data), data.Length);
        }
        return UpdateSoftware(state, data);
    }

    /// <summary>The same by tables alone; for processors without a CRC instruction, and for tests.</summary>
    public static uint UpdateSoftware(uint state, ReadOnlySpan<byte> data) => Crc32CTables.Update(state, data);

    private static uint UpdateX64(uint state, ref byte data, int length)
    {
        ulong crc = state;
        nint i = 0;
        while (length - i >= 3 * LongBlock)
        {
            crc = ThreeStreams(crc, ref Unsafe.Add(ref data, i), LongBlock, LongShift);
            i += 3 * LongBlock;
        }
        while (length - i >= 3 * ShortBlock)
        {
            crc = ThreeStreams(crc, ref Unsafe.Add(ref data, i), ShortBlock, ShortShift);
            i += 3 * ShortBlock;
        }
        for (; length - i >= 8; i += 8)
        {
            crc = Sse42.X64.Crc32(crc, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, i)));
        }
        uint crc32 = (uint)crc;
        for (; i < length; i++)
        {
            crc32 = Sse42.Crc32(crc32, Unsafe.Add(ref data, i));
        }
        return crc32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ThreeStreams(ulong crc, ref byte data, int block, uint[] shift)
    {
        ulong a = crc, b = 0, c = 0;
        for (nint i = 0; i < block; i += 8)
        {
            a = Sse42.X64.Crc32(a, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, i)));
            b = Sse42.X64.Crc32(b, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, i + block)));
            c = Sse42.X64.Crc32(c, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, i + 2 * block)));
        }
        a = Crc32CTables.Shift(shift, (uint)a) ^ b;
        return Crc32CTables.Shift(shift, (uint)a) ^ c;
    }

    private static uint UpdateArm64(uint state, ref byte data, int length)
    {
        uint crc = state;
        nint i = 0;
        for (; length - i >= 8; i += 8)
        {
            crc = Crc32.Arm64.ComputeCrc32C(crc, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, i)));
        }
        for (; i < length; i++)
        {
            crc = Crc32.ComputeCrc32C(crc, Unsafe.Add(ref data, i));
        }
        return crc;
    }
}
