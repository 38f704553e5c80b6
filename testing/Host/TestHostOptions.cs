namespace Spindle.Testing;

/// <summary>How a <see cref="TestHost"/> runs.</summary>
public sealed record TestHostOptions
{
    /// <summary>True: time stands until <see cref="ManualClock.AdvanceAsync"/> moves it, for timed pollers, ring timeouts and <see cref="Threading.IStorageThread.Now"/>.</summary>
    public bool ManualClock { get; init; }

    /// <summary>Storage threads for clients, at least 1.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>Reactors, each with a core of its own; fewer where there are fewer cores.</summary>
    public int Cores { get; init; } = 2;

    /// <summary>"auto", "io_uring", "epoll" or "portable".</summary>
    public string Ring { get; init; } = "auto";

    /// <summary>How long one thing may take (an I/O, a removal, the end) before it counts as stuck.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);
}
