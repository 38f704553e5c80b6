namespace Spindle.Bdev.Gpt;

/// <summary>The CRC-32 of Ethernet, which partition tables are protected by (UEFI 2.10, 5.3.2).</summary>
public static class Crc32
{
    private static readonly uint[] s_table = [.. Enumerable.Range(0, 256).Select(static i =>
    {
        uint value = (uint)i;
        for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320 : value >> 1;
        return value;
    })];

    /// <summary>Of some bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => ~Add(uint.MaxValue, bytes);

    /// <summary>Of some bytes, four of which count as zero.</summary>
    public static uint OfWithZeroes(ReadOnlySpan<byte> bytes, int zeroesAt) =>
        ~Add(Add(Add(uint.MaxValue, bytes[..zeroesAt]), "\0\0\0\0"u8), bytes[(zeroesAt + 4)..]);

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes) crc = (crc >> 8) ^ s_table[(byte)(crc ^ b)];
        return crc;
    }
}
