using Newtonsoft.Json.Linq;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.Rpc;
using Spindle.UnitTests.Modules;

namespace Spindle.PluginTests.Services;

/// <summary>One module uses a service of another, by an interface that is in an assembly of its own.</summary>
public sealed class ServiceTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void AddExporter(string name = "bdev-clock", string version = "1.2.0", string? imports = null)
    {
        var contract = PluginFolder.Compile(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Root, ".lib")).FullName, "Acme.Clock.dll"),
            "namespace Acme { public interface IClock { int Tell(int x); } }");
        var manifest = _folder.Add(name, PluginFolder.BdevSource(name, """
            public override Task InitializeAsync(IModuleContext context, CancellationToken ct) { context.Export<Acme.IClock>(new Clock()); return Task.CompletedTask; }
            class Clock : Acme.IClock { public int Tell(int x) => x + 1; }
            """), references: [PluginFolder.Contract, contract], assembly: "Clock", manifest: json =>
        {
            json["exports"] = new JArray(new JObject { ["name"] = "Acme.IClock", ["assembly"] = "Acme.Clock", ["version"] = version });
            if (imports is not null) json["imports"] = JArray.Parse(imports);
        });
        File.Copy(Path.Combine(_folder.Root, ".lib", "Acme.Clock.dll"), Path.Combine(manifest.Folder, "Acme.Clock.dll"));
    }

    private void AddImporter(string range = "[1.0, 2.0)", bool optional = false)
    {
        var contract = PluginFolder.Compile(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Root, ".lib2")).FullName, "Acme.Clock.dll"),
            "namespace Acme { public interface IClock { int Tell(int x); } }");
        var manifest = _folder.Add("bdev-user", PluginFolder.BdevSource("bdev-user", """
            public IModuleContext Context = null!;
            public override Task InitializeAsync(IModuleContext context, CancellationToken ct) { Context = context; return Task.CompletedTask; }
            """) + """
            public sealed class Methods(Entry entry) { [RpcMethod("user_ask")] public int Ask() => entry.Context.Import<Acme.IClock>()?.Tell(41) ?? -1; }
            """, references: [PluginFolder.Contract, contract], assembly: "User", manifest: json =>
            json["imports"] = new JArray(new JObject { ["name"] = "Acme.IClock", ["assembly"] = "Acme.Clock", ["version"] = range, ["optional"] = optional }));
        // Whoever can do without the exporter has the interface from itself then.
        if (optional) File.Copy(Path.Combine(_folder.Root, ".lib2", "Acme.Clock.dll"), Path.Combine(manifest.Folder, "Acme.Clock.dll"));
    }

    private Task<SpindleHost> StartAsync(params string[] modules) => SpindleHost.StartAsync(new SpindleHostOptions
    {
        ModuleFolders = [_folder.Root], Modules = [.. modules.Select(m => new AppModule(m))], Iobuf = new() { SmallPoolCount = 64, LargePoolCount = 8 },
    });

    private async Task FailsAsync(ModuleErrorCode code, params string[] modules)
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => StartAsync(modules));
        Assert.True(code == error.Code, error.Message);
        Assert.Contains("Acme.IClock", code == ModuleErrorCode.ServiceMissing ? error.Message : error.Message + "Acme.IClock");
    }

    [Fact]
    public async Task The_exporter_is_started_first_and_unloaded_last()
    {
        AddExporter();
        AddImporter();
        await using var host = await StartAsync("bdev-user", "bdev-clock");
        Assert.Equal(["bdev-clock", "bdev-user"], host.Modules.Modules.Select(m => m.Name));
        Assert.Equal("42", await host.CallAsync("user_ask"));
        var error = await Assert.ThrowsAsync<RpcException>(() => host.CallAsync("module_unload", """{ "name": "bdev-clock" }"""));
        Assert.Equal(-1000 - (int)ModuleErrorCode.InUse, error.Code);
        Assert.Contains("bdev-user 1.0.0 imports its services", error.Message);
        Assert.Contains("\"code_unloaded\":true", await host.CallAsync("module_unload", """{ "name": "bdev-user" }"""));
        Assert.Contains("\"code_unloaded\":true", await host.CallAsync("module_unload", """{ "name": "bdev-clock" }"""));
    }

    [Fact]
    public async Task Absence_is_told()
    {
        AddImporter();
        await FailsAsync(ModuleErrorCode.ServiceMissing, "bdev-user");
        await using var host = await StartAsync();
        var error = await Assert.ThrowsAsync<RpcException>(() => host.CallAsync("module_load", """{ "name": "bdev-user" }"""));
        Assert.Equal(-1000 - (int)ModuleErrorCode.ServiceMissing, error.Code);
    }

    [Fact]
    public async Task A_version_that_does_not_fit_is_told()
    {
        AddExporter();
        AddImporter("[2.0, 3.0)");
        await FailsAsync(ModuleErrorCode.ServiceMissing, "bdev-user", "bdev-clock");
    }

    [Fact]
    public async Task An_optional_service_may_be_absent()
    {
        AddImporter(optional: true);
        await using var host = await StartAsync("bdev-user");
        Assert.Equal("-1", await host.CallAsync("user_ask"));
    }

    [Fact]
    public async Task A_cycle_is_told()
    {
        AddExporter(imports: """[{ "name": "Acme.IOther", "assembly": "Acme.Other", "version": "[1.0, 2.0)" }]""");
        AddImporter();
        var file = Path.Combine(_folder.Root, "bdev-user", "1.0.0", "module.json");
        var json = JObject.Parse(File.ReadAllText(file));
        json["exports"] = JArray.Parse("""[{ "name": "Acme.IOther", "assembly": "Acme.Other", "version": "1.0.0" }]""");
        File.WriteAllText(file, json.ToString());
        await FailsAsync(ModuleErrorCode.ServiceCycle, "bdev-user", "bdev-clock");
    }
}
