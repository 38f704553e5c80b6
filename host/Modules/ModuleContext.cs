using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Host.Modules.Sharing;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Modules;

/// <summary>One module's door to the host.</summary>
internal sealed class ModuleContext : IModuleContext
{
    private readonly IModuleHostServices _host;
    private readonly ModuleManifest _manifest;
    private readonly ServiceTable? _table;
    private IServiceProvider? _services;

    /// <param name="host">The host.</param>
    /// <param name="manifest">The module's.</param>
    /// <param name="settingsJson">Its settings.</param>
    /// <param name="services">Services between modules.</param>
    /// <param name="upgradeRpc">For a version that is to take over from another: where its methods are kept until then.</param>
    public ModuleContext(IModuleHostServices host, ModuleManifest manifest, string settingsJson, IRpcRegistrar? upgradeRpc = null, ServiceTable? services = null)
    {
        _manifest = manifest;
        _table = services;
        _host = host;
        ModuleName = manifest.Name;
        ModuleVersion = manifest.Version.ToString();
        SettingsJson = settingsJson;
        Logging = new ModuleLoggerFactory(host.Logging, manifest.Name);
        Bdevs = host.BdevsOf(this);
        Rpc = upgradeRpc ?? host.RpcOf(manifest.Name);
        IsUpgrade = upgradeRpc is not null;
    }

    public string ModuleName { get; }
    public string ModuleVersion { get; }
    public IBdevRegistry Bdevs { get; }
    public IStorageThreads Threads => _host.Threads;
    public IIoPlatform Io => _host.Io;
    public IDmaMemory Memory => _host.Memory;
    public IIobuf Iobuf => _host.Iobuf;
    public IRpcRegistrar Rpc { get; }
    public ILoggerFactory Logging { get; }
    public INotifications Notifications => _host.Notifications;
    public string SettingsJson { get; }
    public bool IsUpgrade { get; }

    public void Export<T>(T implementation) where T : class => (_table ?? throw new NotSupportedException()).Add(_manifest, typeof(T), implementation);

    public T? Import<T>() where T : class => (T?)(_table ?? throw new NotSupportedException()).Find(_manifest, typeof(T));

    public IServiceProvider Services
    {
        get => _services ?? throw new InvalidOperationException($"The services of module {ModuleName} are not built yet, or disposed.");
        set => _services = value;
    }

    /// <summary>Lets go of what is the plugin's, should anything go on holding the context.</summary>
    public void Drop() => _services = null;
}

/// <summary>Puts the module's name before the categories of its loggers.</summary>
internal sealed class ModuleLoggerFactory(ILoggerFactory host, string module) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) =>
        host.CreateLogger(categoryName.StartsWith(module, StringComparison.Ordinal) ? categoryName : $"{module}/{categoryName}");

    public void AddProvider(ILoggerProvider provider) =>
        throw new NotSupportedException("A module logs through the host's providers; it cannot add one of its own.");

    // The loggers are the host's.
    public void Dispose() { }
}
