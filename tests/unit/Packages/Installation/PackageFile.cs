using System.IO.Compression;
using System.Text;
using Newtonsoft.Json.Linq;
using Spindle.Host.Modules.Trust;
using Spindle.UnitTests.Modules;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>Plugin packages that a test makes entry by entry: good ones, and what no tool would make.</summary>
public sealed class PackageFile
{
    private static readonly Lazy<byte[]> s_assembly = new(() =>
    {
        using var folder = new PluginFolder();
        return File.ReadAllBytes(folder.Add("acme-disk").AssemblyPath);
    });

    private readonly List<(string Name, byte[] Content, int Attributes)> _entries = [];

    private PackageFile(string id, string version) => (Id, Version) = (id, version);

    public string Id { get; }

    public string Version { get; }

    /// <summary>A module that can be installed, with a text and a library in a folder of its own beside it.</summary>
    public static PackageFile Of(string version = "1.0.0", string module = "acme-disk", Action<JObject>? manifest = null)
    {
        var json = new JObject
        {
            ["name"] = module, ["version"] = version, ["assembly"] = "Fixture.dll", ["entry"] = "Fixture.Entry", ["contract"] = "[0.1, 1.0)", ["kinds"] = new JArray("bdev"),
        };
        manifest?.Invoke(json);
        return new PackageFile(module, version).Add("module/module.json", json.ToString()).Add("module/Fixture.dll", s_assembly.Value)
            .Add("module/notes.txt", $"notes of {version}").Add("module/data/table.bin", new byte[1000]);
    }

    /// <summary>Adds an entry under any name at all.</summary>
    /// <param name="name">As it is to stand in the archive.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="mode">The Unix mode with the file type, as zip has it; 0 for none.</param>
    public PackageFile Add(string name, byte[] content, int mode = 0)
    {
        _entries.Add((name, content, mode << 16));
        return this;
    }

    public PackageFile Add(string name, string content, int mode = 0) => Add(name, Encoding.UTF8.GetBytes(content), mode);

    public PackageFile Without(string name)
    {
        _entries.RemoveAll(entry => entry.Name == name);
        return this;
    }

    /// <summary>Signs what is in it so far.</summary>
    public PackageFile Sign(string keyFile)
    {
        string folder = Directory.CreateTempSubdirectory("spindle-sign-").FullName;
        try
        {
            foreach (var (name, content, _) in _entries)
            {
                string file = Path.Combine(folder, name["module/".Length..]);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllBytes(file, content);
            }
            ModuleSignature.Sign(folder, keyFile);
            return Add("module/" + ModuleSignature.FileName, File.ReadAllBytes(Path.Combine(folder, ModuleSignature.FileName)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Writes it into a folder as ID.VERSION.nupkg.</summary>
    /// <returns>The file.</returns>
    public string WriteTo(string folder)
    {
        string file = Path.Combine(Directory.CreateDirectory(folder).FullName, $"{Id}.{Version}.nupkg");
        using var archive = new ZipArchive(File.Create(file), ZipArchiveMode.Create);
        Write(archive, $"{Id}.nuspec", Encoding.UTF8.GetBytes($"""
            <?xml version="1.0"?>
            <package><metadata><id>{Id}</id><version>{Version}</version><authors>Acme</authors><description>A disk.</description></metadata></package>
            """), 0);
        foreach (var (name, content, attributes) in _entries) Write(archive, name, content, attributes);
        return file;
    }

    private static void Write(ZipArchive archive, string name, byte[] content, int attributes)
    {
        var entry = archive.CreateEntry(name);
        entry.ExternalAttributes = attributes;
        using var stream = entry.Open();
        stream.Write(content);
    }
}
