using System.Runtime.Versioning;
using System.Security.Cryptography;
using Spindle.Host.Manifests;

namespace Spindle.Host.Modules.Installation;

/// <summary>What a verification found of one installed version.</summary>
/// <param name="Name">The module.</param>
/// <param name="Version">The version.</param>
/// <param name="Problems">A sentence each, with the remedy; none when all is as it was installed.</param>
public sealed record ModuleVerification(string Name, string Version, IReadOnlyList<string> Problems);

/// <summary>A folder into which modules are installed as NAME/VERSION, side by side and read-only, with a lock file of their hashes. The
/// catalogue reads such a folder like any other.</summary>
/// <param name="folder">Made when the first module is installed.</param>
public sealed class ModuleStore(string folder)
{
    private const string Staging = ".installing-";

    /// <summary>The folder, absolute.</summary>
    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>Where modules are installed unless said otherwise: one place for each user, which every host of theirs searches.</summary>
    public static string DefaultFolder => Path.Combine(
        Environment.GetEnvironmentVariable("SPINDLE_HOME") is { Length: > 0 } home ? home : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "spindle"),
        "modules");

    /// <summary>What the lock file says is installed.</summary>
    /// <exception cref="ModuleException">LockInvalid.</exception>
    public IReadOnlyList<LockedModule> Locked => ModuleLock.Load(Folder).Modules;

    /// <summary>Installs a package file. The module's code does not run; it is checked as before a load.</summary>
    /// <param name="package">A .nupkg with a <c>module</c> folder in it, as <c>dotnet pack</c> of a plugin makes it.</param>
    /// <param name="source">Where it came from, for the lock file.</param>
    /// <returns>What is installed; the same when it was already.</returns>
    /// <exception cref="ModuleException">PackageInvalid, VersionInstalled, or what the check found.</exception>
    public LockedModule Install(string package, string source)
    {
        Directory.CreateDirectory(Folder);
        string staging = Path.Combine(Folder, Staging + Guid.NewGuid().ToString("N"));
        try
        {
            PluginPackage.Extract(package, staging);
            using var stream = File.OpenRead(package);
            return Adopt(staging, source, Convert.ToHexStringLower(SHA256.HashData(stream)));
        }
        finally
        {
            if (Directory.Exists(staging)) DeleteReadOnly(staging);
        }
    }

    private LockedModule Adopt(string staging, string source, string packageHash)
    {
        ModuleManifest manifest;
        try
        {
            manifest = ModuleManifest.Load(Path.Combine(staging, "module.json"));
        }
        catch (ManifestException e)
        {
            throw new ModuleException(ModuleErrorCode.InvalidManifest, Path.GetFileName(source), e.Message.Replace(staging + "/", "", StringComparison.Ordinal));
        }
        string version = manifest.Version.ToString(), target = Path.Combine(Folder, manifest.Name, version);
        var locked = new LockedModule(manifest.Name, version, source, packageHash, HashFiles(staging));
        if (Directory.Exists(target))
        {
            if (SameFiles(HashFiles(target), locked.Files)) return Record(locked);
            throw new ModuleException(ModuleErrorCode.VersionInstalled, manifest.Identity,
                $"is installed in {target} with other contents. Versions never change: give the new build a new version, or remove the installed one first (spindle module remove {manifest.Name}@{version}).");
        }
        ContractCheck.Run(manifest);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        // Into its place in one step, so that a host that looks meanwhile sees all of it or nothing.
        Directory.Move(staging, target);
        SetReadOnly(target);
        return Record(locked);
    }

    private LockedModule Record(LockedModule locked)
    {
        var file = ModuleLock.Load(Folder);
        file.With(locked).Save();
        return locked;
    }

    /// <summary>Removes one version, or all of a module.</summary>
    /// <param name="name">The module.</param>
    /// <param name="version">The version; null: all.</param>
    /// <returns>The versions removed.</returns>
    /// <exception cref="ModuleException">NotFound, VersionNotFound.</exception>
    public IReadOnlyList<string> Remove(string name, string? version)
    {
        string module = name.Length > 0 && name.IndexOfAny(['/', '\\']) < 0 && name is not ("." or "..") ? Path.Combine(Folder, name) : "";
        if (module.Length == 0 || !Directory.Exists(module))
            throw new ModuleException(ModuleErrorCode.NotFound, name, $"is not installed in {Folder}; 'spindle module list' shows what is.");
        var versions = Directory.GetDirectories(module).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal).ToList();
        if (version is not null && !versions.Contains(version))
            throw new ModuleException(ModuleErrorCode.VersionNotFound, name, $"version {version} is not installed in {Folder}; there is {string.Join(", ", versions)}.");
        var removed = version is null ? versions : [version];
        foreach (string one in removed) DeleteReadOnly(Path.Combine(module, one));
        if (!Directory.EnumerateFileSystemEntries(module).Any()) Directory.Delete(module);
        var file = ModuleLock.Load(Folder);
        foreach (string one in removed) file = file.Without(name, one);
        file.Save();
        return removed;
    }

    /// <summary>Compares what is installed with the lock file, and checks each module as before a load.</summary>
    /// <param name="name">One module; null: all.</param>
    /// <exception cref="ModuleException">NotFound; LockInvalid.</exception>
    public IReadOnlyList<ModuleVerification> Verify(string? name = null)
    {
        var locked = Locked;
        var present = new ModuleCatalogue([Folder]).List();
        var all = locked.Select(l => (l.Name, l.Version)).Union(present.Select(p => (p.Name, p.Version)))
            .Where(m => name is null || m.Name == name).OrderBy(m => m.Name, StringComparer.Ordinal).ThenBy(m => m.Version, StringComparer.Ordinal).ToList();
        if (name is not null && all.Count == 0) throw new ModuleException(ModuleErrorCode.NotFound, name, $"is not installed in {Folder}; 'spindle module list' shows what is.");
        return [.. all.Select(m => new ModuleVerification(m.Name, m.Version, Problems(m.Name, m.Version, locked.FirstOrDefault(l => l.Name == m.Name && l.Version == m.Version),
            present.FirstOrDefault(p => p.Name == m.Name && p.Version == m.Version))))];
    }

    private List<string> Problems(string name, string version, LockedModule? locked, CatalogueEntry? entry)
    {
        var problems = new List<string>();
        if (locked is null) problems.Add($"is not in {ModuleLock.FileName}: it was not installed by 'spindle module install'; install it from its package.");
        if (entry is null)
        {
            problems.Add($"is in {ModuleLock.FileName}, but its folder {Path.Combine(Folder, name, version)} holds no module.json; install it again.");
            return problems;
        }
        if (locked is not null)
        {
            var now = HashFiles(entry.Folder);
            foreach (var (path, hash) in locked.Files)
                if (!now.TryGetValue(path, out string? actual)) problems.Add($"{path} is missing; remove the version and install it again.");
                else if (actual != hash) problems.Add($"{path} has the SHA-256 {actual}, and was installed with {hash}: it was changed; remove the version and install it again.");
            foreach (string path in now.Keys.Where(path => !locked.Files.ContainsKey(path))) problems.Add($"{path} was added after the installation; remove the version and install it again.");
        }
        if (entry.Problem is { } problem) problems.Add(problem.Message);
        else if (entry.Manifest is { } manifest)
        {
            try
            {
                ContractCheck.Run(manifest);
            }
            catch (ModuleException e)
            {
                problems.Add(e.Message);
            }
        }
        return problems;
    }

    internal static SortedDictionary<string, string> HashFiles(string folder)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            using var stream = File.OpenRead(file);
            hashes[Path.GetRelativePath(folder, file).Replace('\\', '/')] = Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        return hashes;
    }

    private static bool SameFiles(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
        a.Count == b.Count && a.All(file => b.TryGetValue(file.Key, out string? hash) && hash == file.Value);

    private static void SetReadOnly(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)) File.SetAttributes(file, File.GetAttributes(file) | FileAttributes.ReadOnly);
        if (OperatingSystem.IsWindows()) return;
        foreach (string inner in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Append(folder)) SetMode(inner, writable: false);
    }

    private static void DeleteReadOnly(string folder)
    {
        if (!OperatingSystem.IsWindows())
        {
            SetMode(folder, writable: true);
            foreach (string inner in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories)) SetMode(inner, writable: true);
        }
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)) File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(folder, recursive: true);
    }

    [UnsupportedOSPlatform("windows")]
    private static void SetMode(string folder, bool writable)
    {
        const UnixFileMode read = UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(folder, writable ? read | UnixFileMode.UserWrite : read);
    }
}
