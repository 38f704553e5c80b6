using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Portable;

/// <summary>The machine as .NET shows it on every system.</summary>
internal sealed class PortableEnvironment : IHostEnvironment
{
    public string Name => "portable";

    public IReadOnlyList<int> AvailableCores { get; } = [.. Enumerable.Range(0, Environment.ProcessorCount)];

    public IIoPlatform Io { get; } = new PortableIoPlatform();

    public IDmaMemory Memory { get; } = new PortableDmaMemory();

    public IReadOnlyList<string> Fallbacks { get; } =
    [
        "The portable environment is in use: sockets and files are .NET's own, threads are not pinned, memory is neither huge pages nor locked. "
        + "It is for development; serve from Linux without the portable option.",
    ];

    public string? PinCurrentThread(int core) => $"The portable environment cannot pin a thread to core {core}; reactors run unpinned.";

    public IReactorRing CreateRing() => new PortableRing();

    public void Dispose() { }
}
