using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Spindle.Host.Modules.Installation;
using Spindle.Host.Modules.Sharing;
using Spindle.Host.Modules.Trust;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Host.Modules;

/// <summary>The modules of one host, from their check to the end of their code. All methods may be called on any thread; they
/// run plugin code on the app thread. Exceptions of plugin code are turned into text at once: an exception object that is kept would keep the plugin.</summary>
public sealed class ModuleHost
{
    private readonly IModuleHostServices _host;
    private readonly ILogger _log;
    private readonly Lock _lock = new();
    private readonly List<LoadedModule> _modules = [];
    private volatile Task _hostPrepared = Task.CompletedTask;
    private readonly List<(string Identity, WeakReference Context, object? Owner)> _alive = [];

    /// <param name="host">What modules get, and what is done around their lives.</param>
    public ModuleHost(IModuleHostServices host)
    {
        _host = host;
        _log = host.Logging.CreateLogger("modules");
    }

    /// <summary>The keys whose modules are taken; null: modules need no signature.</summary>
    public IReadOnlyList<TrustedKey>? TrustedKeys { get; set; }

    /// <summary>Services between the modules.</summary>
    internal ServiceTable Services { get; } = new();

    /// <summary>Decides from files and metadata alone whether a module can be used, and is one that may.</summary>
    /// <exception cref="ModuleException">What is wrong.</exception>
    public void Check(ModuleManifest manifest)
    {
        if (TrustedKeys is { } keys) ModuleSignature.Verify(manifest, keys);
        CheckLock(manifest);
        ContractCheck.Run(manifest);
    }

    /// <summary>A module that was installed must be as it was then.</summary>
    private static void CheckLock(ModuleManifest manifest)
    {
        var folder = Path.GetDirectoryName(Path.GetDirectoryName(manifest.Folder)) ?? "";
        var locked = ModuleLock.Load(folder).Modules.FirstOrDefault(m => m.Name == manifest.Name && m.Version == manifest.Version.ToString());
        if (locked is null) return; // Laid out by a build, or by hand.
        var now = StoreFolder.Hash(manifest.Folder);
        foreach (var path in locked.Files.Keys.Union(now.Keys))
            if (!locked.Files.TryGetValue(path, out var was) || !now.TryGetValue(path, out var hash) || !hash.Equals(was, StringComparison.OrdinalIgnoreCase))
                throw new ModuleException(ModuleErrorCode.LockMismatch, manifest.Identity,
                    $"{path} is not as {ModuleLock.FileName} has it; remove the version and install it again (spindle module remove, install).");
    }

    /// <summary>The modules that import a service of this one.</summary>
    internal IReadOnlyList<LoadedModule> ImportersOf(LoadedModule module) =>
        [.. Modules.Where(other => other.Manifest.Imports.Any(i => module.Manifest.Exports.Any(e => e.Interface == i.Interface && e.Assembly == i.Assembly)) && other != module)];

    /// <summary>The service contracts that a module sees: its own, and those of the modules it imports from.</summary>
    private Dictionary<string, Assembly> ContractsOf(ModuleManifest manifest)
    {
        var contracts = new Dictionary<string, Assembly>();
        foreach (var export in manifest.Exports) contracts[export.Assembly] = ServiceContracts.Load(export, manifest.Folder);
        var loaded = Modules.Select(m => m.Manifest).ToList();
        foreach (var import in manifest.Imports)
            if (ServiceManifest.ExporterOf(manifest, import, loaded) is { } exporter)
                contracts[import.Assembly] = ServiceContracts.Load(exporter.Exports.First(e => e.Interface == import.Interface), exporter.Folder);
        return contracts;
    }

    /// <summary>How long an unloaded context may take to die before it is reported.</summary>
    public TimeSpan UnloadTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Those loaded now, in the order of loading.</summary>
    public IReadOnlyList<LoadedModule> Modules
    {
        get
        {
            lock (_lock) return [.. _modules];
        }
    }

    /// <summary>Modules that are unloaded, but whose code something still holds.</summary>
    public IReadOnlyList<string> StillHeld
    {
        get
        {
            lock (_lock)
            {
                foreach (var (_, _, owner) in _alive.Where(a => !a.Context.IsAlive))
                    if (owner is not null) Memory.BufferQuarantine.ReturnAllOf(owner);
                _alive.RemoveAll(a => !a.Context.IsAlive);
                return [.. _alive.Select(a => a.Identity)];
            }
        }
    }

    internal void RememberHeld(string identity, WeakReference context, object? owner)
    {
        lock (_lock) _alive.Add((identity, context, owner));
    }

