using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Host.Modules;

/// <summary>Where a module is in its life.</summary>
public enum ModuleState
{
    /// <summary>Its code is loaded and its RPC methods are registered.</summary>
    Loaded,
    /// <summary>It is being started.</summary>
    Starting,
    /// <summary>It runs.</summary>
    Running,
    /// <summary>Its code threw where it must not; its bdevs are removed, and it awaits unloading.</summary>
    Faulty,
    /// <summary>It is being stopped.</summary>
    Stopping,
    /// <summary>It is stopped; its code is being, or was, unloaded.</summary>
    Stopped,
}

/// <summary>A module in this process. Its state changes on the app thread.</summary>
public sealed class LoadedModule
{
    internal LoadedModule(ModuleManifest manifest, bool isUnloadable)
    {
        Manifest = manifest;
        IsUnloadable = isUnloadable;
    }

    /// <summary>What module.json says.</summary>
    public ModuleManifest Manifest { get; }

    /// <summary>The module's name.</summary>
    public string Name => Manifest.Name;

    /// <summary>False: its code stays until the process ends.</summary>
    public bool IsUnloadable { get; }

    /// <summary>Where it is in its life.</summary>
    public ModuleState State { get; internal set; }

    /// <summary>What went wrong with it, as text; null while nothing did.</summary>
    public string? Problem { get; internal set; }

    /// <summary>The plugin's object while it is loaded. Do not keep it: whoever does keeps the plugin's code from being unloaded.</summary>
    public PluginModule? Instance { get; internal set; }

    /// <summary>Ends when its methods are compiled ahead of their use; null when that is not being done.</summary>
    public Task? PreparationCompleted => Preparation?.Completed;

    /// <summary>The module's door to the host, for whoever runs a tool.</summary>
    /// <exception cref="ModuleException">It is not loaded.</exception>
    public IModuleContext ContextForTool => Context ?? throw new ModuleException(ModuleErrorCode.InvalidState, Manifest.Identity, "is not loaded.");

    internal ModuleLoadContext? LoadContext { get; set; }

    internal Assembly? Assembly { get; set; }

    internal ModuleContext? Context { get; set; }

    internal ServiceProvider? Provider { get; set; }

    /// <summary>The settings it was given, JSON.</summary>
    public string SettingsJson { get; internal set; } = "{}";

    /// <summary>How it hands over to another version; null when it cannot.</summary>
    internal ModuleUpgrade? Upgrade { get; set; }

    internal MethodPreparation? Preparation { get; set; }

    /// <summary>True when the assembly of that simple name is the module's code.</summary>
    internal bool Owns(string assemblyName) =>
        LoadContext is { } context && context.Assemblies.Any(assembly => assembly.GetName().Name == assemblyName);
}
