namespace Spindle.Bench.Scenarios;

/// <summary>Names with <c>*</c> for any characters (slashes too) and <c>?</c> for one.</summary>
public static class Wildcard
{
    /// <summary>True when the pattern describes the whole name.</summary>
    public static bool Matches(string pattern, string name) =>
        System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Replace("\\", "\\\\", StringComparison.Ordinal), name, ignoreCase: true);
}
