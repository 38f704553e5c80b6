using Newtonsoft.Json.Linq;

namespace Spindle.PluginTests.Support;

/// <summary>A modules folder of a test's own, with copies of built modules in versions that it makes up.</summary>
public sealed class ModulesOnDisk : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("spindle-modules-").FullName;

    /// <summary>artifacts/modules.</summary>
    public static string Built { get; } = FindBuilt();

    private static string FindBuilt()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "artifacts", "modules") is var built && Directory.Exists(built)) return built;
        throw new DirectoryNotFoundException("artifacts/modules is not there; build the modules.");
    }

    /// <summary>Adds a built module under each of some versions.</summary>
    public ModulesOnDisk Add(string module, params string[] versions)
    {
        var source = Directory.GetDirectories(Path.Combine(Built, module)).Order().Last();
        foreach (var version in versions)
        {
            var target = Directory.CreateDirectory(Path.Combine(Root, module, version)).FullName;
            foreach (var file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
            {
                var copy = Path.Combine(target, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }
            var manifest = Path.Combine(target, "module.json");
            var json = JObject.Parse(File.ReadAllText(manifest));
            json["version"] = version;
            json.Remove("$schema");
            File.WriteAllText(manifest, json.ToString());
        }
        return this;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
