// app: one app with only what its manifest names, in a folder that can be copied elsewhere.
using System.Text.Json;

public sealed class AppLayout
{
    readonly string root, source, target, artifacts, name;

    public AppLayout(string root, string name)
    {
        this.root = root;
        this.name = name;
        artifacts = Paths.Combine(root, "artifacts");
        source = Paths.Combine(root, "apps", name);
        target = Paths.Combine(artifacts, "apps", name);
        if (name.Contains('/') || !Files.Exists(Paths.Combine(source, "app.json")))
            throw new BuildFailure($"there is no apps/{name}/app.json; apps: {string.Join(", ", Apps(root))}");
    }

    public void Create() => Terminal.Step($"app: artifacts/apps/{name}", () =>
    {
        if (Folders.Exists(target)) Folders.Delete(target, recursive: true);
        Folders.CreateDirectory(target);
        foreach (var file in Folders.GetFiles(source, "*.json")) Files.Copy(file, Paths.Combine(target, Paths.GetFileName(file)));
        CopyFolder(Paths.Combine(artifacts, "bin"), Paths.Combine(target, "bin"));
        Launcher.Write(root, target);
        foreach (var (module, version) in Named()) CopyModule(module, version);
    });

    IEnumerable<(string Name, string Version)> Named()
    {
        var file = Paths.Combine(source, "app.json");
        var lenient = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
        JsonDocument json;
        try { json = JsonDocument.Parse(Files.ReadAllText(file), lenient); }
        catch (JsonException e) { throw new BuildFailure($"{file}: {e.Message}"); }
        using var document = json;
        var named = new List<(string, string)>();
        foreach (var key in new[] { "modules", "frontends" })
        {
            if (!json.RootElement.TryGetProperty(key, out var list)) continue;
            if (list.ValueKind != JsonValueKind.Array) throw new BuildFailure($"{file}: \"{key}\" must be an array");
            foreach (var entry in list.EnumerateArray())
            {
                var isObject = entry.ValueKind == JsonValueKind.Object;
                var name = isObject && entry.TryGetProperty("name", out var property) ? property.GetString() : isObject ? null : entry.GetString();
                var version = isObject && entry.TryGetProperty("version", out var wanted) ? wanted.GetString() : null;
                named.Add((name ?? throw new BuildFailure($"{file}: an entry of \"{key}\" has no \"name\""), version));
            }
        }
        return named.Distinct();
    }

    void CopyModule(string module, string version)
    {
        var all = Paths.Combine(artifacts, "modules");
        var folder = Paths.Combine(all, module);
        if (!Folders.Exists(folder))
            throw new BuildFailure($"apps/{name}/app.json names module '{module}', which is not in artifacts/modules: " +
                string.Join(", ", Folders.GetDirectories(all).Select(Paths.GetFileName).Order()));
        var versions = Folders.GetDirectories(folder).OrderBy(path => Comparable(Paths.GetFileName(path)))
            .ThenBy(path => path, StringComparer.Ordinal).ToList();
        // A version in a manifest may be a range, which only the host understands: then every version goes along.
        var exact = versions.Where(path => Paths.GetFileName(path) == version).ToList();
        var chosen = version is null ? versions.TakeLast(1) : exact.Count > 0 ? exact : versions;
        foreach (var path in chosen)
            CopyFolder(path, Paths.Combine(target, "modules", module, Paths.GetFileName(path)));
    }

    static Version Comparable(string text) => Version.TryParse(text.Split('-', '+')[0], out var version) ? version : new Version(0, 0);

    static IEnumerable<string> Apps(string root)
    {
        var apps = Paths.Combine(root, "apps");
        return Folders.Exists(apps) ? Folders.GetDirectories(apps).Select(Paths.GetFileName).Order() : Enumerable.Empty<string>();
    }

    static void CopyFolder(string from, string to)
    {
        Folders.CreateDirectory(to);
        foreach (var file in Folders.GetFiles(from)) Files.Copy(file, Paths.Combine(to, Paths.GetFileName(file)), overwrite: true);
        foreach (var folder in Folders.GetDirectories(from)) CopyFolder(folder, Paths.Combine(to, Paths.GetFileName(folder)));
    }
}
