using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Spindle.Build;

/// <summary>Writes a plugin's module.json: what its assembly says, what the project says, and a hash of each file. A module.json in the
/// project is taken as it is, and only what it leaves out is filled in.</summary>
public sealed partial class GenerateModuleManifest : Task
{
    private static readonly string[] s_shared =
    [
        "Spindle.Abstractions.dll", "Microsoft.Extensions.DependencyInjection.Abstractions.dll", "Microsoft.Extensions.Logging.Abstractions.dll",
    ];

    /// <summary>The folder with the plugin's files, into which module.json is written.</summary>
    [Required] public string Folder { get; set; } = "";

    /// <summary>The file name of the plugin's assembly, in <see cref="Folder"/>.</summary>
    [Required] public string Assembly { get; set; } = "";

    /// <summary>The module's name.</summary>
    [Required] public string Name { get; set; } = "";

    /// <summary>The module's version.</summary>
    [Required] public string Version { get; set; } = "";

    /// <summary>One sentence for people.</summary>
    public string Summary { get; set; } = "";

    /// <summary>The entry class; needed only where there are several.</summary>
    public string Entry { get; set; } = "";

    /// <summary>The versions of the contract, [from, to); empty: from the one compiled against up to the next breaking one.</summary>
    public string ContractRange { get; set; } = "";

    /// <summary>Modules to start before this one; metadata Version is a version or range.</summary>
    public ITaskItem[] Dependencies { get; set; } = [];

    /// <summary>A module.json of the project's own; may be absent.</summary>
    public string Template { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        try
        {
            string file = Path.Combine(Folder, "module.json");
            File.WriteAllText(file, Generate().ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
            return !Log.HasLoggedErrors;
        }
        catch (InvalidDataException e)
        {
            Log.LogError("Spindle", "SPDLB1", null, null, 0, 0, 0, 0, e.Message);
            return false;
        }
    }

    internal JsonObject Generate()
    {
        var plugin = PluginAssembly.Read(Path.Combine(Folder, Assembly));
        var json = Template.Length > 0 && File.Exists(Template) ? ReadTemplate() : [];
        foreach (string shared in s_shared.Where(name => File.Exists(Path.Combine(Folder, name))))
            throw new InvalidDataException($"{shared} would be packed into the plugin, but the host shares its own; put ExcludeAssets=\"runtime\" on the PackageReference that brings it.");
        json.Remove("$schema");
        json["name"] ??= NamePattern().IsMatch(Name) ? Name : throw new InvalidDataException(
            $"ModuleName '{Name}' must be lower-case words of letters and digits joined by '-', like 'acme-fast'; set <ModuleName> in the project.");
        json["version"] ??= VersionPattern().IsMatch(Version) ? Version : throw new InvalidDataException($"Version '{Version}' must be three numbers and an optional label: 1.2.3 or 1.2.3-beta.1.");
        if (Summary.Length > 0) json["summary"] ??= Summary;
        json["assembly"] ??= Assembly;
        var (entry, kind) = FindEntry(plugin, (string?)json["entry"] ?? Entry);
        json["entry"] ??= entry;
        json["contract"] ??= ContractRange.Length > 0 ? ContractRange : RangeFor(plugin.Contract ?? throw new InvalidDataException($"{Assembly} does not use Spindle.Abstractions."));
        json["kinds"] ??= new JsonArray(kind);
        json["rpc"] ??= new JsonArray([.. plugin.RpcMethods.Select(name => (JsonNode)name)]);
        if (Dependencies.Length > 0)
            json["dependencies"] ??= new JsonArray([.. Dependencies.Select(d => d.GetMetadata("Version") is { Length: > 0 } version
                ? new JsonObject { ["name"] = d.ItemSpec, ["version"] = version } : (JsonNode)d.ItemSpec)]);
        json["hashes"] = Hashes();
        return json;
    }

    private JsonObject ReadTemplate()
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(Template), documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })
                as JsonObject ?? throw new InvalidDataException($"{Template} must be a JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{Template}: {e.Message}");
        }
    }

    private static (string Type, string Kind) FindEntry(PluginAssembly plugin, string wanted)
    {
        if (wanted.Length > 0)
            return plugin.Entries.FirstOrDefault(e => e.Type == wanted) is { Type: not null } found ? found
                : throw new InvalidDataException($"The entry '{wanted}' is no class of the assembly that derives from BdevModule, FrontEnd or ToolModule; there are: {List(plugin)}.");
        return plugin.Entries.Count switch
        {
            1 => plugin.Entries[0],
            0 => throw new InvalidDataException("The assembly has no class that derives from BdevModule, FrontEnd or ToolModule; a plugin needs one."),
            _ => throw new InvalidDataException($"The assembly has several entry classes ({List(plugin)}); choose one by <ModuleEntry> in the project."),
        };
    }

    private static string List(PluginAssembly plugin) => plugin.Entries.Count > 0 ? string.Join(", ", plugin.Entries.Select(e => e.Type)) : "none";

    /// <summary>Up to the next version that may break: the next minor while 0.x, else the next major (Semantic Versioning 2.0.0, 4 and 8).</summary>
    internal static string RangeFor(Version contract)
    {
        string from = $"{contract.Major}.{contract.Minor}.{Math.Max(0, contract.Build)}";
        return contract.Major == 0 ? $"[{from}, 0.{contract.Minor + 1})" : $"[{from}, {contract.Major + 1}.0)";
    }

    private JsonObject Hashes()
    {
        var hashes = new JsonObject();
        foreach (string file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string path = Path.GetRelativePath(Folder, file).Replace('\\', '/');
            if (path == "module.json") continue;
            using var stream = File.OpenRead(file);
            hashes[path] = Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        return hashes;
    }

    [GeneratedRegex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$")]
    private static partial Regex VersionPattern();
}
