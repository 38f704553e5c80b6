namespace Spindle.Host.Modules.Installation;

/// <summary>The checksum of zip archives (APPNOTE.TXT 6.3, 4.4.7; ITU-T V.42, 8.1.1.6.2).</summary>
internal static class Crc32
{
    private static readonly uint[] s_table = MakeTable();

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ 0xEDB88320 : value >> 1;
            table[i] = value;
        }
        return table;
    }

    /// <summary>Goes on with a checksum; the first one is 0.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        crc = ~crc;
        foreach (byte value in data) crc = s_table[(byte)(crc ^ value)] ^ crc >> 8;
        return ~crc;
    }
}
