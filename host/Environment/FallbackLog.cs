namespace Spindle.Host.Environments;

/// <summary>What had to be done without, one sentence per subject. On any thread.</summary>
internal sealed class FallbackLog
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _subjects = [];
    private volatile string[] _sentences = [];

    /// <summary>The sentences so far.</summary>
    internal IReadOnlyList<string> Sentences => _sentences;

    /// <summary>Adds a sentence, unless its subject has one.</summary>
    internal void Add(string subject, string sentence)
    {
        lock (_lock)
        {
            if (_subjects.Add(subject)) _sentences = [.. _sentences, sentence];
        }
    }
}
