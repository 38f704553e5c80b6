using System.Buffers;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Bdevs;
using Spindle.Host.Notifications;
using Spindle.Host.Rpc;
using Spindle.Host.Rpc.Json;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Testing;

/// <summary>A module that runs in a <see cref="TestHost"/>.</summary>
public sealed class TestModule
{
    private readonly TestHost _host;
    private readonly Door _door;
    private ServiceProvider? _services;

    internal TestModule(TestHost host, PluginModule module, string settingsJson)
    {
        _host = host;
        Module = module;
        _door = new Door(host, module.Name, settingsJson);
    }

    /// <summary>The module.</summary>
    public PluginModule Module { get; }

    /// <summary>The module's door to the host.</summary>
    public IModuleContext Context => _door;

    /// <summary>The names of its RPC methods.</summary>
    public IReadOnlyCollection<string> Methods => _door.Handlers.Keys;

    /// <summary>One of the module's own services, such as a class with RPC methods that it registered.</summary>
    public T Service<T>() where T : notnull => Context.Services.GetRequiredService<T>();

    /// <summary>Calls an RPC method of the module as a client would: parameters and result are JSON.</summary>
    /// <param name="method">Its name on the wire.</param>
    /// <param name="parametersJson">An object; null for none.</param>
    /// <exception cref="RpcException">The parameters do not decode.</exception>
    /// <exception cref="SpindleException">The method's own error.</exception>
    public Task<string> CallAsync(string method, string? parametersJson = null)
    {
        if (!_door.Handlers.TryGetValue(method, out var handler))
            throw new RpcException(RpcErrorCode.MethodNotFound, $"Module {Module.Name} has no method '{method}'; it has {string.Join(", ", Methods)}.");
        return _host.OnAppAsync(async () =>
        {
            var output = new ArrayBufferWriter<byte>();
            using var writer = new RpcJsonWriter(output);
            var reader = new RpcJsonReader(parametersJson is null ? default : Encoding.UTF8.GetBytes(parametersJson), "params", handler.ParameterErrorCode, handler.ParameterErrorText, handler.Parameters);
            await handler.InvokeAsync(reader, writer, CancellationToken.None);
            writer.Complete();
            return Encoding.UTF8.GetString(output.WrittenSpan);
        });
    }

    internal async Task StartAsync()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IModuleContext>(_door);
        services.AddSingleton(_door.Bdevs);
        services.AddSingleton(_door.Threads);
        services.AddSingleton(_door.Io);
        services.AddSingleton(_door.Memory);
        services.AddSingleton(_door.Iobuf);
        services.AddSingleton(_door.Notifications);
        services.AddSingleton(_door.Logging);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddSingleton(Module.GetType(), Module);
        Module.ConfigureServices(services);
        _services = services.BuildServiceProvider();
        _door.Services = _services;
        RpcServiceCollection.Register(Module.GetType().Assembly, _door.Rpc, _services);
        if (Module is BdevModule bdevs)
        {
            await bdevs.InitializeAsync(_door, CancellationToken.None);
            _host.Bdevs.Examiner.Add(bdevs);
        }
        else if (Module is FrontEnd frontEnd)
        {
            await frontEnd.StartAsync(_door, CancellationToken.None);
        }
    }

    internal async Task StopAsync()
    {
        if (Module is BdevModule bdevs) _host.Bdevs.Examiner.Remove(bdevs);
        // A front-end lets go of bdevs by stopping; a bdev module's bdevs go before it stops.
        if (Module is FrontEnd) await Module.StopAsync(CancellationToken.None);
        await _host.Bdevs.RemoveAllOfAsync(Module.Name, _host.Options.Patience);
        if (Module is not FrontEnd) await Module.StopAsync(CancellationToken.None);
        if (_services is not null) await _services.DisposeAsync();
    }

    private sealed class Door(TestHost host, string module, string settingsJson) : IModuleContext, IRpcRegistrar
    {
        public Dictionary<string, RpcMethodHandler> Handlers { get; } = [];

        public string ModuleName => module;
        public string ModuleVersion => "0.0.0";
        public IBdevRegistry Bdevs { get; } = host.Bdevs.ForModule(module);
        public IStorageThreads Threads => host.Threads;
        public IIoPlatform Io => host.Environment.Io;
        public IDmaMemory Memory => host.Memory;
        public IIobuf Iobuf => host.Iobuf;
        public IRpcRegistrar Rpc => this;
        public ILoggerFactory Logging => NullLoggerFactory.Instance;
        public INotifications Notifications { get; } = new NotificationRing();
        public IServiceProvider Services { get; set; } = null!;
        public string SettingsJson => settingsJson;

        public void Register(RpcMethodHandler handler)
        {
            if (!Handlers.TryAdd(handler.Name, handler)) throw new SpindleException(Errno.EEXIST, $"RPC method '{handler.Name}' is registered already.");
        }
    }
}
