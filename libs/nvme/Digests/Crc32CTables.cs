using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Spindle.Nvme.Digests;

/// <summary>CRC-32C by tables, eight bytes at a time, and shifting a CRC over zero bytes.</summary>
internal static class Crc32CTables
{
    private const uint Polynomial = 0x82F6_3B78;

    // [k * 256 + b]: the CRC of byte b followed by k zero bytes.
    private static readonly uint[] Slices = BuildSlices();

    public static uint Update(uint crc, ReadOnlySpan<byte> data)
    {
        uint[] t = Slices;
        while (data.Length >= 8)
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(data) ^ crc;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            crc = t[7 * 256 + (byte)low] ^ t[6 * 256 + (byte)(low >> 8)] ^ t[5 * 256 + (byte)(low >> 16)] ^ t[4 * 256 + (byte)(low >> 24)]
                ^ t[3 * 256 + (byte)high] ^ t[2 * 256 + (byte)(high >> 8)] ^ t[256 + (byte)(high >> 16)] ^ t[(byte)(high >> 24)];
            data = data[8..];
        }
        foreach (byte b in data)
        {
            crc = t[(byte)(crc ^ b)] ^ (crc >> 8);
        }
        return crc;
    }

    /// <summary>Four tables of 256: entry [k * 256 + b] is byte k of a CRC, of value b, after <paramref name="zeroBytes"/> zero bytes. CRC is linear, so a whole CRC is the XOR of four entries.</summary>
    public static uint[] BuildZeroShift(int zeroBytes)
    {
        // Columns of the linear map: where each single bit goes.
        Span<uint> columns = stackalloc uint[32];
        for (int bit = 0; bit < 32; bit++)
        {
            uint crc = 1u << bit;
            for (int i = 0; i < zeroBytes; i++)
            {
                crc = Slices[(byte)crc] ^ (crc >> 8);
            }
            columns[bit] = crc;
        }
        uint[] table = new uint[4 * 256];
        for (int k = 0; k < 4; k++)
        {
            for (int b = 0; b < 256; b++)
            {
                uint crc = 0;
                for (int bit = 0; bit < 8; bit++)
                {
                    if ((b & (1 << bit)) != 0)
                    {
                        crc ^= columns[k * 8 + bit];
                    }
                }
                table[k * 256 + b] = crc;
            }
        }
        return table;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Shift(uint[] table, uint crc) =>
        table[(byte)crc] ^ table[256 + (byte)(crc >> 8)] ^ table[512 + (byte)(crc >> 16)] ^ table[768 + (byte)(crc >> 24)];

    private static uint[] BuildSlices()
    {
        uint[] table = new uint[8 * 256];
        for (uint b = 0; b < 256; b++)
        {
            uint crc = b;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ Polynomial : crc >> 1;
            }
            table[b] = crc;
        }
        for (int k = 1; k < 8; k++)
        {
            for (int b = 0; b < 256; b++)
            {
                uint previous = table[(k - 1) * 256 + b];
                table[k * 256 + b] = table[(byte)previous] ^ (previous >> 8);
            }
        }
        return table;
    }
}