    /// <summary>The module of that name; null when it is not loaded.</summary>
    public LoadedModule? Find(string name)
    {
        lock (_lock) return _modules.Find(module => module.Name == name);
    }

    /// <summary>The module whose code the assembly is; null when it is none's.</summary>
    /// <param name="assemblyName">A simple name.</param>
    public LoadedModule? FindByAssembly(string assemblyName)
    {
        lock (_lock) return _modules.Find(module => module.Owns(assemblyName));
    }

    /// <summary>The module of that name and version ("bdev-x 1.0.0"); null when it is not loaded.</summary>
    public LoadedModule? FindByIdentity(string identity)
    {
        lock (_lock) return _modules.Find(module => module.Manifest.Identity == identity);
    }

    /// <summary>Checks a module, loads its code, makes its entry and services and registers its RPC methods. It is not started yet.</summary>
    /// <param name="manifest">From the catalogue.</param>
    /// <param name="settingsJson">The module's settings, a JSON object.</param>
    /// <param name="unloadable">Overrides what its module.json says.</param>
    /// <exception cref="ModuleException">It cannot be used; nothing of it stays.</exception>
    public async Task<LoadedModule> LoadAsync(ModuleManifest manifest, string settingsJson = "{}", bool? unloadable = null)
    {
        var module = new LoadedModule(manifest, unloadable ?? manifest.Unloadable);
        lock (_lock)
        {
            if (_modules.Find(other => other.Name == manifest.Name) is { } other)
                throw new ModuleException(ModuleErrorCode.AlreadyLoaded, manifest.Identity, $"{other.Manifest.Identity} is loaded already; unload it first.");
            _modules.Add(module);
        }
        try
        {
            await Task.Run(() => LoadCode(module)).ConfigureAwait(false);
            await _host.Threads.AppThread.InvokeAsync(() =>
            {
                Compose(module, settingsJson, null);
                return Task.CompletedTask;
            }).ConfigureAwait(false);
            return module;
        }
        catch (ModuleException)
        {
            await EndAsync(module, runStop: false).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts a loaded module: <see cref="BdevModule.InitializeAsync"/> or <see cref="FrontEnd.StartAsync"/>. A tool has nothing to start.</summary>
    /// <exception cref="ModuleException">Its code failed; it was unloaded.</exception>
    public async Task StartAsync(LoadedModule module, CancellationToken cancellationToken = default)
    {
        string? failure = null;
        var code = ModuleErrorCode.StartFailed;
        await _host.Threads.AppThread.InvokeAsync(async () =>
        {
            if (module.State != ModuleState.Loaded)
                throw new ModuleException(ModuleErrorCode.InvalidState, module.Manifest.Identity, $"is {module.State}; only a loaded module can be started.");
            module.State = ModuleState.Starting;
            try
            {
                await RunStartAsync(module, cancellationToken);
                if (module.Instance is BdevModule examiner) _host.AddExaminer(examiner);
                module.State = ModuleState.Running;
            }
            catch (Exception e)
            {
                module.State = ModuleState.Faulty;
                failure = TextOf(e);
                if (e is ModuleException { Code: ModuleErrorCode.StartTimeout }) code = ModuleErrorCode.StartTimeout;
            }
        }).ConfigureAwait(false);
        if (failure is null) return;
        await EndAsync(module, runStop: true).ConfigureAwait(false);
        throw new ModuleException(code, module.Manifest.Identity, $"could not be started: {failure}");
    }

    /// <summary>How long a module's start may take.</summary>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(30);

    // On the app thread.
    internal async Task RunStartAsync(LoadedModule module, CancellationToken cancellationToken)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var start = module.Instance switch
        {
            BdevModule bdevs => bdevs.InitializeAsync(module.Context!, given.Token),
            FrontEnd frontEnd => frontEnd.StartAsync(module.Context!, given.Token),
            _ => Task.CompletedTask,
        };
        try
        {
            await start.WaitAsync(StartTimeout, cancellationToken);
        }
        catch (TimeoutException) when (!start.IsCompleted)
        {
            await given.CancelAsync();
            throw new ModuleException(ModuleErrorCode.StartTimeout, module.Manifest.Identity,
                $"did not start within {StartTimeout.TotalSeconds:0.#} s; its InitializeAsync or StartAsync waits for something that does not come.");
        }
    }

    /// <summary>Compiles the modules' methods on a thread of its own, before they are first used on a reactor.</summary>
    public void PrepareMethods()
    {
        _hostPrepared = MethodPreparation.StartHost();
        lock (_lock)
            foreach (var module in _modules)
                if (module is { IsUnloadable: true, Preparation: null, LoadContext: { } context }) module.Preparation = MethodPreparation.Start(context);
    }

    /// <summary>Ends when all that <see cref="PrepareMethods"/> has begun is compiled, or given up because its module goes. Never fails.</summary>
    public Task Prepared => Task.WhenAll(Modules.Select(module => module.PreparationCompleted ?? Task.CompletedTask).Append(_hostPrepared));

    /// <summary>Stops a module: withdraws its RPC methods, removes its bdevs, stops it, disposes its services, and unloads its code.</summary>
    /// <returns>True when its code is gone, or is one that stays by its manifest; false when something still holds it, which is logged.</returns>
    /// <exception cref="ModuleException">It is not loaded.</exception>
    public async Task<bool> UnloadAsync(string name, CancellationToken cancellationToken = default)
    {
        var module = Find(name) ?? throw new ModuleException(ModuleErrorCode.InvalidState, name, "is not loaded.");
        // The host's own object: what it knows of the plugin is dropped with it.
        object? owner = module.Context;
        if (await EndAsync(module, runStop: true).ConfigureAwait(false) is not { } context) return true;
        if (await ContextUnload.WaitAsync(context, UnloadTimeout, cancellationToken).ConfigureAwait(false))
        {
            if (owner is not null) Memory.BufferQuarantine.ReturnAllOf(owner);
            return true;
        }
        RememberHeld(module.Manifest.Identity, context, owner);
        _log.LogWarning("Module {Module} is stopped, but something still holds its code {Seconds} s after it was unloaded: "
            + "a thread of its own, an undisposed timer, a registered callback, a kept exception or delegate.", module.Manifest.Identity, UnloadTimeout.TotalSeconds);
        return false;
    }

    /// <summary>Another version has taken over from a module.</summary>
    internal void Exchange(LoadedModule old, LoadedModule next)
    {
        lock (_lock) _modules[_modules.IndexOf(old)] = next;
    }

    /// <summary>Stops all modules, the latest first; for the end of the host. Their code is dropped but not waited for.</summary>
    public async Task StopAllAsync()
    {
        foreach (var module in Modules.Reverse())
        {
            object? owner = module.Context;
            await EndAsync(module, runStop: true).ConfigureAwait(false);
            if (owner is not null) Memory.BufferQuarantine.EndHostOf(owner);
        }
    }

    /// <summary>Takes note that a module's code threw where it must not: marks it and removes its bdevs. On any thread.</summary>
    public void MarkFaulty(LoadedModule module, string text)
    {
        _host.Threads.AppThread.Send(static state =>
        {
            var (self, module, text) = ((ModuleHost, LoadedModule, string))state!;
            if (module.State is not (ModuleState.Running or ModuleState.Starting)) return;
            module.State = ModuleState.Faulty;
            module.Problem = text;
            self._log.LogError("Module {Module} is faulty; its bdevs are removed: {Text}", module.Manifest.Identity, text);
            self._host.Notifications.RegisterType("module_fault");
            self._host.Notifications.Notify("module_fault", module.Manifest.Identity);
            _ = self.RemoveBdevsAsync(module);
        }, (this, module, text));
    }

    // Not inlined, so that no local of a longer-lived method keeps the plugin's objects.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void LoadCode(LoadedModule module)
    {
        var manifest = module.Manifest;
        Check(manifest);
        try
        {
            module.LoadContext = new ModuleLoadContext(manifest, module.IsUnloadable, ContractsOf(manifest));
            module.Assembly = module.LoadContext.LoadFromAssemblyPath(manifest.AssemblyPath);
            // The static constructor of the entry runs here, if at all, not on the app thread's reactor.
            var entry = module.Assembly.GetType(manifest.Entry, throwOnError: true)!;
            if (!typeof(PluginModule).IsAssignableFrom(entry))
                throw new ModuleException(ModuleErrorCode.EntryTypeInvalid, manifest.Identity,
                    $"its entry {manifest.Entry} must derive from BdevModule, FrontEnd or ToolModule.");
        }
        catch (Exception e) when (e is not ModuleException)
        {
            // A load context that has nothing in it yet is let go of by its caller.
            throw new ModuleException(ModuleErrorCode.LoadFailed, manifest.Identity, $"{manifest.Assembly} could not be loaded: {TextOf(e)}");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Compose(LoadedModule module, string settingsJson, IRpcRegistrar? upgradeRpc)
    {
        var step = "its constructor";
        try
        {
            var entry = module.Assembly!.GetType(module.Manifest.Entry, throwOnError: true)!;
            var instance = (PluginModule)Activator.CreateInstance(entry, nonPublic: true)!;
            module.Instance = instance;
            if (instance.Name != module.Name)
                throw new ModuleException(ModuleErrorCode.EntryTypeInvalid, module.Manifest.Identity,
                    $"its entry {module.Manifest.Entry} calls itself \"{instance.Name}\"; Name must be the one in module.json.");
            module.SettingsJson = settingsJson;
            module.Context = new ModuleContext(_host, module.Manifest, settingsJson, upgradeRpc, Services);

            step = "ConfigureServices";
            var services = new ServiceCollection();
            AddHostServices(services, module.Context);
            services.AddSingleton(entry, instance);
            services.AddSingleton(instance);
            instance.ConfigureServices(services);
            module.Provider = services.BuildServiceProvider();
            module.Context.Services = module.Provider;

            step = "the registration of its RPC methods";
            foreach (var binder in module.Assembly.GetCustomAttributes<RpcBinderAttribute>())
                ((RpcBinder)Activator.CreateInstance(binder.BinderType, nonPublic: true)!).Register(module.Context.Rpc, module.Provider);

            step = "Upgrade";
            module.Upgrade = instance.Upgrade;
        }
        catch (Exception e) when (e is not ModuleException)
        {
            throw new ModuleException(ModuleErrorCode.StartFailed, module.Manifest.Identity, $"{step} failed: {TextOf(e)}");
        }
    }

    private static void AddHostServices(ServiceCollection services, ModuleContext context)
    {
        services.AddSingleton<IModuleContext>(context);
        services.AddSingleton(context.Bdevs);
        services.AddSingleton(context.Threads);
        services.AddSingleton(context.Io);
        services.AddSingleton(context.Memory);
        services.AddSingleton(context.Iobuf);
        services.AddSingleton(context.Notifications);
        services.AddSingleton(context.Rpc);
        services.AddSingleton(context.Logging);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
    }

    /// <summary>Takes a module through its end.</summary>
    /// <returns>Its context's weak reference; null when its code stays, or was not loaded.</returns>
    internal async Task<WeakReference?> EndAsync(LoadedModule module, bool runStop)
    {
        try
        {
            if (module.Context is not null)
                await _host.Threads.AppThread.InvokeAsync(() => StopAsync(module, runStop)).ConfigureAwait(false);
            if (module.Preparation is { } preparation)
            {
                preparation.Cancel();
                await preparation.Completed.ConfigureAwait(false);
            }
        }
        finally
        {
            lock (_lock) _modules.Remove(module);
        }
        return Drop(module);
    }

    // On the app thread. Each step is taken whatever became of the one before.
    private async Task StopAsync(LoadedModule module, bool runStop)
    {
        if (module.State is ModuleState.Stopping or ModuleState.Stopped)
            throw new ModuleException(ModuleErrorCode.InvalidState, module.Manifest.Identity, "is being stopped already.");
        module.State = ModuleState.Stopping;
        await AttemptAsync(module, "withdrawing its RPC methods", () => _host.WithdrawRpcAsync(module.Name));
        if (module.Instance is BdevModule examiner) _host.RemoveExaminer(examiner);
        await RemoveBdevsAsync(module);
        Services.RemoveAllOf(module.Name);
        if (runStop && module.Instance is { } instance) await AttemptAsync(module, "StopAsync", () => instance.StopAsync(CancellationToken.None));
        if (module.Provider is { } provider) await AttemptAsync(module, "disposing its services", () => provider.DisposeAsync().AsTask());
        module.State = ModuleState.Stopped;
    }

    private Task RemoveBdevsAsync(LoadedModule module) =>
        AttemptAsync(module, "removing its bdevs", () => _host.RemoveBdevsAsync(module.Name));

    private async Task AttemptAsync(LoadedModule module, string what, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e)
        {
            module.Problem = $"{what} failed: {TextOf(e)}";
            _log.LogError("Module {Module}: {What} failed: {Text}", module.Manifest.Identity, what, TextOf(e));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static WeakReference? Drop(LoadedModule module)
    {
        module.Context?.Drop();
        module.Context = null;
        module.Instance = null;
        module.Upgrade = null;
        module.Provider = null;
        module.Assembly = null;
        module.Preparation = null;
        if (module.LoadContext is not { } context) return null;
        module.LoadContext = null;
        if (!context.IsCollectible) return null;
        context.Unload();
        return new WeakReference(context, trackResurrection: true);
    }

    /// <summary>What an exception says, without the object.</summary>
    internal static string TextOf(Exception exception)
    {
        var cause = exception is TargetInvocationException or AggregateException { InnerExceptions.Count: 1 } ? exception.InnerException ?? exception : exception;
        return cause is SpindleException ? cause.Message : $"{cause.GetType().FullName}: {cause.Message}";
    }
}
