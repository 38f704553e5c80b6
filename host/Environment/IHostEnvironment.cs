using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments;

/// <summary>The machine, behind one seam: cores, memory, files, sockets, rings. One implementation for Linux, a portable one on .NET's own.</summary>
public interface IHostEnvironment : IDisposable
{
    /// <summary>"linux" or "portable".</summary>
    string Name { get; }

    /// <summary>Cores this process may run on, ascending.</summary>
    IReadOnlyList<int> AvailableCores { get; }

    /// <summary>Opens files, sockets and events for the rings.</summary>
    IIoPlatform Io { get; }

    /// <summary>DMA memory.</summary>
    IDmaMemory Memory { get; }

    /// <summary>What had to be done without, a sentence each with the remedy: no huge pages, no io_uring … For the start-up log.</summary>
    IReadOnlyList<string> Fallbacks { get; }

    /// <summary>Pins the calling operating-system thread to a core.</summary>
    /// <returns>Null when pinned, else the reason why not.</returns>
    string? PinCurrentThread(int core);

    /// <summary>Moves this process's threads that are not pinned to one core off the given cores, as far as there are others; threads made later too.
    /// Does nothing where the system cannot.</summary>
    void KeepOtherThreadsOff(IReadOnlyList<int> cores) { }

    /// <summary>Makes a reactor's ring. Called on the reactor's thread, which alone uses it (but <see cref="IReactorRing.Wake"/>).</summary>
    IReactorRing CreateRing();
}

/// <summary>A ring as its reactor drives it.</summary>
public interface IReactorRing : IIoRing, IDisposable
{
    /// <summary>Submits what was queued and runs the completions that are there, each by <see cref="Reactors.RingDispatch.Complete"/>. Never blocks.</summary>
    /// <returns>The number of completions run.</returns>
    int Poll();

    /// <summary>Submits what was queued, then blocks until a completion is there, <see cref="Wake"/> was called, or the time has passed.
    /// Runs no completion. A wake before the call makes it return at once.</summary>
    /// <param name="timeout">Infinite when negative.</param>
    void Sleep(TimeSpan timeout);

    /// <summary>Wakes the reactor. On any thread; cheap when it is not asleep is the caller's business.</summary>
    void Wake();

    /// <summary>Operations that have not completed.</summary>
    int PendingCount { get; }
}

/// <summary>Which environment and which ring to use.</summary>
/// <param name="Portable">Use the portable environment even on Linux.</param>
/// <param name="Ring">"auto", "io_uring" or "epoll"; Linux only.</param>
/// <param name="UseHugePages">Take DMA memory from reserved huge pages when there are any.</param>
public sealed record HostEnvironmentOptions(bool Portable = false, string Ring = "auto", bool UseHugePages = true);
