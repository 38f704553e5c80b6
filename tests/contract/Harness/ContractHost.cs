using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Modules;
using Spindle.Threading;

[assembly: AssemblyFixture(typeof(Spindle.ContractTests.Harness.ContractHost))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Spindle.ContractTests.Harness;

/// <summary>A real host in the test's process: reactors on two cores where there are two, four storage threads, the bdev layer. Shared by all
/// tests, which give back what they take; <see cref="Observe"/> notes what no test may cause.</summary>
public sealed class ContractHost : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _violations = new();
    private readonly ConcurrentQueue<ModuleFault> _faults = new();
    private readonly ConcurrentQueue<ThreadFault> _threadFaults = new();
    private static int s_names;

    public IHostEnvironment Environment { get; private set; } = null!;
    public ReactorSystem Threads { get; private set; } = null!;
    public IobufPools Iobuf { get; private set; } = null!;
    public BdevRegistry Bdevs { get; private set; } = null!;

    /// <summary>Four storage threads, on the cores in turn.</summary>
    public IReadOnlyList<IStorageThread> Workers { get; private set; } = [];

    public ModuleHarness Modules { get; private set; } = null!;

    /// <summary>The registry as a test sees it.</summary>
    public IBdevRegistry Registry { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        string ring = System.Environment.GetEnvironmentVariable("SPINDLE_TEST_RING") ?? "auto";
        bool portable = ring == "portable";
        Environment = HostEnvironment.Create(new HostEnvironmentOptions(Portable: portable, Ring: portable ? "auto" : ring));
        var cores = Environment.AvailableCores;
        Threads = await ReactorSystem.StartAsync(Environment, new ReactorOptions(Cores: [.. cores.Take(2)]), NullLogger.Instance);
        Iobuf = new IobufPools(Environment.Memory, new IobufOptions { SmallPoolCount = 1024, LargePoolCount = 64 });
        Bdevs = new BdevRegistry(Threads, Environment.Memory, Iobuf);
        Bdevs.ModuleFaulted += _faults.Enqueue;
        Threads.Faulted += _threadFaults.Enqueue;
        Registry = Bdevs.ForModule("contract-tests");
        Workers = [.. Enumerable.Range(0, 4).Select(i => Threads.CreateThread($"contract_{i}", Threads.Cores[i % Threads.Cores.Count]))];
        Modules = new ModuleHarness(this);
        await OnAppAsync(Modules.StartAsync);
    }

    public async ValueTask DisposeAsync()
    {
        // A failed test may have left a thread that cannot exit; the others have been told already.
        await Task.WhenAny(Task.WhenAll(Workers.Select(worker => worker.ExitAsync())), Task.Delay(TimeSpan.FromSeconds(5)));
        await Threads.DisposeAsync();
        Bdevs.Dispose();
        Iobuf.Dispose();
        Environment.Dispose();
    }

    /// <summary>A name that no other test has.</summary>
    public static string NewName(string prefix) => $"{prefix}_{Interlocked.Increment(ref s_names)}";

    public Task OnAppAsync(Func<Task> action) => Threads.AppThread.InvokeAsync(action);

    public async Task<T> OnAppAsync<T>(Func<Task<T>> action)
    {
        T result = default!;
        await Threads.AppThread.InvokeAsync(async () => result = await action());
        return result;
    }

    public Task OnAppAsync(Action action) => OnAppAsync(() =>
    {
        action();
        return Task.CompletedTask;
    });

    /// <summary>Notes something that must never happen.</summary>
    public void Observe(string violation) => _violations.Enqueue(violation);

    /// <summary>Takes the faults that the bdev layer charged to modules.</summary>
    public IReadOnlyList<ModuleFault> TakeFaults()
    {
        var faults = new List<ModuleFault>();
        while (_faults.TryDequeue(out var fault)) faults.Add(fault);
        return faults;
    }

    /// <summary>Takes the exceptions that came out of code on storage threads.</summary>
    public IReadOnlyList<ThreadFault> TakeThreadFaults()
    {
        var faults = new List<ThreadFault>();
        while (_threadFaults.TryDequeue(out var fault)) faults.Add(fault);
        return faults;
    }

    public IReadOnlyList<string> TakeViolations()
    {
        var violations = new List<string>();
        while (_violations.TryDequeue(out string? violation)) violations.Add(violation);
        return violations;
    }

    /// <summary>Takes a bdev away, wherever it came from.</summary>
    public Task UnregisterAsync(string name) => OnAppAsync(() => Registry.Find(name) is { } bdev ? Registry.UnregisterAsync(bdev) : Task.CompletedTask);
}
