using System.Globalization;
using System.Numerics;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>A set of cores as text: a hexadecimal mask ("0x3") or a list ("[0,2-3]").</summary>
internal static class CoreMask
{
    private const int MaxCore = 1023;

    /// <summary>Reads it; null means all, and gives null. Each core must be one of <paramref name="available"/>.</summary>
    public static IReadOnlyList<int>? Parse(string? text, IReadOnlyList<int> available)
    {
        if (text is null) return null;
        SortedSet<int> cores = text.StartsWith('[') && text.EndsWith(']') ? ParseList(text) : ParseMask(text);
        if (cores.Count == 0) throw NvmfRpcErrors.InvalidParams($"poll_groups_mask '{text}' names no core.");
        foreach (int core in cores)
        {
            if (!available.Contains(core))
                throw NvmfRpcErrors.InvalidParams($"poll_groups_mask '{text}' names core {core}, which has no reactor; the cores are {string.Join(", ", available)}.");
        }
        return [.. cores];
    }

    private static SortedSet<int> ParseMask(string text)
    {
        ReadOnlySpan<char> digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text;
        if (digits.Length is 0 or > (MaxCore + 1) / 4 || !BigInteger.TryParse($"0{digits}", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out BigInteger mask))
            throw Malformed(text);
        SortedSet<int> cores = [];
        for (int core = 0; core <= MaxCore; core++)
        {
            if (!(mask >> core).IsEven) cores.Add(core);
        }
        return cores;
    }

    private static SortedSet<int> ParseList(string text)
    {
        SortedSet<int> cores = [];
        foreach (string part in text[1..^1].Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryCore(ends[0], out int first) || !TryCore(ends[^1], out int last) || last < first) throw Malformed(text);
            for (int core = first; core <= last; core++) cores.Add(core);
        }
        return cores;
    }

    private static bool TryCore(string text, out int core) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out core) && core <= MaxCore;

    private static Spindle.Rpc.RpcException Malformed(string text) =>
        NvmfRpcErrors.InvalidParams($"poll_groups_mask '{text}' is neither a hexadecimal mask (0x3) nor a list of cores ([0,2-3]).");
}
