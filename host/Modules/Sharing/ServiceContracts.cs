using System.Reflection;
using System.Runtime.Loader;

namespace Spindle.Host.Modules.Sharing;

/// <summary>The assemblies that declare services between modules. Exporter and importer must see the same types, so each version of such an assembly is loaded once
/// in the process, into a context that stays: interfaces only, so that there is little to stay.</summary>
internal static class ServiceContracts
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<(string Name, string Version), Assembly> s_loaded = [];

    private sealed class ContractContext(string name, string folder) : AssemblyLoadContext(name, isCollectible: false)
    {
        protected override Assembly? Load(AssemblyName assemblyName)
        {
            var simple = assemblyName.Name!;
            if (SharedAssemblies.IsShared(simple)) return Default.LoadFromAssemblyName(new AssemblyName(simple));
            if (SharedAssemblies.IsFramework(simple)) return null;
            throw new FileNotFoundException($"The service contract in {folder} refers to {simple}; it may use the contract and .NET only.", simple + ".dll");
        }
    }

    /// <summary>The assembly of an exported service.</summary>
    /// <param name="export">The service.</param>
    /// <param name="folder">The exporting module's folder.</param>
    public static Assembly Load(ServiceExport export, string folder)
    {
        lock (s_lock)
        {
            if (s_loaded.TryGetValue((export.Assembly, export.Version.ToString()), out var loaded)) return loaded;
            // From bytes: the version's folder may be removed while the assembly stays.
            using var stream = new MemoryStream(File.ReadAllBytes(Path.Combine(folder, export.Assembly + ".dll")));
            loaded = new ContractContext($"service {export.Assembly}/{export.Version}", folder).LoadFromStream(stream);
            s_loaded.Add((export.Assembly, export.Version.ToString()), loaded);
            return loaded;
        }
    }
}

/// <summary>What the modules of one host export now. On the app thread.</summary>
internal sealed class ServiceTable
{
    private readonly List<(string Module, Type Service, object Implementation)> _exports = [];

    /// <summary>Offers a service.</summary>
    public void Add(ModuleManifest manifest, Type service, object implementation)
    {
        if (manifest.Exports.All(e => e.Interface != service.FullName || e.Assembly != service.Assembly.GetName().Name))
            throw new SpindleException(Errno.EINVAL, $"Module {manifest.Identity} exports {service.FullName}, which is not among the \"exports\" of its module.json.");
        if (service.IsCollectible) throw new SpindleException(Errno.EINVAL, $"{service.FullName} is declared in the module's own code; a service's interface is in an assembly of its own, named in \"exports\".");
        if (!service.IsInstanceOfType(implementation)) throw new SpindleException(Errno.EINVAL, $"{implementation.GetType().FullName} does not implement {service.FullName}.");
        if (_exports.Exists(e => e.Service == service)) throw new SpindleException(Errno.EEXIST, $"{service.FullName} is exported by module {_exports.Find(e => e.Service == service).Module} already.");
        _exports.Add((manifest.Name, service, implementation));
    }

    /// <summary>Finds a service; null when nobody exports it.</summary>
    public object? Find(ModuleManifest manifest, Type service)
    {
        if (manifest.Imports.All(i => i.Interface != service.FullName))
            throw new SpindleException(Errno.EINVAL, $"Module {manifest.Identity} asks for {service.FullName}, which is not among the \"imports\" of its module.json.");
        return _exports.Find(e => e.Service == service).Implementation;
    }

    /// <summary>A module goes.</summary>
    public void RemoveAllOf(string module) => _exports.RemoveAll(e => e.Module == module);
}
