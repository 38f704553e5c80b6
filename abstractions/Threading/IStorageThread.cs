using Spindle.Io;

namespace Spindle.Threading;

/// <summary>The function of a message. Pass a static method or a cached delegate and give it what it needs as state.</summary>
public delegate void StorageMessage(object? state);

/// <summary>A lightweight thread that a reactor schedules (SPDK's <c>spdk_thread</c>): it owns pollers and I/O channels, and other
/// threads reach it only through its mailbox. All members may be used from any operating-system thread unless they say otherwise.</summary>
public interface IStorageThread
{
    /// <summary>Unique in the process, never reused; from 1.</summary>
    ulong Id { get; }

    /// <summary>Unique among living threads.</summary>
    string Name { get; }

    /// <summary>The core of the reactor that runs this thread.</summary>
    int Core { get; }

    /// <summary>True when the caller runs on this storage thread.</summary>
    bool IsCurrent { get; }

    /// <summary>True once the thread was asked to exit; it takes no more messages.</summary>
    bool IsExited { get; }

    /// <summary>The I/O ring of the reactor this thread runs on. Use it on this thread only.</summary>
    IIoRing Ring { get; }

    /// <summary>The reactor's clock at the start of its current loop, in <see cref="System.Diagnostics.Stopwatch"/> ticks. Cheap; for timeouts and statistics.</summary>
    long Now { get; }

    /// <summary>Posts until a <see cref="StorageMessage"/> to the mailbox. Messages of one sender arrive in the order sent.
    /// Never blocks, never fails while the thread lives: a full ring spills to an overflow list (counted in the statistics).</summary>
    /// <returns>False when the thread has exited; the message will not run.</returns>
    bool Send(StorageMessage message, object? state);

    /// <summary>Registers a poller. On this thread only.</summary>
    /// <param name="name">For statistics and the watchdog.</param>
    /// <param name="function">Called on this thread; static or cached.</param>
    /// <param name="state">Handed to <paramref name="function"/>.</param>
    /// <param name="period">Zero: called every loop (an active poller). Otherwise every so often, at the reactor's resolution.</param>
    /// <param name="wake">What makes an active poller's work known to a sleeping reactor.</param>
    IPoller RegisterPoller(string name, PollerFunction function, object? state, TimeSpan period = default, PollerWake wake = PollerWake.MustPoll);

    /// <summary>Posts to this thread's mailbox. A context of this kind is current while code runs here, so that <c>await</c> comes back to the
    /// thread; what a control-plane message awaits is never continued inside a completion or another message.</summary>
    SynchronizationContext SynchronizationContext { get; }

    /// <summary>Runs an asynchronous control-plane function on this thread and returns when it is done.</summary>
    Task InvokeAsync(Func<Task> function);

    /// <summary>Asks the thread to exit once its pollers are unregistered and its channels are put. On any thread.</summary>
    Task ExitAsync();
}

/// <summary>What a poller found to do.</summary>
public enum PollResult
{
    /// <summary>There was nothing to do.</summary>
    Idle = 0,
    /// <summary>It did work; the reactor stays awake.</summary>
    Busy = 1,
}

/// <summary>A poller's function.</summary>
public delegate PollResult PollerFunction(object? state);

/// <summary>What makes an active poller's next work known to a reactor that would like to sleep.</summary>
public enum PollerWake
{
    /// <summary>Nothing does (a device queue in memory, say): while such a poller is registered and not paused, its reactor never sleeps.</summary>
    MustPoll = 0,
    /// <summary>Its work starts with a ring completion, a message or a timer of the same reactor, each of which wakes the reactor.</summary>
    Events = 1,
}

/// <summary>A registered poller. Use on its own storage thread only.</summary>
public interface IPoller
{
    /// <summary>The name it was registered with.</summary>
    string Name { get; }

    /// <summary>Zero for an active poller.</summary>
    TimeSpan Period { get; }

    /// <summary>Stops calling the function until <see cref="Resume"/>. May be called inside the function.</summary>
    void Pause();

    /// <summary>Undoes <see cref="Pause"/>.</summary>
    void Resume();

    /// <summary>Ends it. The function is not called again. May be called inside the function; calling it twice is harmless.</summary>
    void Unregister();
}
