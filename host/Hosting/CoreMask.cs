using System.Globalization;
using System.Numerics;

namespace Spindle.Host.Hosting;

/// <summary>Reads which cores to use: a mask in hexadecimal ("0x3", "3") or a list ("[0,2-3]"), as SPDK's <c>-m</c> does.</summary>
public static class CoreMask
{
    private const int MaxCore = 4095;

    /// <summary>The cores that the text names, ascending.</summary>
    /// <exception cref="SpindleException">EINVAL: the text names none, or is neither a mask nor a list.</exception>
    public static IReadOnlyList<int> Parse(string text)
    {
        var cores = text.StartsWith('[') ? ParseList(text) : ParseMask(text);
        return cores.Count > 0 ? cores : throw Invalid(text, "names no core");
    }

    private static List<int> ParseMask(string text)
    {
        var digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        if (digits.Length is 0 or > (MaxCore + 1) / 4 || !digits.All(char.IsAsciiHexDigit)) throw Invalid(text, "is not a core mask");
        // A digit before it keeps the number positive.
        var mask = BigInteger.Parse("0" + digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        var cores = new List<int>();
        for (int core = 0; !mask.IsZero; core++, mask >>= 1)
            if (!mask.IsEven) cores.Add(core);
        return cores;
    }

    private static List<int> ParseList(string text)
    {
        if (!text.EndsWith(']')) throw Invalid(text, "has no ']'");
        var cores = new SortedSet<int>();
        foreach (var part in text[1..^1].Split(',', StringSplitOptions.TrimEntries))
        {
            var bounds = part.Split('-');
            if (bounds.Length > 2 || !TryCore(bounds[0], out int first) || !TryCore(bounds[^1], out int last) || last < first)
                throw Invalid(text, $"has '{part}', which is no core and no range of cores");
            for (int core = first; core <= last; core++) cores.Add(core);
        }
        return [.. cores];
    }

    private static bool TryCore(string text, out int core) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out core) && core <= MaxCore;

    private static SpindleException Invalid(string text, string problem) =>
        new(Errno.EINVAL, $"Core mask '{text}' {problem}; give a mask (0x3) or a list ([0,2-3]).");
}
