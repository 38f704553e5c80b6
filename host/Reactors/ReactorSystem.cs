using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Host.Environments;
using Spindle.Host.Faults;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>How the reactors run.</summary>
/// <param name="Cores">The cores to use; null: the first available one.</param>
/// <param name="Spin">Never sleep.</param>
/// <param name="IdleSpin">How long a reactor stays awake with nothing to do; null for 50 µs.</param>
/// <param name="Clock">A time of its own for pollers and <see cref="IStorageThread.Now"/>, for tests; null: the machine's.</param>
public sealed record ReactorOptions(IReadOnlyList<int>? Cores = null, bool Spin = false, TimeSpan? IdleSpin = null, IReactorClock? Clock = null);

/// <summary>A clock that a test moves.</summary>
public interface IReactorClock
{
    /// <summary>The time now, in <see cref="Stopwatch"/> ticks; never less than before. On any thread.</summary>
    long Ticks { get; }
}

/// <summary>An exception that came out of a plugin's code on a storage thread.</summary>
/// <param name="Thread">The storage thread's name.</param>
/// <param name="Where">What was running: a message, a poller by name, a completion.</param>
/// <param name="Text">The exception as text; the object itself is not kept, it would pin the plugin.</param>
/// <param name="Module">Name and version of the module whose code threw, where it can be told.</param>
public sealed record ThreadFault(string Thread, string Where, string Text, string? Module);

