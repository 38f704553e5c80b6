using System.Diagnostics.CodeAnalysis;

namespace Spindle.Testing;

/// <summary>A plugin, or a test of one, broke a rule. The message names the rule and what was seen.</summary>
public sealed class ConformanceException : Exception
{
    /// <param name="message">What was seen.</param>
    public ConformanceException(string message) : this("", message) { }

    /// <param name="rule">The rule's id; empty when it belongs to none.</param>
    /// <param name="message">What was seen.</param>
    public ConformanceException(string rule, string message) : base(rule.Length > 0 ? $"{rule}: {message}" : message)
    {
        Rule = rule;
        Finding = message;
    }

    /// <summary>The id of the rule that was broken; empty when it belongs to none.</summary>
    public string Rule { get; }

    /// <summary>What was seen, without the rule's id.</summary>
    public string Finding { get; }
}

/// <summary>Asserts without a test framework.</summary>
internal static class Check
{
    public static void That([DoesNotReturnIf(false)] bool condition, string message)
    {
        if (!condition) throw new ConformanceException(message);
    }

    public static void Succeeded(Outcome outcome, string what) => That(outcome.IsSuccess, $"{what}: {outcome}");

    public static void Same(byte[] expected, byte[] actual, string what) => Same((ReadOnlySpan<byte>)expected, actual, what);

    public static void Zero(byte[] bytes, string what) => Zero((ReadOnlySpan<byte>)bytes, what);

    public static void Same(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        int same = expected.CommonPrefixLength(actual);
        if (same == expected.Length && same == actual.Length) return;
        string wanted = same < expected.Length ? $"{expected[same]:x2}" : "the end", found = same < actual.Length ? $"{actual[same]:x2}" : "the end";
        throw new ConformanceException($"{what}: byte {same} of {expected.Length} is {found}, not {wanted}");
    }

    public static void Zero(ReadOnlySpan<byte> bytes, string what)
    {
        int at = bytes.IndexOfAnyExcept((byte)0);
        if (at >= 0) throw new ConformanceException($"{what}: byte {at} of {bytes.Length} is {bytes[at]:x2}, not 00");
    }
}
