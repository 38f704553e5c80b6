namespace Spindle.Bdev.Crypto.Keys;

/// <summary>Keys as hexadecimal digits. What is wrong with one is told without a digit of it.</summary>
internal static class HexKey
{
    /// <summary>Reads a key.</summary>
    /// <param name="digits">32 hexadecimal digits for AES-128, 64 for AES-256, in ASCII.</param>
    /// <param name="member">What errors name.</param>
    /// <param name="key">At least 32 bytes; gets the key.</param>
    /// <returns>Bytes of the key.</returns>
    /// <exception cref="SpindleException">EINVAL: it is no such key.</exception>
    internal static int Parse(ReadOnlySpan<byte> digits, string member, Span<byte> key)
    {
        if (digits.Length is not (32 or 64))
            throw new SpindleException(Errno.EINVAL, $"{member} has {digits.Length} hexadecimal digits; AES-128 takes 32, AES-256 takes 64.");
        for (int i = 0; i < digits.Length; i++)
        {
            int value = Nibble(digits[i]);
            if (value < 0) throw new SpindleException(Errno.EINVAL, $"{member} has something else than a hexadecimal digit at position {i + 1}.");
            key[i / 2] = (byte)(i % 2 == 0 ? value << 4 : key[i / 2] | value);
        }
        return digits.Length / 2;
    }

    /// <summary>Reads a key from a string.</summary>
    internal static int Parse(string digits, string member, Span<byte> key)
    {
        // Not a digit longer than it may be: the rest need not be copied to be refused.
        Span<byte> ascii = stackalloc byte[65];
        int length = Math.Min(digits.Length, 65);
        for (int i = 0; i < length; i++) ascii[i] = digits[i] < 0x80 ? (byte)digits[i] : (byte)0;
        try
        {
            if (digits.Length > 64) throw new SpindleException(Errno.EINVAL, $"{member} has {digits.Length} hexadecimal digits; AES-128 takes 32, AES-256 takes 64.");
            return Parse(ascii[..length], member, key);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(ascii);
        }
    }

    /// <summary>Overwrites a string that the caller alone knows: one that was made for a call's parameters. Its length stays.</summary>
    internal static void Overwrite(string? text)
    {
        // Nobody shares it, since the binder made it from the request; a short one, or one of the program, might be the runtime's own.
        if (text is not { Length: > 1 } || ReferenceEquals(string.IsInterned(text), text)) return;
        System.Runtime.InteropServices.MemoryMarshal.AsMemory(text.AsMemory()).Span.Clear();
    }

    private static int Nibble(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => digit - 'A' + 10,
        _ => -1,
    };
}
