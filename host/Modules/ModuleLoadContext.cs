using System.Reflection;
using System.Runtime.Loader;

namespace Spindle.Host.Modules;

/// <summary>Where a module's code lives: its own assembly and private dependencies from its folder, the shared assemblies from the host,
/// the rest from .NET. Two modules may carry different versions of one dependency.</summary>
internal sealed class ModuleLoadContext : AssemblyLoadContext
{
    private readonly AssemblyDependencyResolver _resolver;
    private readonly string _folder;
    private readonly string _identity;
    private readonly IReadOnlyDictionary<string, Assembly> _contracts;

    /// <param name="manifest">The module.</param>
    /// <param name="unloadable">Whether its code can go.</param>
    /// <param name="contracts">Assemblies that declare services between modules, by simple name.</param>
    public ModuleLoadContext(ModuleManifest manifest, bool unloadable, IReadOnlyDictionary<string, Assembly>? contracts = null) : base($"{manifest.Name}/{manifest.Version}", unloadable)
    {
        _resolver = new AssemblyDependencyResolver(manifest.AssemblyPath);
        _folder = manifest.Folder;
        ModuleName = manifest.Name;
        _identity = manifest.Identity;
        _contracts = contracts ?? new Dictionary<string, Assembly>();
    }

    /// <summary>The module's name.</summary>
    public string ModuleName { get; }

    /// <summary>The module whose code <paramref name="assembly"/> is; null for the host's and .NET's.</summary>
    public static string? ModuleOf(Assembly assembly) => (GetLoadContext(assembly) as ModuleLoadContext)?.ModuleName;

    /// <summary>Name and version of the module whose code <paramref name="assembly"/> is; null for the host's and .NET's.</summary>
    public static string? IdentityOf(Assembly assembly) => (GetLoadContext(assembly) as ModuleLoadContext)?._identity;

    /// <summary>The module's name and version.</summary>
    public string Identity => _identity;

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var name = assemblyName.Name!;
        if (SharedAssemblies.IsShared(name)) return Default.LoadFromAssemblyName(new AssemblyName(name));
        if (_contracts.TryGetValue(name, out var contract)) return contract;
        if (_resolver.ResolveAssemblyToPath(assemblyName) is { } path) return LoadFromAssemblyPath(path);
        // A folder without .deps.json, laid out by hand.
        if (Path.Combine(_folder, name + ".dll") is var plain && File.Exists(plain)) return LoadFromAssemblyPath(plain);
        // Null would go on to the host's own libraries, whose versions are none of a module's business.
        return SharedAssemblies.IsFramework(name)
            ? null
            : throw new FileNotFoundException($"{name} is neither in {_folder}, nor shared by the host, nor part of .NET.", name + ".dll");
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : 0;
}
