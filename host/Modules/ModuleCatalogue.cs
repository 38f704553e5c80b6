using Spindle.Host.Manifests;

namespace Spindle.Host.Modules;

/// <summary>A version of a module that lies in a catalogue folder: its manifest, or what is wrong with it.</summary>
/// <param name="Name">The folder's name.</param>
/// <param name="Version">The version folder's name.</param>
/// <param name="Folder">The version folder, absolute.</param>
/// <param name="Manifest">What module.json says; null when it cannot be used.</param>
/// <param name="Problem">Why it cannot be used; null when it can, as far as the manifest goes.</param>
public sealed record CatalogueEntry(string Name, string Version, string Folder, ModuleManifest? Manifest, ModuleException? Problem);

/// <summary>The modules that lie in some folders as NAME/VERSION/module.json. Reading it runs none of their code. Version folders are
/// immutable: the runtime may go on using the old code of a path that was loaded before, so a new build needs a new version.</summary>
/// <param name="folders">Searched in this order; of the same version in several, the first is taken. Missing folders are passed over.</param>
public sealed class ModuleCatalogue(IEnumerable<string> folders)
{
    /// <summary>The folders, absolute.</summary>
    public IReadOnlyList<string> Folders { get; } = folders.Select(Path.GetFullPath).Distinct().ToList();

    /// <summary>Everything there is, by name and then version, the highest first.</summary>
    public IReadOnlyList<CatalogueEntry> List() => Folders
        .Where(Directory.Exists)
        .SelectMany(Directory.GetDirectories)
        .SelectMany(Versions)
        .DistinctBy(entry => (entry.Name, entry.Version))
        .OrderBy(entry => entry.Name, StringComparer.Ordinal)
        .ThenByDescending(entry => entry.Manifest?.Version)
        .ToList();

    /// <summary>The highest version of a module that fits; a pre-release only where it is asked for or there is nothing else.</summary>
    /// <exception cref="ModuleException">NotFound, VersionNotFound; or what is wrong with the only candidates.</exception>
    public ModuleManifest Find(string name, VersionRange? versions = null)
    {
        versions ??= VersionRange.Any;
        var found = new List<CatalogueEntry>();
        if (name.Length > 0 && name.IndexOfAny(['/', '\\']) < 0 && name is not ("." or ".."))
            foreach (var folder in Folders)
                if (Path.Combine(folder, name) is var path && Directory.Exists(path)) found.AddRange(Versions(path));
        if (found.Count == 0)
            throw new ModuleException(ModuleErrorCode.NotFound, name, $"is not in {Where()}; there are: {Names()}. Build it, or name its folder by --modules.");

        var usable = found.Where(entry => entry.Manifest is not null && versions.Contains(entry.Manifest.Version)).ToList();
        if (usable.Where(entry => entry.Manifest!.Version.Label.Length == 0).ToList() is { Count: > 0 } releases) usable = releases;
        // MaxBy takes the first of equals: the earlier folder wins.
        if (usable.MaxBy(entry => entry.Manifest!.Version)?.Manifest is { } best) return best;
        if (found.Find(entry => entry.Problem is not null && (!ModuleVersion.TryParse(entry.Version, out var v) || versions.Contains(v))) is { } broken)
            throw broken.Problem!;
        throw new ModuleException(ModuleErrorCode.VersionNotFound, name,
            $"version {versions} is asked for, but there is only {string.Join(", ", found.Select(entry => entry.Version))} in {Where()}.");
    }

    private static IEnumerable<CatalogueEntry> Versions(string moduleFolder) =>
        Directory.GetDirectories(moduleFolder).Where(folder => File.Exists(Path.Combine(folder, "module.json"))).Select(Read);

    private static CatalogueEntry Read(string folder)
    {
        var version = Path.GetFileName(folder);
        var name = Path.GetFileName(Path.GetDirectoryName(folder)!);
        try
        {
            var manifest = ModuleManifest.Load(Path.Combine(folder, "module.json"));
            if (manifest.Name == name && manifest.Version.ToString() == version) return new CatalogueEntry(name, version, folder, manifest, null);
            return new CatalogueEntry(name, version, folder, null, new ModuleException(ModuleErrorCode.FolderMismatch, $"{name} {version}",
                $"module.json in {folder} says {manifest.Identity}; the folders must be {manifest.Name}/{manifest.Version}."));
        }
        catch (ManifestException e)
        {
            return new CatalogueEntry(name, version, folder, null, new ModuleException(ModuleErrorCode.InvalidManifest, $"{name} {version}", e.Message));
        }
    }

    private string Where() => Folders.Count > 0 ? string.Join(", ", Folders) : "any folder (none was given)";

    private string Names() =>
        List().Select(entry => entry.Name).Distinct().ToList() is { Count: > 0 } names ? string.Join(", ", names) : "none";
}
