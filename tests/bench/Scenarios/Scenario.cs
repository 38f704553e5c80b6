using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>Something to measure, by name.</summary>
/// <param name="name">Parts with slashes, from the general to the particular.</param>
/// <param name="title">A sentence for the list.</param>
/// <param name="primary">The figure that the table shows first and that decides.</param>
public abstract class Scenario(string name, string title, Metric primary)
{
    public string Name => name;

    public string Title => title;

    public Metric Primary => primary;

    /// <summary>Prepares one contender: starts its target where there is one.</summary>
    /// <returns>Null when this contender cannot be measured so.</returns>
    /// <exception cref="BenchException">It could, but failed.</exception>
    public abstract Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken);
}

/// <summary>A contender, ready to be measured any number of times.</summary>
public interface IMeasurement : IAsyncDisposable
{
    /// <summary>Runs once.</summary>
    Task<Sample> RunAsync(CancellationToken cancellationToken);
}

/// <summary>How long and with what.</summary>
/// <param name="Time">Seconds measured; whole seconds, as the peer's tools take no others.</param>
/// <param name="Warmup">Seconds run before, of each run.</param>
/// <param name="Spindle">Path of the spindle command.</param>
/// <param name="Root">The source tree.</param>
/// <param name="Peer">The peer's tools, or null.</param>
/// <param name="Work">A folder for sockets, configurations and logs.</param>
/// <param name="Verbose">Print the commands.</param>
public sealed record BenchSettings(int Time, int Warmup, string Spindle, string Root, PeerTools? Peer, string Work, bool Verbose)
{
    private static int s_names;

    /// <summary>A path of its own in the working folder.</summary>
    public string NewPath(string kind) => Path.Combine(Work, $"{Interlocked.Increment(ref s_names)}-{kind}");
}
