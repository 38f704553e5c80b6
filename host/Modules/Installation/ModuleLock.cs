using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Spindle.Host.Modules.Installation;

/// <summary>An installed version of a module, as the lock file has it.</summary>
/// <param name="Name">The module.</param>
/// <param name="Version">The version.</param>
/// <param name="Source">Where it came from: a file, a feed.</param>
/// <param name="PackageHash">SHA-256 of the package, hexadecimal.</param>
/// <param name="Files">SHA-256 of each file by its path in the version's folder.</param>
public sealed record LockedModule(string Name, string Version, string Source, string PackageHash, IReadOnlyDictionary<string, string> Files);

/// <summary>modules.lock.json: what was installed into a folder, and with which contents.</summary>
internal sealed class ModuleLock
{
    public const string FileName = "modules.lock.json";

    private readonly string _file;

    private ModuleLock(string file, IReadOnlyList<LockedModule> modules) => (_file, Modules) = (file, modules);

    public IReadOnlyList<LockedModule> Modules { get; }

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
            return new ModuleLock(file, [.. json.RootElement.GetProperty("modules").EnumerateArray().Select(m => new LockedModule(
                m.GetProperty("name").GetString()!, m.GetProperty("version").GetString()!, m.GetProperty("source").GetString()!, m.GetProperty("package").GetString()!,
                m.GetProperty("files").EnumerateObject().ToDictionary(f => f.Name, f => f.Value.GetString()!)))]);
        }
        catch (Exception e) when (e is JsonException or FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw new ModuleException(ModuleErrorCode.LockInvalid, FileName, $"{file} cannot be used ({e.Message}); delete it and install the modules again.");
        }
    }

    /// <summary>Writes it in one step: whoever reads it sees the old or the new.</summary>
    public void Save()
    {
        var json = new JsonObject
        {
            ["version"] = 1,
            ["modules"] = new JsonArray([.. Modules.Select(m => (JsonNode)new JsonObject
            {
                ["name"] = m.Name, ["version"] = m.Version, ["source"] = m.Source, ["package"] = m.PackageHash,
                ["files"] = new JsonObject(m.Files.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => KeyValuePair.Create(f.Key, (JsonNode?)f.Value))),
            })]),
        };
        string fresh = _file + ".new";
        File.WriteAllText(fresh, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
        File.Move(fresh, _file, overwrite: true);
    }
}
