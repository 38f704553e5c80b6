using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Modules;
using Spindle.Threading;

namespace Spindle.Testing;

/// <summary>A real host in the test's process: reactors, storage threads, the bdev layer of Spindle.Host. It notes what must never happen;
/// <see cref="CheckAsync"/> throws it.</summary>
public class TestHost : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _violations = new();
    private readonly ConcurrentQueue<ModuleFault> _faults = new();
    private readonly ConcurrentQueue<ThreadFault> _threadFaults = new();
    private readonly List<TestModule> _modules = [];
    private ManualClock? _clock;
    private static int s_names;

    /// <summary>For a host that is started by <see cref="StartAsync()"/>.</summary>
    /// <param name="options">Null: the defaults.</param>
    protected TestHost(TestHostOptions? options = null) => Options = options ?? new TestHostOptions();

    /// <summary>How it runs.</summary>
    public TestHostOptions Options { get; }

    /// <summary>The machine.</summary>
    public IHostEnvironment Environment { get; private set; } = null!;

    /// <summary>The reactors.</summary>
    public ReactorSystem Threads { get; private set; } = null!;

    /// <summary>The I/O buffer pools.</summary>
    public IobufPools Iobuf { get; private set; } = null!;

    /// <summary>The bdev layer.</summary>
    public BdevRegistry Bdevs { get; private set; } = null!;

    /// <summary>Storage threads for clients, on the cores in turn.</summary>
    public IReadOnlyList<IStorageThread> Workers { get; private set; } = [];

    /// <summary>The bdevs as a test sees them; on the app thread (<see cref="OnAppAsync(Action)"/>).</summary>
    public IBdevRegistry Registry { get; private set; } = null!;

    /// <summary>The clock, when <see cref="TestHostOptions.ManualClock"/> asked for one.</summary>
    public ManualClock Clock => _clock ?? throw new InvalidOperationException("This host follows the machine's clock; ask for TestHostOptions.ManualClock.");

    internal CheckedMemory Memory { get; private set; } = null!;

    /// <summary>Starts a host.</summary>
    public static async Task<TestHost> StartAsync(TestHostOptions? options = null)
    {
        var host = new TestHost(options);
        await host.StartAsync().ConfigureAwait(false);
        return host;
    }

    /// <summary>Starts this host.</summary>
    protected async Task StartAsync()
    {
        bool portable = Options.Ring == "portable";
        Environment = HostEnvironment.Create(new HostEnvironmentOptions(Portable: portable, Ring: portable ? "auto" : Options.Ring));
        if (Options.ManualClock) Environment = new ManualClockEnvironment(Environment, _clock = new ManualClock());
        Memory = new CheckedMemory(Environment.Memory);
        Threads = await ReactorSystem.StartAsync(Environment, new ReactorOptions(Cores: [.. Environment.AvailableCores.Take(Options.Cores)], Clock: _clock), NullLogger.Instance).ConfigureAwait(false);
        Iobuf = new IobufPools(Environment.Memory, new IobufOptions { SmallPoolCount = 1024, LargePoolCount = 64 });
        Bdevs = new BdevRegistry(Threads, Environment.Memory, Iobuf);
        Bdevs.ModuleFaulted += _faults.Enqueue;
        Threads.Faulted += _threadFaults.Enqueue;
        Registry = Bdevs.ForModule("test");
        Workers = [.. Enumerable.Range(0, Options.Workers).Select(i => Threads.CreateThread($"worker_{i}", Threads.Cores[i % Threads.Cores.Count]))];
        _clock?.Attach(() => Task.WhenAll(Threads.Threads.Select(thread => thread.InvokeAsync(static () => Task.CompletedTask))));
    }

    /// <summary>Starts a module as the host does, but in the test's own load context, so that its classes can be used directly.</summary>
    /// <param name="module">A bdev module, front-end or tool.</param>
    /// <param name="settingsJson">Its settings from the app's manifest.</param>
    public async Task<TestModule> AddModuleAsync(PluginModule module, string settingsJson = "{}")
    {
        var added = new TestModule(this, module, settingsJson);
        await OnAppAsync(added.StartAsync).ConfigureAwait(false);
        _modules.Add(added);
        return added;
    }

    /// <summary>Opens a bdev on one of the workers.</summary>
    public Task<BdevClient> OpenAsync(string name, bool write = true, int worker = 0, bool closeWhenRemoved = false) =>
        BdevClient.OpenAsync(this, name, write, worker, closeWhenRemoved);

    /// <summary>A name that no other test has.</summary>
    public static string NewName(string prefix) => $"{prefix}_{Interlocked.Increment(ref s_names)}";

    /// <summary>Runs a function on the app thread.</summary>
    public Task OnAppAsync(Func<Task> action) => Threads.AppThread.InvokeAsync(action);

    /// <summary>Runs a function on the app thread.</summary>
    public async Task<T> OnAppAsync<T>(Func<Task<T>> action)
    {
        T result = default!;
        await Threads.AppThread.InvokeAsync(async () => result = await action()).ConfigureAwait(false);
        return result;
    }

    /// <summary>Runs a function on the app thread.</summary>
    public Task OnAppAsync(Action action) => OnAppAsync(() =>
    {
        action();
        return Task.CompletedTask;
    });

    /// <summary>Registers a bdev that the test made.</summary>
    public Task RegisterAsync(Bdev bdev) => OnAppAsync(() => Registry.Register(bdev));

    /// <summary>Takes a bdev away, wherever it came from.</summary>
    public Task UnregisterAsync(string name) => OnAppAsync(() => Registry.Find(name) is { } bdev ? Registry.UnregisterAsync(bdev) : Task.CompletedTask);

    /// <summary>Notes something that must never happen.</summary>
    public void Observe(string violation) => _violations.Enqueue(violation);

    /// <summary>Takes the faults that the bdev layer charged to modules.</summary>
    public IReadOnlyList<ModuleFault> TakeFaults() => Take(_faults);

    /// <summary>Takes the exceptions that came out of code on storage threads.</summary>
    public IReadOnlyList<ThreadFault> TakeThreadFaults() => Take(_threadFaults);

    /// <summary>Takes what was noted by <see cref="Observe"/>.</summary>
    public IReadOnlyList<string> TakeViolations() => Take(_violations);

    private static List<T> Take<T>(ConcurrentQueue<T> queue)
    {
        var taken = new List<T>();
        while (queue.TryDequeue(out var item)) taken.Add(item);
        return taken;
    }

    /// <summary>Throws what was noted since the last time: forbidden callbacks, faults of modules, buffers that were touched after their I/O.</summary>
    /// <exception cref="ConformanceException">With the first few of them.</exception>
    public void CheckObservations()
    {
        var found = TakeViolations().ToList();
        found.AddRange(TakeFaults().Select(fault => $"{fault.Bdev}: {fault.Where} {fault.Text}".TrimEnd()));
        found.AddRange(TakeThreadFaults().Select(fault => $"exception in {fault.Where} on {fault.Thread}: {fault.Text}"));
        if (!Quarantine.Drain()) found.Add("a buffer was written to after its I/O had completed");
        if (found.Count == 0) return;
        throw new ConformanceException(string.Join(System.Environment.NewLine, found.Distinct().Take(5)));
    }

    /// <summary>As <see cref="CheckObservations"/>, and throws when I/O buffers were not given back. Call it when the bdevs are gone.</summary>
    /// <exception cref="ConformanceException">With what is left.</exception>
    public async Task CheckAsync()
    {
        CheckObservations();
        // Channels end by a message; their buffers go back with them.
        for (int i = 0; i < 200 && Iobuf.InUse != (0, 0); i++) await Task.Delay(5).ConfigureAwait(false);
        var (small, large) = Iobuf.InUse;
        Check.That((small, large) == (0, 0), $"{small} small and {large} large I/O buffers were not given back");
    }

    /// <summary>Ends the modules and checks that nothing is left: bdevs, I/O buffers, DMA memory.</summary>
    /// <exception cref="ConformanceException">With what is left.</exception>
    public async Task StopModulesAsync()
    {
        foreach (var module in Enumerable.Reverse(_modules)) await OnAppAsync(module.StopAsync).WaitAsync(Options.Patience).ConfigureAwait(false);
        _modules.Clear();
        await CheckAsync().ConfigureAwait(false);
        for (int i = 0; i < 100 && Memory.Live.Count > 0; i++) await Task.Delay(5).ConfigureAwait(false);
        if (Memory.Live is { Count: > 0 } live) throw new ConformanceException($"{live.Count} DMA buffers were not given back; the first: {live[0]}");
    }

    /// <summary>Ends the host; what is stuck is abandoned.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Threads is null) return;
        // A failed test may have left a thread that cannot exit; the others have been told already.
        await Task.WhenAny(Task.WhenAll(Workers.Select(worker => worker.ExitAsync())), Task.Delay(Math.Min(5000, (int)Options.Patience.TotalMilliseconds))).ConfigureAwait(false);
        await Threads.DisposeAsync().ConfigureAwait(false);
        Bdevs.Dispose();
        Iobuf.Dispose();
        Environment.Dispose();
        GC.SuppressFinalize(this);
    }
}
