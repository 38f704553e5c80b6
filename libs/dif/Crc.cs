using System.Numerics;
using System.Runtime.CompilerServices;

namespace Spindle.Dif;

/// <summary>The three guards of protection information. Each continues from an earlier value; 0 starts a new one.</summary>
[DataPath]
public static unsafe class Crc
{
    // Sixteen tables of 256: entry [k][b] is the register after byte b and then k zero bytes.
    private static readonly ushort[] T10Tables = MakeT10();
    private static readonly ulong[] NvmeTables = Make64();

    /// <summary>CRC-16/T10-DIF: polynomial 8BB7h, not reflected, from 0 (SBC-4, 4.21.4.2). Of "123456789": D0DBh.</summary>
    public static ushort T10(ushort crc, byte* data, nuint length)
    {
        ref ushort table = ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(T10Tables);
        uint value = crc;
        if (CrcFolding.IsSupported && length >= CrcFolding.Shortest)
        {
            var folded = CrcFolding.T10(crc, ref data, ref length);
            value = T10(0, (byte*)&folded, 16);
        }
        while (length >= 16)
        {
            value =
                (uint)(T(ref table, 15, data[0] ^ (value >> 8)) ^ T(ref table, 14, data[1] ^ (value & 0xff)) ^
                T(ref table, 13, data[2]) ^ T(ref table, 12, data[3]) ^ T(ref table, 11, data[4]) ^ T(ref table, 10, data[5]) ^
                T(ref table, 9, data[6]) ^ T(ref table, 8, data[7]) ^ T(ref table, 7, data[8]) ^ T(ref table, 6, data[9]) ^
                T(ref table, 5, data[10]) ^ T(ref table, 4, data[11]) ^ T(ref table, 3, data[12]) ^ T(ref table, 2, data[13]) ^
                T(ref table, 1, data[14]) ^ T(ref table, 0, data[15]));
            data += 16;
            length -= 16;
        }
        for (; length > 0; length--) value = (ushort)(value << 8) ^ (uint)T(ref table, 0, *data++ ^ (value >> 8));
        return (ushort)value;
    }

    /// <summary>CRC-32C as NVMe uses it (NVM Command Set Specification 1.0, 5.2.1.2). Of "123456789": E3069283h.</summary>
    public static uint Castagnoli(uint crc, byte* data, nuint length)
    {
        uint value = ~crc;
        for (; length >= 8; length -= 8, data += 8) value = BitOperations.Crc32C(value, Unsafe.ReadUnaligned<ulong>(data));
        for (; length > 0; length--) value = BitOperations.Crc32C(value, *data++);
        return ~value;
    }

    /// <summary>The 64-bit CRC of NVMe: polynomial AD93D23594C93659h, reflected (NVM Command Set Specification 1.0, 5.2.1.3).
    /// Of "123456789": AE8B14860A799888h.</summary>
    public static ulong Nvme64(ulong crc, byte* data, nuint length)
    {
        ref ulong table = ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(NvmeTables);
        ulong value = ~crc;
        if (CrcFolding.IsSupported && length >= CrcFolding.Shortest)
        {
            var folded = CrcFolding.Nvme64(value, ref data, ref length);
            value = ~Nvme64(ulong.MaxValue, (byte*)&folded, 16);
        }
        for (; length >= 8; length -= 8, data += 8)
        {
            ulong word = BitConverter.IsLittleEndian ? Unsafe.ReadUnaligned<ulong>(data)
                : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ulong>(data));
            word ^= value;
            value = T(ref table, 7, (uint)(word & 0xff)) ^ T(ref table, 6, (uint)(word >> 8 & 0xff)) ^
                T(ref table, 5, (uint)(word >> 16 & 0xff)) ^ T(ref table, 4, (uint)(word >> 24 & 0xff)) ^
                T(ref table, 3, (uint)(word >> 32 & 0xff)) ^ T(ref table, 2, (uint)(word >> 40 & 0xff)) ^
                T(ref table, 1, (uint)(word >> 48 & 0xff)) ^ T(ref table, 0, (uint)(word >> 56));
        }
        for (; length > 0; length--) value = T(ref table, 0, (uint)(value ^ *data++) & 0xff) ^ (value >> 8);
        return ~value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TEntry T<TEntry>(ref TEntry table, int k, uint b) where TEntry : struct => Unsafe.Add(ref table, (nuint)(uint)(k << 8) + b);

    private static ushort[] MakeT10()
    {
        var tables = new ushort[16 * 256];
        for (int b = 0; b < 256; b++)
        {
            int value = b << 8;
            for (int bit = 0; bit < 8; bit++) value = (value & 0x8000) != 0 ? value << 1 ^ 0x8BB7 : value << 1;
            tables[b] = (ushort)value;
        }
        for (int k = 1; k < 16; k++)
            for (int b = 0; b < 256; b++)
            {
                ushort before = tables[(k - 1) * 256 + b];
                tables[k * 256 + b] = (ushort)(before << 8 ^ tables[before >> 8]);
            }
        return tables;
    }

    private static ulong[] Make64()
    {
        const ulong reflected = 0x9A6C9329AC4BC9B5;
        var tables = new ulong[8 * 256];
        for (int b = 0; b < 256; b++)
        {
            ulong value = (ulong)b;
            for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ reflected : value >> 1;
            tables[b] = value;
        }
        for (int k = 1; k < 8; k++)
            for (int b = 0; b < 256; b++)
            {
                ulong before = tables[(k - 1) * 256 + b];
                tables[k * 256 + b] = before >> 8 ^ tables[before & 0xff];
            }
        return tables;
    }
}
