using System.Text;

namespace Spindle.Nvme;

/// <summary>NVMe Qualified Names (NVMe Base Specification 2.0, section 4.5): UTF-8, at most 223 bytes, NUL terminated in 256-byte fields.</summary>
public static class Nqn
{
    /// <summary>Largest length in bytes of a name, without its NUL.</summary>
    public const int MaxLength = 223;

    /// <summary>Length in bytes of a field that holds a name.</summary>
    public const int FieldLength = 256;

    /// <summary>The well-known name of every discovery subsystem.</summary>
    public const string Discovery = "nqn.2014-08.org.nvmexpress.discovery";

    /// <summary>Start of names made from a UUID.</summary>
    public const string UuidPrefix = "nqn.2014-08.org.nvmexpress:uuid:";

    private const int MaxDomainLabelLength = 63;

    /// <summary>The name that identifies a host or subsystem by UUID.</summary>
    public static string FromUuid(Guid uuid) => UuidPrefix + uuid.ToString("D");

    /// <summary>
    /// Checks a name: <c>nqn.yyyy-mm.reverse.domain:anything</c> or <c>nqn.2014-08.org.nvmexpress:uuid:UUID</c>, or the discovery name.
    /// </summary>
    /// <param name="nqn">The name.</param>
    /// <param name="error">What is wrong, for a message to a person; null when valid.</param>
    public static bool TryValidate(string? nqn, out string? error)
    {
        error = Validate(nqn);
        return error is null;
    }

    /// <summary>Whether <see cref="TryValidate"/> succeeds.</summary>
    public static bool IsValid(string? nqn) => Validate(nqn) is null;

    /// <summary>Reads a NUL-terminated name from a 256-byte field; false when the NUL is missing within 224 bytes, the name is empty or not UTF-8.</summary>
    public static bool TryRead(ReadOnlySpan<byte> field, out string nqn)
    {
        nqn = "";
        int end = field[..Math.Min(field.Length, MaxLength + 1)].IndexOf((byte)0);
        if (end <= 0 || !System.Text.Unicode.Utf8.IsValid(field[..end]))
        {
            return false;
        }
        nqn = Encoding.UTF8.GetString(field[..end]);
        return true;
    }

    /// <summary>Writes a name into a field and fills the rest with NULs; throws <see cref="ArgumentException"/> when it does not fit with its NUL.</summary>
    public static void Write(Span<byte> field, string nqn)
    {
        int length = Encoding.UTF8.GetByteCount(nqn);
        if (length > MaxLength || length >= field.Length)
        {
            throw new ArgumentException($"The name has {length} bytes; a name has at most {MaxLength}, and a NUL must follow.", nameof(nqn));
        }
        field.Clear();
        Encoding.UTF8.GetBytes(nqn, field);
    }

    private static string? Validate(string? nqn)
    {
        if (string.IsNullOrEmpty(nqn))
        {
            return "an NQN must not be empty";
        }
        int length;
        try
        {
            length = StrictUtf8.GetByteCount(nqn);
        }
        catch (EncoderFallbackException)
        {
            return "an NQN must be valid Unicode text";
        }
        if (length > MaxLength)
        {
            return $"an NQN has at most {MaxLength} bytes of UTF-8; this one has {length}";
        }
        if (nqn.Contains('\0'))
        {
            return "an NQN must not contain a NUL character";
        }
        if (nqn == Discovery)
        {
            return null;
        }
        if (nqn.StartsWith(UuidPrefix, StringComparison.Ordinal))
        {
            ReadOnlySpan<char> uuid = nqn.AsSpan(UuidPrefix.Length);
            return uuid.Length == 36 && Guid.TryParseExact(uuid, "D", out _) ? null : $"after '{UuidPrefix}' a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx must follow";
        }
        if (!nqn.StartsWith("nqn.", StringComparison.Ordinal))
        {
            return "an NQN starts with 'nqn.'";
        }
        ReadOnlySpan<char> rest = nqn.AsSpan(4);
        if (rest.Length < 8 || !IsDate(rest[..7]) || rest[7] != '.')
        {
            return "after 'nqn.' a date must follow, as yyyy-mm, and a '.'";
        }
        rest = rest[8..];
        int colon = rest.IndexOf(':');
        if (colon < 0 || colon == rest.Length - 1)
        {
            return "an NQN needs a ':' after the domain, and a name after it";
        }
        return ValidateDomain(rest[..colon]);
    }

    private static bool IsDate(ReadOnlySpan<char> text) =>
        char.IsAsciiDigit(text[0]) && char.IsAsciiDigit(text[1]) && char.IsAsciiDigit(text[2]) && char.IsAsciiDigit(text[3])
        && text[4] == '-'
        && int.TryParse(text[5..7], System.Globalization.NumberStyles.None, null, out int month) && month is >= 1 and <= 12;

    private static string? ValidateDomain(ReadOnlySpan<char> domain)
    {
        foreach (Range range in domain.Split('.'))
        {
            ReadOnlySpan<char> label = domain[range];
            if (label.IsEmpty || label.Length > MaxDomainLabelLength)
            {
                return $"each label of the domain has 1 to {MaxDomainLabelLength} characters";
            }
            // RFC 1034 section 3.5, with RFC 1123's digits first.
            if (!char.IsAsciiLetterOrDigit(label[0]) || !char.IsAsciiLetterOrDigit(label[^1]))
            {
                return "each label of the domain starts and ends with a letter or digit";
            }
            foreach (char c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c != '-')
                {
                    return $"'{c}' is not allowed in the domain; letters, digits and '-' are";
                }
            }
        }
        return null;
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, true);
}
