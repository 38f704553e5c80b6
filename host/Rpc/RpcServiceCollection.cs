using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Spindle.Host.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;
using Spindle.Host.Modules;
using Spindle.Host.Notifications;
using Spindle.Host.Rpc.Configuration;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Host.Rpc;

/// <summary>Puts the control plane together.</summary>
public static class RpcServiceCollection
{
    /// <summary>Adds the method registry, dispatcher, server, configuration, notifications and log settings. The host's life cycle
    /// (<see cref="IFrameworkLifecycle"/>), reactors (also as <see cref="Spindle.Threading.IStorageThreads"/>), iobuf pools, bdev registry, module host
    /// and loggers are the caller's to add.</summary>
    public static IServiceCollection AddSpindleRpc(this IServiceCollection services, RpcServerOptions options)
    {
        services.TryAddSingleton<LogSettings>();
        services.TryAddSingleton<NotificationRing>();
        services.TryAddSingleton<INotifications>(static s => s.GetRequiredService<NotificationRing>());
        services.AddSingleton(options);
        services.AddSingleton<RpcMethodRegistry>();
        services.AddSingleton<RpcDispatcher>();
        services.AddSingleton<RpcServer>();
        services.AddSingleton<FrameworkSubsystems>();
        services.AddSingleton<ConfigurationLoader>();
        services.TryAddSingleton(static s => new ModuleCatalogue([]));
        services.TryAddSingleton<HealthSource>();
        services.AddSingleton(static s => new ModuleControl(s.GetRequiredService<ModuleHost>(), s.GetRequiredService<ModuleCatalogue>(),
            s.GetRequiredService<BdevRegistry>(), s.GetRequiredService<RpcDispatcher>(), s.GetRequiredService<ILoggerFactory>().CreateLogger("modules")));
        return services;
    }

    /// <summary>Registers the host's own methods.</summary>
    public static void RegisterHostMethods(this IServiceProvider services) =>
        Register(typeof(RpcServiceCollection).Assembly, services.GetRequiredService<RpcMethodRegistry>().ForModule("spindle"), services);

    /// <summary>Registers the methods of an assembly by its generated binder; nothing when it has none.</summary>
    /// <param name="assembly">The host's, or a plugin's.</param>
    /// <param name="registrar">Where.</param>
    /// <param name="services">What the classes with methods are made from.</param>
    public static void Register(Assembly assembly, IRpcRegistrar registrar, IServiceProvider services)
    {
        if (assembly.GetCustomAttribute<RpcBinderAttribute>() is { } attribute)
        {
            ((RpcBinder)Activator.CreateInstance(attribute.BinderType)!).Register(registrar, services);
        }
    }
}
