using System.Security.Cryptography;
using Spindle.Host.Manifests;
using Spindle.Host.Modules.Trust;

namespace Spindle.Host.Modules.Installation;

/// <summary>A folder into which modules are installed as NAME/VERSION, side by side and read-only, with a lock file of their hashes. The
/// catalogue reads such a folder like any other.</summary>
/// <param name="folder">Made when the first module is installed.</param>
public sealed class ModuleStore(string folder)
{
    /// <summary>The folder, absolute.</summary>
    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>What a package may unpack to.</summary>
    public PackageLimits Limits { get; init; } = new();

    /// <summary>Where modules are installed unless said otherwise: one place for each user, which every host of theirs searches.</summary>
    public static string DefaultFolder => Path.Combine(
        Environment.GetEnvironmentVariable("SPINDLE_HOME") is { Length: > 0 } home ? home : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "spindle"),
        "modules");

    /// <summary>What the lock file says is installed.</summary>
    /// <exception cref="ModuleException">LockInvalid.</exception>
    public IReadOnlyList<LockedModule> Locked => ModuleLock.Load(Folder).Modules;

    /// <summary>Installs a package file. The module's code does not run; it is checked as before a load. One process installs at a time; the others wait.</summary>
    /// <param name="package">A .nupkg with a <c>module</c> folder in it, as <c>dotnet pack</c> of a plugin makes it.</param>
    /// <param name="source">Where it came from, for the lock file.</param>
    /// <param name="trusted">Keys of which one must have signed it; none: any module is taken, and its signature recorded without a check.</param>
    /// <returns>What is installed; the same when it was already.</returns>
    /// <exception cref="ModuleException">PackageInvalid, VersionInstalled, LockInvalid, a signature's, or what the check found.</exception>
    public LockedModule Install(string package, string source, IReadOnlyList<TrustedKey>? trusted = null)
    {
        // One open file for the hash and for what is unpacked: the same bytes.
        using var stream = Open(package);
        string hash = Convert.ToHexStringLower(SHA256.HashData(stream));
        stream.Position = 0;
        using var changing = StoreFolder.Enter(Folder);
        string staging = StoreFolder.NewStaging(Folder);
        try
        {
            PluginPackage.Extract(stream, Path.GetFileName(package), staging, Limits);
            return Adopt(staging, source, hash, trusted ?? []);
        }
        // The folder it was unpacked into is gone when the user reads this.
        catch (ModuleException e) when (e.Message.Contains(staging, StringComparison.Ordinal))
        {
            string prefix = $"Module {e.Module}: ";
            throw new ModuleException(e.Code, e.Module, e.Message[prefix.Length..].Replace(staging + Path.DirectorySeparatorChar, "", StringComparison.Ordinal).Replace(staging, "the package", StringComparison.Ordinal));
        }
        finally
        {
            if (Directory.Exists(staging)) StoreFolder.Delete(staging);
        }
    }

    private static FileStream Open(string package)
    {
        ModuleException Invalid(string message) => new(ModuleErrorCode.PackageInvalid, Path.GetFileName(package), message);
        try
        {
            return new FileStream(package, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Invalid("is not there.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Invalid($"cannot be read: {e.Message}");
        }
    }

    private LockedModule Adopt(string staging, string source, string packageHash, IReadOnlyList<TrustedKey> trusted)
    {
        ModuleManifest manifest;
        try
        {
            manifest = ModuleManifest.Load(Path.Combine(staging, "module.json"));
        }
        catch (ManifestException e)
        {
            throw new ModuleException(ModuleErrorCode.InvalidManifest, Path.GetFileName(source), e.Message);
        }
        var lockFile = ModuleLock.Load(Folder);
        string version = manifest.Version.ToString(), target = Path.Combine(Folder, manifest.Name, version);
        var locked = new LockedModule(manifest.Name, version, source, packageHash, StoreFolder.Hash(staging), SignatureOf(manifest, trusted));
        ContractCheck.Run(manifest);
        if (!Directory.Exists(target))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            // Into its place in one step, so that a host that looks meanwhile sees all of it or nothing.
            Directory.Move(staging, target);
        }
        else if (!SameFiles(StoreFolder.Hash(target), locked.Files))
            throw new ModuleException(ModuleErrorCode.VersionInstalled, manifest.Identity,
                $"is installed in {target} with other contents. Versions never change: give the new build a new version, or remove the installed one first (spindle module remove {manifest.Name}@{version}).");
        // The same files as then have the same signature: that it was verified once holds.
        else if (lockFile.Find(manifest.Name, version) is { Signature: { Verified: true } before } && locked.Signature is { Verified: false } && before.Key == locked.Signature.Key)
            locked = locked with { Signature = before };
        StoreFolder.SetReadOnly(target);
        lockFile.With(locked).Save();
        return locked;
    }

    private static LockedSignature? SignatureOf(ModuleManifest manifest, IReadOnlyList<TrustedKey> trusted)
    {
        if (trusted.Count > 0) ModuleSignature.Verify(manifest, trusted);
        return ModuleSignature.KeyIdOf(manifest) is { } id ? new LockedSignature(id, trusted.FirstOrDefault(key => key.Id == id)?.Key.ExportSubjectPublicKeyInfo()) : null;
    }

    /// <summary>Removes one version, or all of a module: its files, its record, or what is left of either.</summary>
    /// <param name="name">The module.</param>
    /// <param name="version">The version; null: all.</param>
    /// <returns>The versions removed.</returns>
    /// <exception cref="ModuleException">NotFound, VersionNotFound, LockInvalid.</exception>
    public IReadOnlyList<string> Remove(string name, string? version)
    {
        ModuleException NotFound() => new(ModuleErrorCode.NotFound, name, $"is not installed in {Folder}; 'spindle module list' shows what is.");
        if (!ModuleManifest.IsName(name) || !Directory.Exists(Folder)) throw NotFound();
        using var changing = StoreFolder.Enter(Folder);
        var lockFile = ModuleLock.Load(Folder);
        string module = Path.Combine(Folder, name);
        var present = Directory.Exists(module) ? Directory.GetDirectories(module).Select(path => Path.GetFileName(path)!) : [];
        var versions = lockFile.Modules.Where(locked => locked.Name == name).Select(locked => locked.Version).Union(present).Order(StringComparer.Ordinal).ToList();
        if (versions.Count == 0) throw NotFound();
        if (version is not null && !versions.Contains(version))
            throw new ModuleException(ModuleErrorCode.VersionNotFound, name, $"version {version} is not installed in {Folder}; there is {string.Join(", ", versions)}.");
        var removed = version is null ? versions : [version];
        foreach (string one in removed)
        {
            if (present.Contains(one)) StoreFolder.Discard(Folder, Path.Combine(module, one));
            lockFile = lockFile.Without(name, one);
        }
        lockFile.Save();
        if (Directory.Exists(module) && !Directory.EnumerateFileSystemEntries(module).Any()) Directory.Delete(module);
        return removed;
    }

    /// <summary>Compares what is installed with the lock file, checks signatures, and checks each module as before a load.</summary>
    /// <param name="name">One module; null: all.</param>
    /// <param name="trusted">Keys of which one must have signed each module; none: signatures are checked by the keys they were verified with when they were installed.</param>
    /// <exception cref="ModuleException">NotFound; LockInvalid.</exception>
    public IReadOnlyList<ModuleVerification> Verify(string? name = null, IReadOnlyList<TrustedKey>? trusted = null)
    {
        var lockFile = ModuleLock.Load(Folder);
        var present = new ModuleCatalogue([Folder]).List();
        var all = lockFile.Modules.Select(l => (l.Name, l.Version)).Union(present.Select(p => (p.Name, p.Version)))
            .Where(m => name is null || m.Name == name).OrderBy(m => m.Name, StringComparer.Ordinal).ThenBy(m => m.Version, StringComparer.Ordinal).ToList();
        if (name is not null && all.Count == 0) throw new ModuleException(ModuleErrorCode.NotFound, name, $"is not installed in {Folder}; 'spindle module list' shows what is.");
        return [.. all.Select(m => InstalledVersion.Verify(Path.Combine(Folder, m.Name, m.Version), m.Name, m.Version, lockFile.Find(m.Name, m.Version),
            present.FirstOrDefault(p => p.Name == m.Name && p.Version == m.Version), trusted ?? []))];
    }

    private static bool SameFiles(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
        a.Count == b.Count && a.All(file => b.TryGetValue(file.Key, out string? hash) && hash == file.Value);
}
