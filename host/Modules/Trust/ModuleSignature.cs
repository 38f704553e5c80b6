using System.Security.Cryptography;
using System.Text;
using Spindle.Host.Manifests;

namespace Spindle.Host.Modules.Trust;

/// <summary>A public key whose modules an app takes.</summary>
/// <param name="Id">The first 16 hexadecimal digits of the SHA-256 of the key's SubjectPublicKeyInfo.</param>
/// <param name="Key">The key.</param>
public sealed record TrustedKey(string Id, ECDsa Key)
{
    /// <summary>Takes a key from its SubjectPublicKeyInfo.</summary>
    /// <returns>Null when it is none.</returns>
    internal static TrustedKey? Parse(byte[] publicKey)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(publicKey, out _);
            return new TrustedKey(ModuleSignature.IdOf(key), key);
        }
        catch (CryptographicException)
        {
            key.Dispose();
            return null;
        }
    }

    /// <summary>Reads a key from a PEM file, as <c>spindle module keygen</c> writes it.</summary>
    /// <exception cref="SpindleException">ENOENT, EINVAL: the file is missing or holds no such key.</exception>
    public static TrustedKey Load(string file)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(file));
            return new TrustedKey(ModuleSignature.IdOf(key), key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpindleException(Errno.ENOENT, $"The key {file} cannot be read: {e.Message}");
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new SpindleException(Errno.EINVAL, $"{file} holds no ECDSA key in PEM: {e.Message}");
        }
    }
}

/// <summary>A detached signature over all files of a module's folder: module.sig beside module.json.</summary>
/// <remarks>What is signed is a text: for each file but module.sig, in the ordinal order of its path, the SHA-256 in hexadecimal, two blanks, the path with '/',
/// and a line feed. The signature is ECDSA with SHA-256 (FIPS 186-5, 6) in the form of RFC 3279, 2.2.3.</remarks>
public static class ModuleSignature
{
    /// <summary>The signature's file.</summary>
    public const string FileName = "module.sig";

    private const long MaxFileSize = 16 * 1024;

    /// <summary>Makes a key pair: NAME.key (for the vendor alone) and NAME.pub.</summary>
    /// <returns>The key's id.</returns>
    public static string Generate(string path)
    {
        if (File.Exists(path + ".key") || File.Exists(path + ".pub"))
            throw new SpindleException(Errno.EEXIST, $"{path}.key or {path}.pub is there already; give another name.");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(path + ".key", options)) writer.WriteLine(key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(path + ".pub", key.ExportSubjectPublicKeyInfoPem() + "\n");
        return IdOf(key);
    }

    /// <summary>Signs a module's folder by a private key.</summary>
    /// <returns>The key's id.</returns>
    /// <exception cref="SpindleException">The key or the folder cannot be used.</exception>
    public static string Sign(string folder, string keyFile)
    {
        if (!File.Exists(Path.Combine(folder, "module.json"))) throw new SpindleException(Errno.ENOENT, $"{folder} has no module.json; name the folder of a module's version.");
        var key = TrustedKey.Load(keyFile);
        byte[] signature;
        try
        {
            signature = key.Key.SignData(Encoding.UTF8.GetBytes(Listing(folder)), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            throw new SpindleException(Errno.EINVAL, $"{keyFile} is a public key; signing needs the private one (.key).");
        }
        File.WriteAllText(Path.Combine(folder, FileName),
            $"{{\n  \"algorithm\": \"ecdsa-p256-sha256\",\n  \"key\": \"{key.Id}\",\n  \"signature\": \"{Convert.ToBase64String(signature)}\"\n}}\n");
        return key.Id;
    }

    /// <summary>Checks a module's folder.</summary>
    /// <exception cref="ModuleException">SignatureMissing, SignatureUntrusted, SignatureInvalid.</exception>
    public static void Verify(ModuleManifest manifest, IReadOnlyList<TrustedKey> keys)
    {
        if (Read(manifest) is not var (id, signature))
            throw new ModuleException(ModuleErrorCode.SignatureMissing, manifest.Identity, $"has no {FileName}, and only signed modules are taken here; have its vendor sign it (spindle module sign), or leave \"trust\" out of app.json (--trust off the command line).");
        var key = keys.FirstOrDefault(k => k.Id == id)
            ?? throw new ModuleException(ModuleErrorCode.SignatureUntrusted, manifest.Identity,
                $"is signed by key {id}, which is none of those trusted here ({string.Join(", ", keys.Select(k => k.Id))}); name the vendor's key in \"trust\" in app.json (by --trust on the command line) if you trust it.");
        if (!key.Key.VerifyData(Encoding.UTF8.GetBytes(Listing(manifest.Folder)), signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))
            throw new ModuleException(ModuleErrorCode.SignatureInvalid, manifest.Identity, $"its files are not those that key {id} signed: one was changed, added or removed; install the module again.");
    }

    /// <summary>The id of the key that a module says it is signed by; null when it has no signature. Whether the signature is good is not looked at.</summary>
    /// <exception cref="ModuleException">SignatureInvalid: module.sig cannot be read.</exception>
    public static string? KeyIdOf(ModuleManifest manifest) => Read(manifest)?.Id;

    private static (string Id, byte[] Signature)? Read(ModuleManifest manifest)
    {
        var file = Path.Combine(manifest.Folder, FileName);
        if (!File.Exists(file)) return null;
        try
        {
            if (new FileInfo(file).Length > MaxFileSize) throw new FormatException("it is too long.");
            var json = ManifestObject.Load(file);
            json.Word("algorithm", "ecdsa-p256-sha256");
            var id = json.RequiredString("key");
            var signature = Convert.FromBase64String(json.RequiredString("signature"));
            json.End();
            return (id, signature);
        }
        catch (Exception e) when (e is FormatException or ManifestException or IOException or UnauthorizedAccessException)
        {
            throw new ModuleException(ModuleErrorCode.SignatureInvalid, manifest.Identity, $"its {FileName} cannot be read: {e.Message} Install the module again.");
        }
    }

    internal static string IdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))[..16];

    private static string Listing(string folder)
    {
        var text = new StringBuilder();
        foreach (var (path, file) in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(file => (Path: Path.GetRelativePath(folder, file).Replace('\\', '/'), File: file)).Where(f => f.Path != FileName).OrderBy(f => f.Path, StringComparer.Ordinal))
        {
            using var stream = File.OpenRead(file);
            text.Append(Convert.ToHexStringLower(SHA256.HashData(stream))).Append("  ").Append(path).Append('\n');
        }
        return text.ToString();
    }
}
