namespace Spindle.Testing;

/// <summary>One thing that every bdev has to do.</summary>
public sealed class ConformanceRule
{
    internal ConformanceRule(string id, string title, Func<ConformanceRun, Task> body, bool needsData = false)
    {
        Id = id;
        Title = title;
        Body = body;
        NeedsData = needsData;
    }

    /// <summary>Its name in messages and documentation, never reused: "data.neighbours".</summary>
    public string Id { get; }

    /// <summary>What has to hold, as a sentence.</summary>
    public string Title { get; }

    internal Func<ConformanceRun, Task> Body { get; }

    /// <summary>It says nothing about a bdev that keeps no data.</summary>
    internal bool NeedsData { get; }

    /// <summary>Every rule, in the order in which they are run.</summary>
    public static IReadOnlyList<ConformanceRule> All { get; } = [.. DataRules.All, .. TypeRules.All, .. ZcopyRules.All, .. CompletionRules.All, .. ConcurrencyRules.All, .. StateRules.All, .. ZoneRules.All, .. SequenceRules.All];

    /// <inheritdoc/>
    public override string ToString() => Id;
}

/// <summary>A rule that has nothing to say about a bdev.</summary>
internal sealed class NotApplicableException(string reason) : Exception(reason);
