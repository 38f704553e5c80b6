using System.Text.RegularExpressions;
using Spindle.Host.Manifests;
using Spindle.Host.Modules.Sharing;

namespace Spindle.Host.Modules;

/// <summary>What a plugin is.</summary>
[Flags]
public enum ModuleKinds
{
    /// <summary>It makes bdevs.</summary>
    Bdev = 1,
    /// <summary>It serves bdevs over a protocol.</summary>
    Frontend = 2,
    /// <summary>It is run by the command line: a load generator, an initiator.</summary>
    Tool = 4,
}

/// <summary>A module that is to be started before another.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Versions">Which of its versions.</param>
public sealed record ModuleDependency(string Name, VersionRange Versions);

/// <summary>A module.json: what a plugin is and what it needs.</summary>
public sealed partial record ModuleManifest
{
    /// <summary>The module's name, as its folder's.</summary>
    public required string Name { get; init; }

    /// <summary>The module's version, as its folder's.</summary>
    public required ModuleVersion Version { get; init; }

    /// <summary>The folder of module.json, absolute.</summary>
    public required string Folder { get; init; }

    /// <summary>The file name of the plugin's assembly, in <see cref="Folder"/>.</summary>
    public required string Assembly { get; init; }

    /// <summary>The full name of the entry class.</summary>
    public required string Entry { get; init; }

    /// <summary>Versions of the contract that the plugin works with.</summary>
    public required VersionRange Contract { get; init; }

    /// <summary>What the plugin is.</summary>
    public required ModuleKinds Kinds { get; init; }

    /// <summary>One sentence for people.</summary>
    public string Summary { get; init; } = "";

    /// <summary>The RPC methods it registers, for people.</summary>
    public IReadOnlyList<string> Rpc { get; init; } = [];

    /// <summary>Modules to start before this one.</summary>
    public IReadOnlyList<ModuleDependency> Dependencies { get; init; } = [];

    /// <summary>Services it offers to other modules.</summary>
    public IReadOnlyList<ServiceExport> Exports { get; init; } = [];

    /// <summary>Services of other modules that it uses.</summary>
    public IReadOnlyList<ServiceImport> Imports { get; init; } = [];

    /// <summary>False: its code stays until the process ends.</summary>
    public bool Unloadable { get; init; } = true;

    /// <summary>SHA-256 in hexadecimal by path in the folder; null when none are given.</summary>
    public IReadOnlyDictionary<string, string>? Hashes { get; init; }

    /// <summary>The plugin's assembly, absolute.</summary>
    public string AssemblyPath => Path.Combine(Folder, Assembly);

    /// <summary>Name and version, for messages.</summary>
    public string Identity => $"{Name} {Version}";

    /// <summary>Reads a module.json.</summary>
    /// <exception cref="ManifestException">With file, line and field.</exception>
    public static ModuleManifest Load(string file)
    {
        var json = ManifestObject.Load(file);
        var name = json.RequiredString("name");
        if (!IsName(name))
            throw json.Error("name", $"\"{name}\" must be lower-case words joined by hyphens, at most 64 characters: bdev-malloc for example");
        if (json.RequiredString("version") is var versionText && (!ModuleVersion.TryParse(versionText, out var version) || version.ToString() != versionText))
            throw json.Error("version", $"\"{versionText}\" must be three numbers and an optional label: 1.2.3 or 1.2.3-beta.1");
        var assembly = json.RequiredString("assembly");
        if (assembly.IndexOfAny(['/', '\\', '\0']) >= 0 || !assembly.EndsWith(".dll", StringComparison.Ordinal))
            throw json.Error("assembly", $"\"{assembly}\" must be the name of a .dll in this folder, without a path");
        if (json.RequiredString("contract") is var contractText && (!VersionRange.TryParse(contractText, out var contract) || contract.Max is null))
            throw json.Error("contract", $"\"{contractText}\" must be a range from (inclusive) to (exclusive): [0.1, 0.2)");

        var manifest = new ModuleManifest
        {
            Name = name,
            Version = version,
            Folder = Path.GetDirectoryName(Path.GetFullPath(file))!,
            Assembly = assembly,
            Entry = json.RequiredString("entry"),
            Contract = contract,
            Kinds = ReadKinds(json),
            Summary = json.String("summary") ?? "",
            Rpc = json.Strings("rpc"),
            Dependencies = ReadDependencies(json),
            Exports = ServiceManifest.ReadExports(json),
            Imports = ServiceManifest.ReadImports(json),
            Unloadable = json.Boolean("unloadable") ?? true,
            Hashes = ReadHashes(json),
        };
        json.End();
        return manifest;
    }

    /// <summary>True for what a module may be called.</summary>
    internal static bool IsName(string name) => name.Length <= 64 && NamePattern().IsMatch(name);

    private static ModuleKinds ReadKinds(ManifestObject json)
    {
        ModuleKinds kinds = 0;
        foreach (var kind in json.Strings("kinds"))
            kinds |= kind switch
            {
                "bdev" => ModuleKinds.Bdev,
                "frontend" => ModuleKinds.Frontend,
                "tool" => ModuleKinds.Tool,
                _ => throw json.Error("kinds", $"\"{kind}\" must be one of bdev, frontend, tool"),
            };
        return kinds != 0 ? kinds : throw json.Error("kinds", "is missing or empty; give at least one of bdev, frontend, tool");
    }

    private static List<ModuleDependency> ReadDependencies(ManifestObject json)
    {
        var dependencies = new List<ModuleDependency>();
        foreach (var (name, entry, line, path) in json.NamesOrObjects("dependencies"))
        {
            var dependency = new ModuleDependency(name ?? entry!.RequiredString("name"), entry is null ? VersionRange.Any : ReadRange(entry));
            entry?.End();
            if (dependencies.Any(other => other.Name == dependency.Name))
                throw new ManifestException(json.FileName, line, path, $"\"{dependency.Name}\" is there twice; remove one");
            dependencies.Add(dependency);
        }
        return dependencies;
    }

    /// <summary>Reads the optional "version" of an object that names a module.</summary>
    internal static VersionRange ReadRange(ManifestObject json)
    {
        if (json.String("version") is not { } text) return VersionRange.Any;
        return VersionRange.TryParse(text, out var range)
            ? range
            : throw json.Error("version", $"\"{text}\" must be a version (1.2.3) or a range from (inclusive) to (exclusive): [1.0, 2.0)");
    }

    private static IReadOnlyDictionary<string, string>? ReadHashes(ManifestObject json)
    {
        if (json.StringMap("hashes") is not { } hashes) return null;
        foreach (var (path, hash) in hashes)
        {
            if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit))
                throw json.Error("hashes", $"\"{path}\" must have a SHA-256 of 64 hexadecimal digits");
            if (path.Length == 0 || Path.IsPathRooted(path) || path.Split('/', '\\').Any(part => part is ".." or "." or ""))
                throw json.Error("hashes", $"\"{path}\" must be a path inside the module's folder");
        }
        return hashes;
    }

    [GeneratedRegex(@"^[a-z][a-z0-9]*(-[a-z0-9]+)*\z")]
    private static partial Regex NamePattern();
}
