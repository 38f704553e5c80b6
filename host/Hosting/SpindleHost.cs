using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Manifests;
using Spindle.Host.Memory;
using Spindle.Host.Modules;
using Spindle.Host.Notifications;
using Spindle.Host.Reactors;
using Spindle.Host.Rpc;
using Spindle.Host.Rpc.Configuration;
using Spindle.Host.Rpc.Server;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Hosting;

/// <summary>A storage target host inside this process: reactors, bdev layer, modules, and a control socket if it is asked for.</summary>
/// <remarks><code>
/// await using var host = await SpindleHost.StartAsync(new() { Modules = [new("bdev-malloc")] });
/// await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 2048, "block_size": 512 }""");
/// await host.InvokeAsync(async () => { var disk = host.Bdevs.Open("M0", write: true, OnEvent); … });
/// </code></remarks>
public sealed partial class SpindleHost : IAsyncDisposable
{
    private readonly SpindleHostOptions _options;
    private readonly ILoggerFactory _logging;
    private readonly ILogger _log;
    private readonly HostLifecycle _lifecycle = new();
    private readonly Lock _stopLock = new();
    private IHostEnvironment _environment = null!;
    private ReactorSystem _reactors = null!;
    private IobufPools _iobuf = null!;
    private ServiceProvider? _services;
    private RpcServer? _server;
    private FaultWatch? _faults;
    private Task<bool>? _stopped;

    private SpindleHost(SpindleHostOptions options)
    {
        _options = options;
        _logging = options.Logging ?? NullLoggerFactory.Instance;
        _log = _logging.CreateLogger("host");
    }

    /// <summary>The bdevs. Open them on the thread that will close them (<see cref="InvokeAsync"/> for the app thread).</summary>
    public IBdevRegistry Bdevs { get; private set; } = null!;

    /// <summary>The bdev layer: what <see cref="Bdevs"/> does not say, such as statistics.</summary>
    public BdevRegistry BdevLayer { get; private set; } = null!;

    /// <summary>Reactors and storage threads.</summary>
    public IStorageThreads Threads => _reactors;

    /// <summary>DMA memory.</summary>
    public IDmaMemory Memory => _environment.Memory;

    /// <summary>I/O buffers.</summary>
    public IIobuf Iobuf => _iobuf;

    /// <summary>The RPC methods, with or without a control socket.</summary>
    public RpcDispatcher Rpc { get; private set; } = null!;

    /// <summary>The modules.</summary>
    public ModuleHost Modules { get; private set; } = null!;

    /// <summary>Loads, unloads and upgrades modules while the host runs; on the app thread (<see cref="InvokeAsync"/>).</summary>
    public ModuleControl ModuleControl { get; private set; } = null!;

    /// <summary>The environment: its name, the available cores, what it does without.</summary>
    public IHostEnvironment Environment => _environment;

    /// <summary>The control socket's path; null when there is none.</summary>
    public string? RpcSocket => _server?.SocketPath;

    /// <summary>Ends when the modules run and the configuration is loaded, or with the reason why not. With
    /// <see cref="SpindleHostOptions.WaitForRpc"/> that may be long after <see cref="StartAsync"/>.</summary>
    public Task Ready { get; private set; } = Task.CompletedTask;

    /// <summary>Ends with a signal's name when the host was asked by RPC to end (<c>spdk_kill_instance</c>). It does not end by itself.</summary>
    public Task<string> ShutdownRequested => _lifecycle.ShutdownRequested;

    /// <summary>Ends when the modules' code is compiled too: no I/O after it waits for the compiler. What was not compiled before is when it is used, on its reactor.</summary>
    public Task Prepared => PreparedAsync();

    private Task _exercised = Task.CompletedTask;

    private async Task PreparedAsync()
    {
        await Ready.ConfigureAwait(false);
        await Modules.Prepared.ConfigureAwait(false);
        await _exercised.ConfigureAwait(false);
    }

    /// <summary>What the front-ends serve now. On any thread.</summary>
    public async Task<IReadOnlyList<ServedEndpoint>> GetServedAsync()
    {
        var served = new List<ServedEndpoint>();
        await InvokeAsync(() =>
        {
            foreach (var module in Modules.Modules)
                if (module is { State: ModuleState.Running, Instance: FrontEnd frontEnd }) served.AddRange(frontEnd.Served);
            return Task.CompletedTask;
        }).ConfigureAwait(false);
        return served;
    }

    /// <summary>Runs a function on the app thread.</summary>
    public Task InvokeAsync(Func<Task> function) => Threads.AppThread.InvokeAsync(function);

    /// <summary>Calls an RPC method without a socket.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parametersJson">A JSON object; null for none.</param>
    /// <returns>The result as JSON.</returns>
    /// <exception cref="RpcException">The call failed.</exception>
    public Task<string> CallAsync(string method, string? parametersJson = null) => Rpc.InvokeAsync(method, parametersJson);

    /// <summary>Starts a host.</summary>
    /// <exception cref="SpindleException">It cannot start; the message says why and what to do. Nothing of it stays.</exception>
    public static async Task<SpindleHost> StartAsync(SpindleHostOptions options, CancellationToken cancellationToken = default)
    {
        var host = new SpindleHost(options);
        try
        {
            await host.StartCoreAsync(cancellationToken).ConfigureAwait(false);
            return host;
        }
        catch
        {
            await host.StopAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends the host: no more RPC calls, front-ends drain and stop, bdevs go, modules stop, reactors end.</summary>
    /// <returns>True when all of it ended in time; false when something had to be abandoned after <see cref="SpindleHostOptions.StopTimeout"/>.</returns>
    public Task<bool> StopAsync()
    {
        lock (_stopLock) return _stopped ??= Task.Run(StopCoreAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);
}
