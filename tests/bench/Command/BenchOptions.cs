namespace Spindle.Bench.Command;

/// <summary>What the command line asks for.</summary>
internal sealed record BenchOptions
{
    public string[] Patterns { get; init; } = [];
    public string? Peer { get; init; }
    public int Pairs { get; init; } = 3;
    public int MaxPairs { get; init; } = 3;
    public int Time { get; init; } = 2;
    public int Warmup { get; init; } = 1;
    public string? Baseline { get; init; }
    public string? Output { get; init; }
    public bool Merge { get; init; }
    public string? Render { get; init; }
    public string? Page { get; init; }
    public string? Bars { get; init; }
    public string? Spindle { get; init; }
    public bool Verbose { get; init; }
}
