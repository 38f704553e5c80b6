using Spindle.Frontend.Nvmf.Target;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>The discovery filter as text: "match_any", or a comma-separated list.</summary>
internal static class DiscoveryFilterText
{
    private static readonly (string Name, DiscoveryFilter Value)[] s_names =
        [("transport", DiscoveryFilter.Transport), ("address", DiscoveryFilter.Address), ("svcid", DiscoveryFilter.ServiceId)];

    /// <summary>Reads it; null is match_any.</summary>
    public static DiscoveryFilter Parse(string? text)
    {
        if (text is null or "match_any") return DiscoveryFilter.MatchAny;
        DiscoveryFilter filter = DiscoveryFilter.MatchAny;
        foreach (string part in text.Split(','))
        {
            int known = Array.FindIndex(s_names, entry => entry.Name == part.Trim());
            if (known < 0) throw NvmfRpcErrors.InvalidParams($"discovery_filter: '{part}' is none of transport, address, svcid; match_any stands alone.");
            filter |= s_names[known].Value;
        }
        return filter;
    }

    /// <summary>Writes it.</summary>
    public static string Format(DiscoveryFilter filter) => filter == DiscoveryFilter.MatchAny
        ? "match_any" : string.Join(',', s_names.Where(entry => (filter & entry.Value) != 0).Select(entry => entry.Name));
}
