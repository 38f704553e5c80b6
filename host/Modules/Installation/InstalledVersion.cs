using Spindle.Host.Modules.Trust;

namespace Spindle.Host.Modules.Installation;

/// <summary>What a verification found of one installed version.</summary>
/// <param name="Name">The module.</param>
/// <param name="Version">The version.</param>
/// <param name="Problems">A sentence each, with the remedy; none when all is as it was installed.</param>
/// <param name="Signature">Who signed it, as the lock file has it; null when nobody did.</param>
public sealed record ModuleVerification(string Name, string Version, IReadOnlyList<string> Problems, LockedSignature? Signature = null);

/// <summary>Compares an installed version with its record.</summary>
internal sealed class InstalledVersion
{
    private readonly List<string> _problems = [];

    /// <param name="folder">Where it should be.</param>
    /// <param name="name">The module.</param>
    /// <param name="version">The version.</param>
    /// <param name="locked">Its record; null when there is none.</param>
    /// <param name="entry">What the catalogue finds; null when that is nothing.</param>
    /// <param name="trusted">Keys of which one must have signed it; none: the recorded one is used.</param>
    public static ModuleVerification Verify(string folder, string name, string version, LockedModule? locked, CatalogueEntry? entry, IReadOnlyList<TrustedKey> trusted)
    {
        var check = new InstalledVersion();
        if (locked is null) check._problems.Add($"is not in {ModuleLock.FileName}: it was not installed by 'spindle module install'; install it from its package.");
        if (entry is null) check._problems.Add($"is in {ModuleLock.FileName}, but its folder {folder} holds no module.json; remove the version and install it again.");
        else
        {
            if (locked is not null) check.CompareFiles(locked, StoreFolder.Hash(entry.Folder));
            if (entry.Problem is { } problem) check._problems.Add(problem.Message);
            if (entry.Manifest is { } manifest)
            {
                check.Expect(() => check.CheckSignature(manifest, locked?.Signature, trusted));
                check.Expect(() => ContractCheck.Run(manifest));
            }
        }
        return new ModuleVerification(name, version, check._problems, locked?.Signature);
    }

    private void Expect(Action check)
    {
        try
        {
            check();
        }
        catch (ModuleException e)
        {
            _problems.Add(e.Message);
        }
    }

    private void CompareFiles(LockedModule locked, SortedDictionary<string, string> now)
    {
        foreach (var (path, hash) in locked.Files)
            if (!now.TryGetValue(path, out string? actual)) _problems.Add($"{path} is missing; remove the version and install it again.");
            else if (actual != hash) _problems.Add($"{path} has the SHA-256 {actual}, and was installed with {hash}: it was changed; remove the version and install it again.");
        foreach (string path in now.Keys.Where(path => !locked.Files.ContainsKey(path))) _problems.Add($"{path} was added after the installation; remove the version and install it again.");
    }

    private void CheckSignature(ModuleManifest manifest, LockedSignature? locked, IReadOnlyList<TrustedKey> trusted)
    {
        if (trusted.Count > 0)
        {
            ModuleSignature.Verify(manifest, trusted);
            return;
        }
        if (locked is null) return;
        string? id = ModuleSignature.KeyIdOf(manifest);
        if (id != locked.Key)
        {
            _problems.Add($"was signed by key {locked.Key} when it was installed, and {(id is null ? $"has no {ModuleSignature.FileName} now" : $"its {ModuleSignature.FileName} names key {id} now")}; remove the version and install it again.");
            return;
        }
        if (locked.PublicKey is not { } publicKey) return;
        if (TrustedKey.Parse(publicKey) is { } key && key.Id == locked.Key) ModuleSignature.Verify(manifest, [key]);
        else _problems.Add($"its \"publicKey\" in {ModuleLock.FileName} is not the key {locked.Key}: the lock file was changed; remove the version and install it again with the vendor's key (--trust).");
    }
}