/// <summary>The reactors of a host, its storage threads and I/O devices.</summary>
public sealed class ReactorSystem : IStorageThreads, IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Reactor> _reactors = [];
    private readonly Dictionary<ulong, StorageThreadCore> _threads = [];
    private readonly ILogger _log;
    private readonly IReactorClock? _clock;
    private ulong _nextId;
    private StorageThreadCore? _appThread;

    /// <summary>The environment the reactors run in.</summary>
    public IHostEnvironment Environment { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> Cores { get; }

    /// <summary>True when reactors never sleep.</summary>
    public bool Spin { get; }

    internal long SpinTicks { get; }

    /// <summary>The reactors' time, in Stopwatch ticks.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Timestamp() => _clock is null ? Stopwatch.GetTimestamp() : _clock.Ticks;

    /// <summary>I/O devices by registration.</summary>
    internal IoDeviceTable Devices { get; } = new();

    /// <summary>Told of every exception out of plugin code; on the storage thread where it happened.</summary>
    public event Action<ThreadFault>? Faulted;

    private ReactorSystem(IHostEnvironment environment, IReadOnlyList<int> cores, ReactorOptions options, ILogger log)
    {
        Environment = environment;
        Cores = cores;
        Spin = options.Spin;
        _clock = options.Clock;
        // A clock that stands would never let the idle time pass: then a reactor sleeps as soon as it is idle.
        SpinTicks = options.Spin ? long.MaxValue : options.Clock is not null ? -1 : (long)((options.IdleSpin ?? TimeSpan.FromMicroseconds(50)).TotalSeconds * Stopwatch.Frequency);
        _log = log;
    }

    /// <summary>Starts a reactor on each core and the app thread on the first.</summary>
    /// <exception cref="SpindleException">EINVAL: a core is not available; the message names those that are.</exception>
    public static async Task<ReactorSystem> StartAsync(IHostEnvironment environment, ReactorOptions options, ILogger? log = null)
    {
        var available = environment.AvailableCores;
        var cores = (options.Cores ?? [available[0]]).Distinct().Order().ToArray();
        if (cores.Length == 0) throw new SpindleException(Errno.EINVAL, "The core mask names no core; give at least one of " + string.Join(", ", available) + ".");
        var missing = cores.Except(available).ToArray();
        if (missing.Length > 0)
        {
            throw new SpindleException(Errno.EINVAL,
                $"The core mask names core {string.Join(", ", missing)}, but this process may run on {string.Join(", ", available)} only; choose among those.");
        }
        var system = new ReactorSystem(environment, cores, options, log ?? NullLogger.Instance);
        foreach (int core in cores)
        {
            var reactor = new Reactor(system, core);
            system._reactors.Add(reactor);
            reactor.Start();
        }
        try
        {
            await Task.WhenAll(system._reactors.Select(r => r.Started)).ConfigureAwait(false);
        }
        catch
        {
            await system.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        foreach (var reactor in system._reactors)
            if (reactor.PinFailure is { } reason) system._log.LogWarning("Reactor {Core} is not pinned: {Reason}", reactor.Core, reason);
        system._appThread = (StorageThreadCore)system.CreateThread("app_thread", cores[0]);
        return system;
    }

    /// <inheritdoc/>
    public IStorageThread AppThread => _appThread!;

    /// <inheritdoc/>
    public IReadOnlyCollection<IStorageThread> Threads
    {
        get
        {
            lock (_lock) return _threads.Values.OrderBy(t => t.Id).ToArray<IStorageThread>();
        }
    }

    internal IReadOnlyList<Reactor> Reactors => _reactors;

    /// <inheritdoc/>
    public IStorageThread CreateThread(string name, int? core = null)
    {
        StorageThreadCore thread;
        lock (_lock)
        {
            if (_threads.Values.Any(t => t.Name == name)) throw new SpindleException(Errno.EEXIST, $"There is a storage thread '{name}' already.");
            var reactor = core is { } wanted
                ? _reactors.FirstOrDefault(r => r.Core == wanted) ?? throw new SpindleException(Errno.EINVAL, $"There is no reactor on core {wanted}; there are {string.Join(", ", Cores)}.")
                : _reactors.MinBy(r => _threads.Values.Count(t => ReferenceEquals(t.Reactor, r)))!;
            thread = new StorageThreadCore(this, reactor, ++_nextId, name);
            _threads.Add(thread.Id, thread);
        }
        thread.Reactor.Add(thread);
        return thread;
    }

    /// <inheritdoc/>
    public void RegisterDevice(IoDevice device, string name) => Devices.Register(device, name);

    /// <inheritdoc/>
    public Task UnregisterDeviceAsync(IoDevice device) => Devices.UnregisterAsync(device);

    /// <inheritdoc/>
    public IoChannel GetChannel(IoDevice device) => Devices.GetChannel(device, (StorageThreadCore)StorageThread.Required);

    /// <inheritdoc/>
    public void PutChannel(IoChannel channel) => Devices.PutChannel(channel);

    /// <inheritdoc/>
    public Task<int> ForEachChannelAsync(IoDevice device, Func<IoChannel, object?, int> function, object? state) =>
        Devices.ForEachChannelAsync(device, function, state);

    /// <summary>Runs a function on the thread of every channel of the device, all at once.</summary>
    internal Task ForEachChannelAtOnceAsync(IoDevice device, Action<IoChannel> function) => Devices.ForEachChannelAtOnceAsync(device, function);

    internal void OnThreadExited(StorageThreadCore thread)
    {
        lock (_lock) _threads.Remove(thread.Id);
    }

    /// <param name="thread">Where it was caught.</param>
    /// <param name="where">What was running.</param>
    /// <param name="exception">What was thrown.</param>
    /// <param name="owner">Whose code was called, for an exception that does not tell: name and version.</param>
    internal void ReportFault(StorageThreadCore thread, string where, Exception exception, string? owner = null)
    {
        // Where the exception arose, not where it was caught: the first frame that is a module's.
        var module = CodeOwner.Of(exception) ?? owner;
        var text = exception.ToString();
        _log.LogError("Unhandled exception in {Where} on storage thread {Thread}, from {Module}: {Text}", where, thread.Name, module is null ? "the host" : $"module {module}", text);
        Faulted?.Invoke(new ThreadFault(thread.Name, where, text, module));
    }

    /// <summary>Stops the reactors. What still runs on them is abandoned: end front-ends, modules and bdevs first.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var reactor in _reactors) reactor.Stop();
        await Task.WhenAll(_reactors.Select(r => r.Stopped)).ConfigureAwait(false);
    }
}
