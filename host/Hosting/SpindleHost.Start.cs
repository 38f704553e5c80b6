using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Manifests;
using Spindle.Host.Memory;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Trust;
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

// How a host comes up.
public sealed partial class SpindleHost
{
    private async Task StartCoreAsync(CancellationToken cancellationToken)
    {
        // The manifests and assemblies of the modules are read and checked while the reactors start.
        var checkedModules = Task.Run(FindModules, cancellationToken);
        var configuration = _options.ConfigFile is { } file ? Task.Run(() => ConfigurationFile.Read(file), cancellationToken) : null;
        try
        {
            _environment = HostEnvironment.Create(new HostEnvironmentOptions(_options.Portable, _options.Ring, _options.UseHugePages));
            foreach (var fallback in _environment.Fallbacks) _log.LogWarning("{Fallback}", fallback);
            _reactors = await ReactorSystem.StartAsync(_environment, new ReactorOptions(ChooseCores(), _options.Spin), _logging.CreateLogger("reactor")).ConfigureAwait(false);
            Compose();
            // Served before there are modules: a client is answered as soon as what it asks for is there. A second host ends here.
            Rpc.Hold();
            _server?.Start();
            await LoadModulesAsync(await checkedModules.ConfigureAwait(false)).ConfigureAwait(false);
            var calls = configuration is null ? null : await configuration.ConfigureAwait(false);
            if (_options.WaitForRpc)
            {
                Rpc.Release();
                Ready = InitializeAsync(calls, CancellationToken.None);
                return;
            }
            _ = _lifecycle.StartInitAsync();
            await (Ready = InitializeAsync(calls, cancellationToken)).ConfigureAwait(false);
            Rpc.Release();
        }
        finally
        {
            await Task.WhenAll(checkedModules, configuration ?? Task.CompletedTask).ContinueWith(static _ => { }, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private IReadOnlyList<(ModuleManifest Manifest, AppModule Wanted)> FindModules()
    {
        var catalogue = new ModuleCatalogue(_options.ModuleFolders);
        var wanted = _options.Modules.ToDictionary(module => module.Name);
        var found = WiringOrder.Of(_options.Modules.Select(module => catalogue.Find(module.Name, module.Versions)));
        return found.Select(manifest => (manifest, wanted[manifest.Name])).ToList();
    }

    private IReadOnlyList<int> ChooseCores()
    {
        if (_options.CpuMask is { } mask) return CoreMask.Parse(mask);
        var available = _environment.AvailableCores;
        if (_options.CoreCount > available.Count)
            _log.LogWarning("{Wanted} cores are asked for, but this process may run on {Count} only ({Cores}); it runs on those.",
                _options.CoreCount, available.Count, string.Join(", ", available));
        return [.. available.Take(Math.Max(1, _options.CoreCount))];
    }

    private void Compose()
    {
        _iobuf = new IobufPools(_environment.Memory, _options.Iobuf);
        var services = new ServiceCollection();
        services.AddSingleton(this);
        services.AddSingleton<IFrameworkLifecycle>(_lifecycle);
        services.AddSingleton(_environment);
        services.AddSingleton(_reactors);
        services.AddSingleton<IStorageThreads>(_reactors);
        services.AddSingleton(_iobuf);
        services.AddSingleton<IIobuf>(_iobuf);
        services.AddSingleton(_logging);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddSingleton(provider => new BdevRegistry(_reactors, _environment.Memory, _iobuf,
            provider.GetRequiredService<INotifications>(), _logging.CreateLogger("bdev")));
        services.AddSingleton(provider => new ModuleHost(new HostModuleServices(_environment, _reactors, _iobuf, provider.GetRequiredService<BdevRegistry>(),
            provider.GetRequiredService<RpcMethodRegistry>(), provider.GetRequiredService<INotifications>(), _logging)));
        services.AddSingleton(new ModuleCatalogue(_options.ModuleFolders));
        services.AddSingleton(new HealthSource());
        foreach (var service in _options.Services) services.AddSingleton(service.GetType(), service);
        services.AddSpindleRpc(new RpcServerOptions { SocketPath = _options.RpcSocket ?? "" });

        _services = services.BuildServiceProvider();
        BdevLayer = _services.GetRequiredService<BdevRegistry>();
        Bdevs = BdevLayer.ForModule("spindle");
        Modules = _services.GetRequiredService<ModuleHost>();
        Modules.TrustedKeys = _options.TrustedKeys is { } keys ? [.. keys.Select(TrustedKey.Load)] : null;
        ModuleControl = _services.GetRequiredService<ModuleControl>();
        Rpc = _services.GetRequiredService<RpcDispatcher>();
        _faults = new FaultWatch(_reactors, BdevLayer, Modules, Rpc, _options.Faults, _logging.CreateLogger("faults"));
        _services.GetRequiredService<HealthSource>().Faults = _faults;
        _services.RegisterHostMethods();
        if (_options.RpcSocket is not null) _server = _services.GetRequiredService<RpcServer>();
    }

    private async Task LoadModulesAsync(IReadOnlyList<(ModuleManifest Manifest, AppModule Wanted)> modules)
    {
        foreach (var (manifest, wanted) in modules)
            await Modules.LoadAsync(manifest, wanted.SettingsJson, wanted.Unloadable).ConfigureAwait(false);
    }

    /// <summary>Runs the configuration's startup calls, starts the modules when that is asked for, and runs the other calls.</summary>
    private async Task InitializeAsync(ConfigurationFile? configuration, CancellationToken cancellationToken)
    {
        try
        {
            if (configuration is null) await StartModulesAsync(cancellationToken).ConfigureAwait(false);
            else
                await _services!.GetRequiredService<ConfigurationLoader>()
                    .LoadAsync(configuration, () => StartModulesAsync(cancellationToken), cancellationToken: cancellationToken).ConfigureAwait(false);
            Modules.PrepareMethods();
            _exercised = ExerciseAsync();
            _lifecycle.SetInitialized();
            // Not before: the start itself wants all cores.
            if (_options.ReactorsOwnTheirCores) _environment.KeepOtherThreadsOff(_reactors.Cores);
        }
        catch (Exception e)
        {
            _lifecycle.SetFailed(e as SpindleException ?? new SpindleException(Errno.EIO, e.Message));
            throw;
        }
    }

    private async Task ExerciseAsync()
    {
        try
        {
            await InvokeAsync(() => PathExercise.RunAsync(BdevLayer)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The first I/O is slower then. Mostly the host was ended meanwhile.
            _log.LogDebug("The bdev layer could not be exercised: {Text}", e.Message);
        }
    }

    private async Task StartModulesAsync(CancellationToken cancellationToken)
    {
        await _lifecycle.InitRequested.WaitAsync(cancellationToken).ConfigureAwait(false);
        foreach (var module in Modules.Modules) await Modules.StartAsync(module, cancellationToken).ConfigureAwait(false);
        Rpc.Methods.Phase = RpcPhase.Runtime;
    }
}
