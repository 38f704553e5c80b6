using Spindle.Host.Manifests;

namespace Spindle.Host.Modules.Sharing;

/// <summary>A service that a module offers to others.</summary>
/// <param name="Interface">The full name of the interface.</param>
/// <param name="Assembly">The simple name of the assembly that declares it, in the exporting module's folder.</param>
/// <param name="Version">The version of the interface.</param>
public sealed record ServiceExport(string Interface, string Assembly, ModuleVersion Version);

/// <summary>A service that a module uses.</summary>
/// <param name="Interface">The full name of the interface.</param>
/// <param name="Assembly">The simple name of the assembly that declares it.</param>
/// <param name="Versions">Which versions of the interface.</param>
/// <param name="Optional">True: the module does without when nobody exports it.</param>
public sealed record ServiceImport(string Interface, string Assembly, VersionRange Versions, bool Optional);

/// <summary>Reads the services of a module.json, and matches them.</summary>
internal static class ServiceManifest
{
    public static IReadOnlyList<ServiceExport> ReadExports(ManifestObject json)
    {
        var exports = new List<ServiceExport>();
        foreach (var (name, entry, line, path) in json.NamesOrObjects("exports"))
        {
            if (entry is null) throw new ManifestException(json.FileName, line, path, $"\"{name}\" must be an object with \"name\" (the interface), \"assembly\" and \"version\"");
            var text = entry.RequiredString("version");
            if (!ModuleVersion.TryParse(text, out var version)) throw entry.Error("version", $"\"{text}\" must be a version: 1.0.0");
            exports.Add(new ServiceExport(entry.RequiredString("name"), AssemblyName(entry), version));
            entry.End();
        }
        return exports;
    }

    public static IReadOnlyList<ServiceImport> ReadImports(ManifestObject json)
    {
        var imports = new List<ServiceImport>();
        foreach (var (name, entry, line, path) in json.NamesOrObjects("imports"))
        {
            if (entry is null) throw new ManifestException(json.FileName, line, path, $"\"{name}\" must be an object with \"name\" (the interface), \"assembly\" and \"version\"");
            imports.Add(new ServiceImport(entry.RequiredString("name"), AssemblyName(entry), ModuleManifest.ReadRange(entry), entry.Boolean("optional") ?? false));
            entry.End();
        }
        return imports;
    }

    private static string AssemblyName(ManifestObject entry)
    {
        var text = entry.RequiredString("assembly");
        if (text.IndexOfAny(['/', '\\', '\0']) >= 0 || text.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || SharedAssemblies.IsShared(text) || SharedAssemblies.IsFramework(text))
            throw entry.Error("assembly", $"\"{text}\" must be the simple name, without .dll, of an assembly of the service's own");
        return text;
    }

    /// <summary>The module that exports what another imports; null when an optional one is not there.</summary>
    /// <exception cref="ModuleException">ServiceMissing: nobody exports it, or not in a version that fits.</exception>
    public static ModuleManifest? ExporterOf(ModuleManifest importer, ServiceImport import, IEnumerable<ModuleManifest> modules)
    {
        var offered = modules.Where(m => m.Name != importer.Name)
            .SelectMany(m => m.Exports.Where(e => e.Interface == import.Interface && e.Assembly == import.Assembly).Select(e => (Module: m, Export: e))).ToList();
        foreach (var (module, export) in offered)
            if (import.Versions.Contains(export.Version)) return module;
        if (offered.Count > 0)
            throw new ModuleException(ModuleErrorCode.ServiceMissing, importer.Identity,
                $"imports the service {import.Interface} {import.Versions}, but {string.Join(", ", offered.Select(o => $"{o.Module.Identity} exports version {o.Export.Version}"))}; use versions that fit each other.");
        return import.Optional ? null : throw new ModuleException(ModuleErrorCode.ServiceMissing, importer.Identity,
            $"imports the service {import.Interface} {import.Versions}, which no module exports; load the one that does, first.");
    }
}
