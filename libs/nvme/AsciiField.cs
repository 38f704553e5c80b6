namespace Spindle.Nvme;

/// <summary>ASCII text in fixed fields, left justified and padded with spaces (NVMe Base Specification 2.0, section 1.4.2: ASCII strings hold 20h to 7Eh).</summary>
public static class AsciiField
{
    /// <summary>Writes text and pads with spaces; characters outside 20h to 7Eh become '?', what does not fit is cut off. No allocation.</summary>
    public static void Write(Span<byte> field, ReadOnlySpan<char> text)
    {
        int length = Math.Min(field.Length, text.Length);
        for (int i = 0; i < length; i++)
        {
            char c = text[i];
            field[i] = c is >= ' ' and <= '~' ? (byte)c : (byte)'?';
        }
        field[length..].Fill((byte)' ');
    }

    /// <summary>Reads text without its padding of spaces (and NULs, which some controllers send); other bytes outside 20h to 7Eh become '?'.</summary>
    public static string Read(ReadOnlySpan<byte> field)
    {
        ReadOnlySpan<byte> text = field.TrimEnd(" \0"u8);
        return string.Create(text.Length, text, static (chars, bytes) =>
        {
            for (int i = 0; i < chars.Length; i++)
            {
                chars[i] = bytes[i] is >= 0x20 and <= 0x7E ? (char)bytes[i] : '?';
            }
        });
    }

    /// <summary>Whether a text fits: not longer than the field and all of 20h to 7Eh.</summary>
    public static bool Fits(ReadOnlySpan<char> text, int fieldLength) => text.Length <= fieldLength && !text.ContainsAnyExceptInRange(' ', '~');
}
