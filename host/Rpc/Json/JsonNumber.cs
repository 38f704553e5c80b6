namespace Spindle.Host.Rpc.Json;

/// <summary>Integers out of JSON numbers: any spelling that equals an integer counts ("5.0", "1e3", "-0"), as in SPDK.</summary>
internal static class JsonNumber
{
    /// <summary>Splits a number into sign and magnitude.</summary>
    /// <param name="text">A valid JSON number.</param>
    /// <param name="negative">True for a number below zero; -0 is not.</param>
    /// <param name="magnitude">The absolute value.</param>
    /// <returns>Null, or why it is no integer of 64 bits.</returns>
    public static string? ToInteger(ReadOnlySpan<byte> text, out bool negative, out ulong magnitude)
    {
        magnitude = 0;
        negative = text[0] == (byte)'-';
        var mantissa = negative ? text[1..] : text;
        long exponent = 0;
        var e = mantissa.IndexOfAny((byte)'e', (byte)'E');
        if (e >= 0)
        {
            exponent = Exponent(mantissa[(e + 1)..]);
            mantissa = mantissa[..e];
        }
        var point = mantissa.IndexOf((byte)'.');
        var whole = point < 0 ? mantissa : mantissa[..point];
        var fraction = point < 0 ? default : mantissa[(point + 1)..].TrimEnd((byte)'0');
        if (fraction.IsEmpty)
        {
            var digits = whole.TrimEnd((byte)'0');
            exponent += whole.Length - digits.Length;
            whole = digits;
        }
        exponent -= fraction.Length;
        whole = whole.TrimStart((byte)'0');
        if (whole.IsEmpty)
        {
            fraction = fraction.TrimStart((byte)'0');
            if (fraction.IsEmpty)
            {
                negative = false;
                return null;
            }
        }
        if (exponent < 0)
        {
            return "must be an integer";
        }
        if (exponent > 20 || whole.Length + fraction.Length + exponent > 20)
        {
            return "is too large";
        }
        UInt128 value = 0;
        foreach (var digit in whole)
        {
            value = (value * 10) + (uint)(digit - '0');
        }
        foreach (var digit in fraction)
        {
            value = (value * 10) + (uint)(digit - '0');
        }
        for (; exponent > 0; exponent--)
        {
            value *= 10;
        }
        if (value > ulong.MaxValue)
        {
            return "is too large";
        }
        magnitude = (ulong)value;
        return null;
    }

    /// <summary>An exponent, held within ±10¹²: nothing beyond that makes a difference.</summary>
    static long Exponent(ReadOnlySpan<byte> text)
    {
        var negative = text[0] == (byte)'-';
        long value = 0;
        foreach (var c in text[0] is (byte)'-' or (byte)'+' ? text[1..] : text)
        {
            value = Math.Min((value * 10) + (c - '0'), 1_000_000_000_000);
        }
        return negative ? -value : value;
    }
}
