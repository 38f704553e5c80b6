namespace Spindle.Bench.Scenarios;

/// <summary>All scenarios there are, and how they are chosen.</summary>
public static class ScenarioCatalogue
{
    private static readonly int[] s_depths = [1, 32, 128];
    private static readonly string[] s_randomPatterns = ["randread", "randwrite"];

    /// <summary>All, in the order in which they run.</summary>
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. from backend in new[] { "null", "malloc", "passthru", "aio-tmpfs", "aio-disk" }
           from pattern in s_randomPatterns
           from depth in s_depths
           select new BdevScenario(new BdevLoad(backend, pattern, 4096, depth)),
        .. from backend in new[] { "malloc", "null" }
           from pattern in s_randomPatterns
           from depth in s_depths
           select new NvmfScenario(new NvmfLoad(backend, pattern, 4096, depth)),
        .. from backend in new[] { "malloc", "null" }
           from pattern in s_randomPatterns
           select new NvmfScenario(new NvmfLoad(backend, pattern, 131072, 32)),
        .. from queues in new[] { 4, 16, 64 }
           select new NvmfScenario(new NvmfLoad("malloc", "randread", 4096, 8, queues)),
        .. from pattern in s_randomPatterns
           select new NvmfScenario(new NvmfLoad("malloc", pattern, 4096, 32, 4, 2)),
        new IdleConnectionsScenario(1000),
        new StartScenario(),
        new FirstIoScenario(),
        new IdleMemoryScenario(),
    ];

    /// <summary>Those that some pattern describes, in the catalogue's order. A pattern without a wildcard also stands for all below it: "bdev/null".</summary>
    /// <exception cref="BenchException">A pattern describes none.</exception>
    public static IReadOnlyList<Scenario> Select(IReadOnlyList<string> patterns)
    {
        if (patterns.Count == 0) return All;
        foreach (string pattern in patterns)
            if (!All.Any(scenario => Describes(pattern, scenario.Name)))
                throw new BenchException($"no scenario is named like '{pattern}'; --list shows them, and * stands for anything.");
        return [.. All.Where(scenario => patterns.Any(pattern => Describes(pattern, scenario.Name)))];
    }

    private static bool Describes(string pattern, string name) => Wildcard.Matches(pattern, name) || Wildcard.Matches(pattern.TrimEnd('/') + "/*", name);
}
