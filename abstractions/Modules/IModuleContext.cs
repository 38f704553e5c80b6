using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Modules;

/// <summary>A module's sole door to the host. On the app thread, unless the thing asked for says otherwise.</summary>
public interface IModuleContext
{
    /// <summary>The module's name.</summary>
    string ModuleName { get; }

    /// <summary>The module's version, as in its module.json.</summary>
    string ModuleVersion { get; }

    /// <summary>The bdevs.</summary>
    IBdevRegistry Bdevs { get; }

    /// <summary>Reactors, storage threads, I/O devices.</summary>
    IStorageThreads Threads { get; }

    /// <summary>Files, sockets and events for the rings.</summary>
    IIoPlatform Io { get; }

    /// <summary>DMA memory.</summary>
    IDmaMemory Memory { get; }

    /// <summary>I/O buffers.</summary>
    IIobuf Iobuf { get; }

    /// <summary>Registers RPC methods by hand; those with <see cref="RpcMethodAttribute"/> are registered by the generated binder.</summary>
    IRpcRegistrar Rpc { get; }

    /// <summary>Loggers whose category starts with the module's name.</summary>
    ILoggerFactory Logging { get; }

    /// <summary>What operators read by <c>notify_get_notifications</c>.</summary>
    INotifications Notifications { get; }

    /// <summary>The module's own service provider.</summary>
    IServiceProvider Services { get; }

    /// <summary>The module's settings from the app's manifest, as JSON text of an object; "{}" when there are none.</summary>
    string SettingsJson { get; }

    /// <summary>True when the module is started to take over from another version of itself: its bdevs come by <see cref="ModuleUpgrade.Import"/>, not by the module's own doing.</summary>
    bool IsUpgrade => false;

    /// <summary>Offers a service to other modules, during <see cref="BdevModule.InitializeAsync"/> or <see cref="FrontEnd.StartAsync"/>. Its interface is declared in an
    /// assembly of its own, which module.json names under "exports" with a version.</summary>
    /// <exception cref="SpindleException">EINVAL: module.json does not name it. EEXIST: another module exports it.</exception>
    void Export<T>(T implementation) where T : class => throw new NotSupportedException("This host has no services between modules.");

    /// <summary>A service of another module, which module.json names under "imports"; null when it is optional and nobody exports it. The exporter is started before this
    /// module and unloaded after it.</summary>
    /// <exception cref="SpindleException">EINVAL: module.json does not name it.</exception>
    T? Import<T>() where T : class => throw new NotSupportedException("This host has no services between modules.");
}

/// <summary>Events that operators may read.</summary>
public interface INotifications
{
    /// <summary>Makes a type known; harmless when it is.</summary>
    void RegisterType(string type);

    /// <summary>Records an event: SPDK's <c>bdev_register</c>, for example, with the bdev's name as context.</summary>
    void Notify(string type, string context);
}
