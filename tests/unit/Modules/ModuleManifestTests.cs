using Newtonsoft.Json.Linq;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;

namespace Spindle.UnitTests.Modules;

public sealed class ModuleManifestTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Reads_every_member()
    {
        var file = _folder.WriteManifest("bdev-x", "1.2.3-rc.1", json =>
        {
            json["$schema"] = "../x.json";
            json["summary"] = "A bdev.";
            json["kinds"] = new JArray("bdev", "tool");
            json["rpc"] = new JArray("bdev_x_create");
            json["dependencies"] = new JArray("bdev-a", new JObject { ["name"] = "bdev-b", ["version"] = "[1.0, 2.0)" });
            json["unloadable"] = false;
            json["hashes"] = new JObject { ["Fixture.dll"] = new string('a', 64) };
        });
        var manifest = ModuleManifest.Load(file);
        Assert.Equal("bdev-x 1.2.3-rc.1", manifest.Identity);
        Assert.Equal(ModuleKinds.Bdev | ModuleKinds.Tool, manifest.Kinds);
        Assert.Equal(["bdev_x_create"], manifest.Rpc);
        Assert.Equal(["bdev-a any", "bdev-b [1.0, 2.0)"], manifest.Dependencies.Select(d => $"{d.Name} {d.Versions}"));
        Assert.False(manifest.Unloadable);
        Assert.Single(manifest.Hashes!);
        Assert.Equal(Path.GetDirectoryName(file), manifest.Folder);
    }

    [Theory]
    [InlineData("name", "\"Bdev X\"", "name")]
    [InlineData("name", "null", "name")]
    [InlineData("version", "\"1.2\"", "version")]
    [InlineData("version", "7", "version")]
    [InlineData("assembly", "\"../evil.dll\"", "assembly")]
    [InlineData("assembly", "\"Fixture.exe\"", "assembly")]
    [InlineData("entry", "\"\"", "entry")]
    [InlineData("contract", "\"0.1\"", "contract")]
    [InlineData("contract", "\"[0.2, 0.1)\"", "contract")]
    [InlineData("kinds", "[]", "kinds")]
    [InlineData("kinds", "[\"disk\"]", "kinds")]
    [InlineData("kinds", "[\"bdev\", \"bdev\"]", "kinds[1]")]
    [InlineData("kinds", "\"bdev\"", "kinds")]
    [InlineData("rpc", "[1]", "rpc[0]")]
    [InlineData("dependencies", "[{\"version\": \"1.0\"}]", "dependencies[0].name")]
    [InlineData("dependencies", "[{\"name\": \"a\", \"version\": \"x\"}]", "dependencies[0].version")]
    [InlineData("dependencies", "[{\"name\": \"a\", \"extra\": 1}]", "dependencies[0].extra")]
    [InlineData("dependencies", "[\"a\", \"a\"]", "dependencies[1]")]
    [InlineData("unloadable", "\"no\"", "unloadable")]
    [InlineData("hashes", "{\"Fixture.dll\": \"12\"}", "hashes")]
    [InlineData("hashes", "{\"../x\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "hashes")]
    [InlineData("colour", "1", "colour")]
    public void Names_file_line_and_field_of_what_is_wrong(string member, string value, string field)
    {
        var file = _folder.WriteManifest("bdev-x", "1.0.0", json => json[member] = JToken.Parse(value));
        var error = Assert.Throws<ManifestException>(() => ModuleManifest.Load(file));
        Assert.Equal(field, error.Field);
        Assert.Contains(file, error.Message);
        Assert.Contains(field, error.Message);
        int expected = Array.FindIndex(File.ReadAllLines(file), line => line.Contains($"\"{member}\"")) + 1;
        // An absent or nested member is reported where its object or itself is.
        if (value != "null" && !value.StartsWith('[') && !value.StartsWith('{')) Assert.Equal(expected, error.Line);
        else Assert.InRange(error.Line, 1, File.ReadAllLines(file).Length);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("[]", "must be an object")]
    [InlineData("{ \"name\": \"a\", \"name\": \"b\" }", "name")]
    [InlineData("{ \"name\": ", "not JSON")]
    [InlineData("{} {}", "Additional text")]
    public void Refuses_text_that_is_no_manifest(string text, string expected)
    {
        var file = Path.Combine(_folder.Root, "module.json");
        File.WriteAllText(file, text);
        Assert.Contains(expected, Assert.Throws<ManifestException>(() => ModuleManifest.Load(file)).Message);
    }

    [Fact]
    public void A_missing_file_is_said_to_be_missing()
    {
        var error = Assert.Throws<ManifestException>(() => ModuleManifest.Load(Path.Combine(_folder.Root, "nowhere", "module.json")));
        Assert.Equal(Errno.ENOENT, error.Errno);
    }

    [Fact]
    public void Comments_are_allowed()
    {
        var file = _folder.WriteManifest("bdev-x", "1.0.0");
        File.WriteAllText(file, "// what it is\n" + File.ReadAllText(file) + "\n/* end */");
        Assert.Equal("bdev-x", ModuleManifest.Load(file).Name);
    }
}
