namespace Spindle.UnitTests.Contract;

/// <summary>What has changed between two surfaces, and which version it needs (docs/release-policy.md).</summary>
internal sealed record ApiChange(IReadOnlyList<string> Breaking, IReadOnlyList<string> Added)
{
    /// <summary>Interfaces that plugins implement; all others the host does, so that a new member of those breaks nobody.</summary>
    private static readonly string[] s_implementedByPlugins = ["Spindle.Rpc.IRpcResult."];

    public static ApiChange Between(IEnumerable<string> before, IEnumerable<string> after)
    {
        var old = before.ToHashSet(StringComparer.Ordinal);
        var now = after.ToHashSet(StringComparer.Ordinal);
        var types = old.Where(line => line.Contains(" : ", StringComparison.Ordinal)).Select(line => line[..line.IndexOf(' ')]).ToHashSet(StringComparer.Ordinal);
        var added = now.Where(line => !old.Contains(line)).Order(StringComparer.Ordinal).ToList();
        // A member that a plugin now has to implement breaks those that do not; on a new type there are none.
        bool Demands(string line) => (line.EndsWith(" abstract", StringComparison.Ordinal) || line.EndsWith(" abstract protected", StringComparison.Ordinal)
            || s_implementedByPlugins.Any(name => line.StartsWith(name, StringComparison.Ordinal))) && types.Any(type => line.StartsWith(type + ".", StringComparison.Ordinal));
        return new ApiChange(
            [.. old.Where(line => !now.Contains(line)).Order(StringComparer.Ordinal).Select(line => $"- {line}"), .. added.Where(Demands).Select(line => $"+ {line}")],
            [.. added.Where(line => !Demands(line)).Select(line => $"+ {line}")]);
    }

    /// <summary>The least version that may follow <paramref name="released"/> with these changes.</summary>
    public Version Required(Version released)
    {
        int patch = Math.Max(0, released.Build);
        if (Breaking.Count > 0) return released.Major == 0 ? new Version(0, released.Minor + 1, 0) : new Version(released.Major + 1, 0, 0);
        if (Added.Count > 0) return released.Major == 0 ? new Version(0, released.Minor, patch + 1) : new Version(released.Major, released.Minor + 1, 0);
        return new Version(released.Major, released.Minor, patch);
    }
}
