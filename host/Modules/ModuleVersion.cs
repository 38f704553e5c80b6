using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Spindle.Host.Modules;

/// <summary>A module's version: three numbers and an optional pre-release label, ordered as SemVer 2.0.0, 11 says.</summary>
public sealed class ModuleVersion : IComparable<ModuleVersion>, IEquatable<ModuleVersion>
{
    private ModuleVersion(int major, int minor, int patch, string label) => (Major, Minor, Patch, Label) = (major, minor, patch, label);

    /// <summary>The first number.</summary>
    public int Major { get; }

    /// <summary>The second number.</summary>
    public int Minor { get; }

    /// <summary>The third number.</summary>
    public int Patch { get; }

    /// <summary>The pre-release label without its hyphen; empty for a release.</summary>
    public string Label { get; }

    /// <summary>Reads "1", "1.2", "1.2.3" or "1.2.3-label"; numbers that are absent are 0.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ModuleVersion? version)
    {
        version = null;
        if (string.IsNullOrEmpty(text) || text.Length > 64) return false;
        int hyphen = text.IndexOf('-');
        string label = hyphen < 0 ? "" : text[(hyphen + 1)..];
        if (hyphen >= 0 && (label.Length == 0 || !label.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-'))) return false;
        var parts = (hyphen < 0 ? text : text[..hyphen]).Split('.');
        if (parts.Length > 3) return false;
        Span<int> numbers = stackalloc int[3];
        numbers.Clear();
        for (int i = 0; i < parts.Length; i++)
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i])) return false;
        version = new ModuleVersion(numbers[0], numbers[1], numbers[2], label);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(ModuleVersion? other)
    {
        if (other is null) return 1;
        int order = (Major, Minor, Patch).CompareTo((other.Major, other.Minor, other.Patch));
        if (order != 0 || Label == other.Label) return order;
        // A release is above all its pre-releases.
        if (Label.Length == 0) return 1;
        return other.Label.Length == 0 ? -1 : CompareLabels(Label.Split('.'), other.Label.Split('.'));
    }

    private static int CompareLabels(string[] left, string[] right)
    {
        for (int i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            bool leftIsNumber = ulong.TryParse(left[i], out ulong a), rightIsNumber = ulong.TryParse(right[i], out ulong b);
            int order = (leftIsNumber, rightIsNumber) switch
            {
                (true, true) => a.CompareTo(b),
                (true, false) => -1,
                (false, true) => 1,
                _ => string.CompareOrdinal(left[i], right[i]),
            };
            if (order != 0) return order;
        }
        return left.Length.CompareTo(right.Length);
    }

    /// <inheritdoc/>
    public bool Equals(ModuleVersion? other) => other is not null && CompareTo(other) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ModuleVersion);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Major, Minor, Patch, Label);

    /// <inheritdoc/>
    public override string ToString() => Label.Length > 0 ? $"{Major}.{Minor}.{Patch}-{Label}" : $"{Major}.{Minor}.{Patch}";
}

/// <summary>Which versions are wanted: an exact one, or all from a first (inclusive) to a last (exclusive).</summary>
public sealed class VersionRange
{
    private VersionRange(ModuleVersion? min, ModuleVersion? max, string text) => (Min, Max, _text) = (min, max, text);

    private readonly string _text;

    /// <summary>Every version.</summary>
    public static VersionRange Any { get; } = new(null, null, "any");

    /// <summary>The first that fits; null for no bound.</summary>
    public ModuleVersion? Min { get; }

    /// <summary>The first above those that fit; null for no bound, and for an exact version.</summary>
    public ModuleVersion? Max { get; }

    private bool IsExact { get; init; }

    /// <summary>Reads "1.2.3" (that version) or "[1.0, 2.0)" (from 1.0, below 2.0).</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out VersionRange? range)
    {
        range = null;
        if (text is null || text.Length < 1) return false;
        if (text[0] != '[')
        {
            if (!ModuleVersion.TryParse(text, out var exact)) return false;
            range = new VersionRange(exact, null, text) { IsExact = true };
            return true;
        }
        var bounds = text[^1] == ')' ? text[1..^1].Split(',') : [];
        if (bounds.Length != 2 || !ModuleVersion.TryParse(bounds[0].Trim(), out var min) || !ModuleVersion.TryParse(bounds[1].Trim(), out var max)
            || min.CompareTo(max) >= 0) return false;
        range = new VersionRange(min, max, text);
        return true;
    }

    /// <summary>True when the version is one of these.</summary>
    public bool Contains(ModuleVersion version) =>
        IsExact ? version.Equals(Min) : (Min is null || version.CompareTo(Min) >= 0) && (Max is null || version.CompareTo(Max) < 0);

    /// <inheritdoc/>
    public override string ToString() => _text;
}
