namespace Spindle.Bench;

/// <summary>What the user can act on: said in one sentence, without a stack trace.</summary>
public sealed class BenchException(string message) : Exception(message);
