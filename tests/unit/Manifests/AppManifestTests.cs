using System.Text.Json;
using Spindle.Host.Manifests;

namespace Spindle.UnitTests.Manifests;

public sealed class AppManifestTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-app-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private AppManifest Load(string json)
    {
        File.WriteAllText(Path.Combine(_folder, "app.json"), json);
        return AppManifest.Load(_folder);
    }

    [Fact]
    public void The_shortest_manifest_has_the_defaults()
    {
        var app = Load("""{ "name": "a" }""");
        Assert.Equal(new AppManifest { Name = "a", Folder = _folder, Modules = app.Modules, FrontEnds = app.FrontEnds }, app);
        Assert.Empty(app.Modules);
        Assert.Null(app.ConfigFile);
        Assert.True(app.RpcEnabled);
    }

    [Fact]
    public void Every_member_is_read()
    {
        File.WriteAllText(Path.Combine(_folder, "other.json"), "{}");
        var app = Load("""
            {
              "$schema": "../../schemas/app.schema.json", // for editors
              "name": "nvmf_tgt",
              "modules": [ "bdev-malloc", { "name": "bdev-x", "version": "[1.0, 2.0)", "settings": { "a": [1, "two"] }, "unloadable": false } ],
              "frontends": [ { "name": "frontend-nvmf" } ],
              "config": "other.json",
              "reactors": { "cores": [0, 2], "pollMode": "spin" },
              "rpc": { "enabled": false, "socket": "/tmp/x.sock" },
              "memory": { "hugePages": false, "iobufSmallCount": 100, "iobufLargeCount": 10, "iobufSmallSize": 8192, "iobufLargeSize": 16384 },
              "environment": { "portable": true, "ring": "epoll" }
            }
            """);
        Assert.Equal(["bdev-malloc any {} ", "bdev-x [1.0, 2.0) {\"a\":[1,\"two\"]} False"], app.Modules.Select(m => $"{m.Name} {m.Versions} {m.SettingsJson} {m.Unloadable}"));
        Assert.Equal("frontend-nvmf", Assert.Single(app.FrontEnds).Name);
        Assert.Equal(Path.Combine(_folder, "other.json"), app.ConfigFile);
        Assert.Equal(("[0,2]", null, true), (app.CpuMask, app.CoreCount, app.Spin));
        Assert.Equal((false, "/tmp/x.sock"), (app.RpcEnabled, app.RpcSocket));
        Assert.Equal((false, 100, 10, 8192u, 16384u), (app.UseHugePages, app.IobufSmallCount, app.IobufLargeCount, app.IobufSmallSize, app.IobufLargeSize));
        Assert.Equal((true, "epoll"), (app.Portable, app.Ring));
    }

    [Theory]
    [InlineData("""{ }""", "name", 1)]
    [InlineData("{ \"name\": \"a b\" }", "name", 1)]
    [InlineData("{ \"name\": \"a\",\n\"modules\": [\"x\",\n5] }", "modules[1]", 3)]
    [InlineData("{ \"name\": \"a\",\n\"modules\": [{\n\"version\": \"1.0\" }] }", "modules[0].name", 2)]
    [InlineData("{ \"name\": \"a\",\n\"modules\": [{ \"name\": \"x\",\n\"version\": \"one\" }] }", "modules[0].version", 3)]
    [InlineData("{ \"name\": \"a\",\n\"modules\": [{ \"name\": \"x\",\n\"speed\": 1 }] }", "modules[0].speed", 3)]
    [InlineData("{ \"name\": \"a\",\n\"modules\": [\"x\"],\n\"frontends\": [\"x\"] }", "frontends", 3)]
    [InlineData("{ \"name\": \"a\",\n\"config\": \"nowhere.json\" }", "config", 2)]
    [InlineData("{ \"name\": \"a\",\n\"reactors\": {\n\"pollMode\": \"fast\" } }", "reactors.pollMode", 3)]
    [InlineData("{ \"name\": \"a\",\n\"reactors\": {\n\"cores\": 0 } }", "reactors.cores", 3)]
    [InlineData("{ \"name\": \"a\",\n\"reactors\": {\n\"cores\": [0, \"1\"] } }", "reactors.cores[1]", 3)]
    [InlineData("{ \"name\": \"a\",\n\"reactors\": {\n\"cores\": [99999] } }", "reactors.cores[0]", 3)]
    [InlineData("{ \"name\": \"a\",\n\"reactors\": { \"cpumask\": \"1\",\n\"cores\": 1 } }", "reactors.cores", 3)]
    [InlineData("{ \"name\": \"a\",\n\"rpc\": {\n\"port\": 1 } }", "rpc.port", 3)]
    [InlineData("{ \"name\": \"a\",\n\"memory\": {\n\"iobufSmallSize\": 5000 } }", "memory.iobufSmallSize", 3)]
    [InlineData("{ \"name\": \"a\",\n\"memory\": {\n\"iobufSmallCount\": 99999999999999999999999 } }", "memory.iobufSmallCount", 3)]
    [InlineData("{ \"name\": \"a\",\n\"memory\": {\n\"iobufSmallCount\": 1.5 } }", "memory.iobufSmallCount", 3)]
    [InlineData("{ \"name\": \"a\",\n\"environment\": {\n\"ring\": \"kqueue\" } }", "environment.ring", 3)]
    [InlineData("{ \"name\": \"a\",\n\"turbo\": true }", "turbo", 2)]
    public void A_mistake_is_reported_with_its_line_and_field(string json, string field, int line)
    {
        var error = Assert.Throws<ManifestException>(() => Load(json));
        Assert.Equal((field, line), (error.Field, error.Line));
        Assert.Contains($"app.json, line {line}, {field}: ", error.Message);
    }

    [Fact]
    public void The_apps_of_this_repository_are_valid_by_schema_and_reader()
    {
        var root = FindRoot();
        var apps = Directory.GetFiles(Path.Combine(root, "apps"), "app.json", SearchOption.AllDirectories);
        Assert.NotEmpty(apps);
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(root, "schemas", "app.schema.json")));
        var known = schema.RootElement.GetProperty("properties").EnumerateObject().Select(p => p.Name).ToHashSet();
        foreach (var file in apps)
        {
            var app = AppManifest.Load(file);
            Assert.Equal(Path.GetFileName(Path.GetDirectoryName(file)), app.Name);
            using var json = JsonDocument.Parse(File.ReadAllText(file));
            Assert.All(json.RootElement.EnumerateObject(), p => Assert.Contains(p.Name, known));
        }
    }

    [Fact]
    public void The_modules_of_this_repository_are_valid()
    {
        var root = FindRoot();
        foreach (var file in Directory.GetFiles(Path.Combine(root, "modules"), "module.json", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}") && !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")))
            Assert.Equal(Path.GetFileName(Path.GetDirectoryName(file)), Spindle.Host.Modules.ModuleManifest.Load(file).Name);
    }

    internal static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Spindle.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Spindle.slnx");
        return folder;
    }
}
