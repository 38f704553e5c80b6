using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Spindle.Host.Modules.Installation;

/// <summary>Who signed an installed module.</summary>
/// <param name="Key">The key's id, as module.sig names it.</param>
/// <param name="PublicKey">The key by which the signature was verified at the installation, a SubjectPublicKeyInfo; null when none was named.</param>
public sealed record LockedSignature(string Key, byte[]? PublicKey)
{
    /// <summary>True when the signature was verified by a key that the installer named.</summary>
    public bool Verified => PublicKey is not null;
}

/// <summary>An installed version of a module, as the lock file has it.</summary>
/// <param name="Name">The module.</param>
/// <param name="Version">The version.</param>
/// <param name="Source">Where it came from: a file, a feed.</param>
/// <param name="PackageHash">SHA-256 of the package, hexadecimal.</param>
/// <param name="Files">SHA-256 of each file by its path in the version's folder.</param>
/// <param name="Signature">Who signed it; null when nobody did.</param>
public sealed record LockedModule(string Name, string Version, string Source, string PackageHash, IReadOnlyDictionary<string, string> Files, LockedSignature? Signature = null);

/// <summary>modules.lock.json: what was installed into a folder, and with which contents.</summary>
internal sealed class ModuleLock
{
    public const string FileName = "modules.lock.json";

    private readonly string _file;

    private ModuleLock(string file, IReadOnlyList<LockedModule> modules) => (_file, Modules) = (file, modules);

    public IReadOnlyList<LockedModule> Modules { get; }

    public LockedModule? Find(string name, string version) => Modules.FirstOrDefault(m => m.Name == name && m.Version == version);

    public ModuleLock With(LockedModule module) => new(_file, [.. Modules.Where(m => m.Name != module.Name || m.Version != module.Version).Append(module)
        .OrderBy(m => m.Name, StringComparer.Ordinal).ThenBy(m => m.Version, StringComparer.Ordinal)]);

    public ModuleLock Without(string name, string version) => new(_file, [.. Modules.Where(m => m.Name != name || m.Version != version)]);

    /// <exception cref="ModuleException">LockInvalid.</exception>
    public static ModuleLock Load(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return new ModuleLock(file, []);
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(file));
            if (json.RootElement.GetProperty("version").GetInt32() != 1) throw new FormatException("its version is not 1");
            return new ModuleLock(file, [.. json.RootElement.GetProperty("modules").EnumerateArray().Select(Read)]);
        }
        catch (Exception e) when (e is JsonException or FormatException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new ModuleException(ModuleErrorCode.LockInvalid, FileName, $"{file} cannot be used ({e.Message}); delete it and install the modules again.");
        }
    }

    private static LockedModule Read(JsonElement module) => new(Text(module, "name"), Text(module, "version"), Text(module, "source"), Text(module, "package"),
        module.GetProperty("files").EnumerateObject().ToDictionary(file => file.Name, file => file.Value.GetString() ?? throw new FormatException($"the hash of {file.Name} is null")),
        module.TryGetProperty("signature", out var signature) ? ReadSignature(signature) : null);

    private static LockedSignature ReadSignature(JsonElement signature) => new(Text(signature, "key"),
        signature.GetProperty("verified").GetBoolean() ? signature.GetProperty("publicKey").GetBytesFromBase64() : null);

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() ?? throw new FormatException($"a \"{name}\" is null");

    /// <summary>Writes it in one step: whoever reads it sees the old or the new.</summary>
    public void Save()
    {
        var json = new JsonObject { ["version"] = 1, ["modules"] = new JsonArray([.. Modules.Select(m => (JsonNode)Write(m))]) };
        string fresh = _file + ".new";
        File.WriteAllText(fresh, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
        File.Move(fresh, _file, overwrite: true);
    }

    private static JsonObject Write(LockedModule module)
    {
        var json = new JsonObject { ["name"] = module.Name, ["version"] = module.Version, ["source"] = module.Source, ["package"] = module.PackageHash };
        if (module.Signature is { } signature)
        {
            var written = new JsonObject { ["key"] = signature.Key, ["verified"] = signature.Verified };
            if (signature.PublicKey is { } key) written["publicKey"] = Convert.ToBase64String(key);
            json["signature"] = written;
        }
        json["files"] = new JsonObject(module.Files.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => KeyValuePair.Create(f.Key, (JsonNode?)f.Value)));
        return json;
    }
}
