using Spindle.Host.Modules;
using Spindle.Host.Modules.Sharing;

namespace Spindle.Host.Manifests;

/// <summary>In which order an app's modules are started: what a module depends on before it, bdev modules before front-ends before tools,
/// and otherwise as the manifest lists them.</summary>
internal static class WiringOrder
{
    /// <summary>Puts modules in order.</summary>
    /// <exception cref="ModuleException">ModuleDependency: a module that is needed is not among them or has another version, or some depend on each other in a circle.</exception>
    public static IReadOnlyList<ModuleManifest> Of(IEnumerable<ModuleManifest> modules)
    {
        var wanted = modules.OrderBy(module => Rank(module.Kinds)).ToList();
        var byName = wanted.ToDictionary(module => module.Name);
        foreach (var module in wanted)
            foreach (var dependency in module.Dependencies)
                CheckThere(module, dependency, byName);

        foreach (var module in wanted)
            foreach (var import in module.Imports) ServiceManifest.ExporterOf(module, import, wanted);

        var ordered = new List<ModuleManifest>(wanted.Count);
        var path = new List<string>();
        foreach (var module in wanted) Visit(module, byName, ordered, path);
        return ordered;
    }

    private static void CheckThere(ModuleManifest module, ModuleDependency dependency, Dictionary<string, ModuleManifest> byName)
    {
        if (!byName.TryGetValue(dependency.Name, out var there))
            throw new ModuleException(ModuleErrorCode.ModuleDependency, module.Identity,
                $"needs module {dependency.Name} ({dependency.Versions}), which the app does not have; add it to \"modules\" in app.json.");
        if (!dependency.Versions.Contains(there.Version))
            throw new ModuleException(ModuleErrorCode.ModuleDependency, module.Identity,
                $"needs module {dependency.Name} {dependency.Versions}, but the app has {there.Version}; give another \"version\" in app.json.");
    }

    private static void Visit(ModuleManifest module, Dictionary<string, ModuleManifest> byName, List<ModuleManifest> ordered, List<string> path)
    {
        if (ordered.Contains(module)) return;
        int at = path.IndexOf(module.Name);
        if (at >= 0 && module.Exports.Count > 0)
            throw new ModuleException(ModuleErrorCode.ServiceCycle, module.Identity,
                $"needs its own services: {string.Join(" needs ", path[at..].Append(module.Name))}; one of the \"imports\" must go, or be optional and asked for later.");
        if (at >= 0)
            throw new ModuleException(ModuleErrorCode.ModuleDependency, module.Identity,
                $"depends on itself: {string.Join(" needs ", path[at..].Append(module.Name))}; one of the \"dependencies\" must go.");
        path.Add(module.Name);
        foreach (var dependency in module.Dependencies) Visit(byName[dependency.Name], byName, ordered, path);
        foreach (var import in module.Imports)
            if (ServiceManifest.ExporterOf(module, import, byName.Values) is { } exporter) Visit(exporter, byName, ordered, path);
        path.RemoveAt(path.Count - 1);
        ordered.Add(module);
    }

    private static int Rank(ModuleKinds kinds) => kinds.HasFlag(ModuleKinds.Bdev) ? 0 : kinds.HasFlag(ModuleKinds.Frontend) ? 1 : 2;
}
