using Microsoft.Extensions.Logging;
using Spindle.Host.Bdevs;
using Spindle.Host.Modules.Upgrade;
using Spindle.Host.Rpc;
using Spindle.Host.Rpc.Configuration;
using Spindle.Modules;

namespace Spindle.Host.Modules;

/// <summary>Loads, unloads and upgrades modules of a running host, one operation after another. On the app thread.</summary>
public sealed class ModuleControl
{
    private readonly ModuleHost _modules;
    private readonly BdevRegistry _bdevs;
    private readonly RpcDispatcher _rpc;
    private readonly ModuleUpgrader _upgrader;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1);

    internal ModuleControl(ModuleHost modules, ModuleCatalogue catalogue, BdevRegistry bdevs, RpcDispatcher rpc, ILogger log)
    {
        _modules = modules;
        Catalogue = catalogue;
        _bdevs = bdevs;
        _rpc = rpc;
        _log = log;
        _upgrader = new ModuleUpgrader(modules, bdevs, rpc.Methods, log);
    }

    /// <summary>What there is to load.</summary>
    public ModuleCatalogue Catalogue { get; }

    /// <summary>Checks a module, loads and starts it: its RPC methods are registered, and it is asked about the bdevs there are.</summary>
    /// <exception cref="ModuleException">It cannot be used; nothing of it stays.</exception>
    public Task<LoadedModule> LoadAsync(string name, VersionRange versions, string settingsJson = "{}", bool? unloadable = null) => InTurnAsync(async () =>
    {
        if (_modules.Find(name) is { } there)
            throw new ModuleException(ModuleErrorCode.AlreadyLoaded, there.Manifest.Identity, "is loaded already; unload it first, or use module_upgrade for another version.");
        var manifest = await Task.Run(() => Catalogue.Find(name, versions));
        CheckDependencies(manifest, null);
        return await LoadAsync(manifest, settingsJson, unloadable);
    });

    private async Task<LoadedModule> LoadAsync(ModuleManifest manifest, string settingsJson, bool? unloadable)
    {
        var module = await _modules.LoadAsync(manifest, settingsJson, unloadable);
        await _modules.StartAsync(module);
        _modules.PrepareMethods();
        _log.LogInformation("Module {Module} was loaded.", manifest.Identity);
        return module;
    }

    /// <summary>Who needs a module, in words; empty when it may go.</summary>
    public IReadOnlyList<string> UsesOf(LoadedModule module)
    {
        var uses = _bdevs.UsesOf(module.Name).ToList();
        if (module.Instance is FrontEnd { ConnectionCount: > 0 and var count }) uses.Add($"it serves {count} connections");
        uses.AddRange(_modules.ImportersOf(module).Select(other => $"module {other.Manifest.Identity} imports its services"));
        uses.AddRange(_modules.Modules.Where(other => other.Manifest.Dependencies.Any(d => d.Name == module.Name)).Select(other => $"module {other.Manifest.Identity} needs it"));
        return uses;
    }

    /// <summary>Stops a module and unloads its code.</summary>
    /// <param name="name">The module's name.</param>
    /// <param name="force">Also while it is in use: openers of its bdevs are told that they go, and outstanding I/O is given time to end.</param>
    /// <returns>True when its code is gone.</returns>
    /// <exception cref="ModuleException">It is not loaded, or in use and not forced.</exception>
    public Task<bool> UnloadAsync(string name, bool force = false) => InTurnAsync(() =>
    {
        var module = Loaded(name);
        if (!force && UsesOf(module) is { Count: > 0 } uses)
            throw new ModuleException(ModuleErrorCode.InUse, module.Manifest.Identity, $"is in use: {string.Join("; ", uses)}. End that first, or give \"force\".");
        return _modules.UnloadAsync(name);
    });

    /// <summary>Puts another version in the place of a running one, under live I/O.</summary>
    /// <param name="name">The module's name.</param>
    /// <param name="versions">Which version; the highest that fits.</param>
    /// <param name="force">When it cannot hand over: stop it and start the other one with the same configuration, which hosts notice.</param>
    /// <param name="timeout">How long outstanding I/O may take to complete.</param>
    /// <exception cref="ModuleException">It was not upgraded, and the old version goes on.</exception>
    public Task<UpgradeReport> UpgradeAsync(string name, VersionRange versions, bool force = false, TimeSpan? timeout = null) => InTurnAsync(async () =>
    {
        var module = Loaded(name);
        var manifest = await Task.Run(() => Catalogue.Find(name, versions));
        if (manifest.Version.Equals(module.Manifest.Version))
            throw new ModuleException(ModuleErrorCode.AlreadyLoaded, manifest.Identity, "is the version that runs; a new build needs a version of its own.");
        if (module.State != ModuleState.Running)
            throw new ModuleException(ModuleErrorCode.InvalidState, module.Manifest.Identity, $"is {module.State}; unload it by \"force\" and load the other version.");
        CheckDependencies(manifest, module);
        foreach (var other in _modules.Modules)
            if (other.Manifest.Dependencies.FirstOrDefault(d => d.Name == name) is { } need && !need.Versions.Contains(manifest.Version))
                throw new ModuleException(ModuleErrorCode.ModuleDependency, manifest.Identity, $"does not fit {other.Manifest.Identity}, which needs {name} {need.Versions}.");
        if (_modules.ImportersOf(module) is { Count: > 0 } importers)
            throw new ModuleException(ModuleErrorCode.NotUpgradable, module.Manifest.Identity,
                $"exports services that {string.Join(", ", importers.Select(m => m.Manifest.Identity))} hold; unload those first, and load them again afterwards.");
        if (module.Upgrade is not null) return await _upgrader.UpgradeAsync(module, manifest, timeout ?? TimeSpan.FromSeconds(10));
        if (force) return await RestartAsync(module, manifest);
        throw new ModuleException(ModuleErrorCode.NotUpgradable, module.Manifest.Identity, ModuleUpgrader.NotUpgradable(module));
    });

    /// <summary>Checks a module's files as before a load; runs none of its code.</summary>
    /// <exception cref="ModuleException">What is wrong.</exception>
    public Task<ModuleManifest> VerifyAsync(string name, VersionRange versions) => Task.Run(() =>
    {
        var manifest = Catalogue.Find(name, versions);
        _modules.Check(manifest);
        return manifest;
    });

    private async Task<UpgradeReport> RestartAsync(LoadedModule module, ModuleManifest manifest)
    {
        await Task.Run(() => _modules.Check(manifest));
        var from = module.Manifest;
        var (settings, unloadable) = (module.SettingsJson, module.IsUnloadable);
        var calls = SaveConfig(module);
        bool gone = await _modules.UnloadAsync(from.Name);
        try
        {
            await LoadConfiguredAsync(manifest, settings, unloadable && manifest.Unloadable, calls);
        }
        catch (Exception e) when (e is SpindleException or Spindle.Rpc.RpcException)
        {
            var text = e.Message;
            _log.LogError("Module {Module} did not come up in the place of {Old}, which is started again: {Text}", manifest.Identity, from.Identity, text);
            if (_modules.Find(from.Name) is not null) await _modules.UnloadAsync(from.Name);
            await LoadConfiguredAsync(from, settings, unloadable, calls);
            throw new ModuleException(ModuleErrorCode.UpgradeFailed, manifest.Identity, $"did not come up, and {from.Identity} was started again: {text}");
        }
        _log.LogInformation("Module {Name} was restarted: {From} became {To}.", from.Name, from.Version, manifest.Version);
        return new UpgradeReport(from.Name, from.Version.ToString(), manifest.Version.ToString(), TimeSpan.Zero, [], true, gone);
    }

    private ConfigCalls SaveConfig(LoadedModule module)
    {
        var calls = new ConfigCalls();
        module.Instance!.WriteConfig(calls);
        foreach (var bdev in _bdevs.All.Where(bdev => bdev.ModuleName == module.Name)) bdev.WriteConfig(calls);
        return calls;
    }

    private async Task LoadConfiguredAsync(ModuleManifest manifest, string settings, bool unloadable, ConfigCalls calls)
    {
        var module = await _modules.LoadAsync(manifest, settings, unloadable);
        // As at the start of a host: options that must be set by then come before the module is started.
        foreach (var call in calls.Calls.Where(IsForStartup)) await ReplayAsync(call);
        await _modules.StartAsync(module);
        _modules.PrepareMethods();
        foreach (var call in calls.Calls.Where(call => !IsForStartup(call))) await ReplayAsync(call);
    }

    private bool IsForStartup(ConfigCall call) => _rpc.Methods.TryFind(call.Method, out var handler) && handler.Phase == Spindle.Rpc.RpcPhase.Startup;

    private Task ReplayAsync(ConfigCall call) => _rpc.ReplayAsync(call.Method, call.Parameters?.Json ?? default);

    private void CheckDependencies(ModuleManifest manifest, LoadedModule? replaced)
    {
        var loaded = _modules.Modules.Select(m => m.Manifest).ToList();
        foreach (var import in manifest.Imports) Sharing.ServiceManifest.ExporterOf(manifest, import, loaded);
        foreach (var dependency in manifest.Dependencies)
        {
            var there = _modules.Find(dependency.Name);
            if (there is null || ReferenceEquals(there, replaced))
                throw new ModuleException(ModuleErrorCode.ModuleDependency, manifest.Identity, $"needs module {dependency.Name} ({dependency.Versions}), which is not loaded; load it first.");
            if (!dependency.Versions.Contains(there.Manifest.Version))
                throw new ModuleException(ModuleErrorCode.ModuleDependency, manifest.Identity, $"needs module {dependency.Name} {dependency.Versions}, but {there.Manifest.Version} is loaded; upgrade that first.");
        }
    }

    private LoadedModule Loaded(string name) => _modules.Find(name)
        ?? throw new ModuleException(ModuleErrorCode.InvalidState, name, $"is not loaded; there are: {string.Join(", ", _modules.Modules.Select(m => m.Name))}.");

    private async Task<T> InTurnAsync<T>(Func<Task<T>> operation)
    {
        await _turn.WaitAsync();
        try
        {
            return await operation();
        }
        finally
        {
            _turn.Release();
        }
    }
}
