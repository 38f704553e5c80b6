using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Spindle.Analyzers.Rpc;
using Spindle.Host.Modules;

namespace Spindle.UnitTests.Modules;

/// <summary>A catalogue folder in a temporary place, with plugins compiled from source while the test runs: one small plugin for each case.</summary>
public sealed class PluginFolder : IDisposable
{
    private static readonly MetadataReference[] s_platform = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
        .Split(Path.PathSeparator).Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)
            || Path.GetFileName(path).StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) || Path.GetFileName(path) is "netstandard.dll" or "mscorlib.dll")
        .Select(path => (MetadataReference)MetadataReference.CreateFromFile(path)).ToArray();

    public static readonly MetadataReference Contract = MetadataReference.CreateFromFile(typeof(Spindle.Modules.PluginModule).Assembly.Location);

    public string Root { get; } = Directory.CreateTempSubdirectory("spindle-plugins-").FullName;

    public ModuleCatalogue Catalogue => new([Root]);

    public void Dispose() => Directory.Delete(Root, recursive: true);

    /// <summary>A bdev module that does nothing, as C#.</summary>
    public static string BdevSource(string name, string body = "") => $$"""
        using System; using System.Threading; using System.Threading.Tasks; using Spindle; using Spindle.Bdevs; using Spindle.Modules; using Spindle.Rpc; using Spindle.Threading;
        using Microsoft.Extensions.DependencyInjection; using Microsoft.Extensions.Logging;
        namespace Fixture;
        public sealed class Entry : BdevModule
        {
            public override string Name => "{{name}}";
            {{body}}
        }
        """;

    /// <summary>Adds NAME/VERSION with a module.json and an assembly.</summary>
    public ModuleManifest Add(string name, string? source = null, string version = "1.0.0", Action<JObject>? manifest = null,
        MetadataReference[]? references = null, string assembly = "Fixture")
    {
        var folder = Directory.CreateDirectory(Path.Combine(Root, name, version)).FullName;
        Compile(Path.Combine(folder, assembly + ".dll"), source ?? BdevSource(name), references ?? [Contract]);
        WriteManifest(name, version, manifest, assembly);
        return ModuleManifest.Load(Path.Combine(folder, "module.json"));
    }

    public string WriteManifest(string name, string version, Action<JObject>? change = null, string assembly = "Fixture")
    {
        var json = new JObject
        {
            ["name"] = name, ["version"] = version, ["assembly"] = assembly + ".dll", ["entry"] = "Fixture.Entry",
            ["contract"] = "[0.1, 1.0)", ["kinds"] = new JArray("bdev"),
        };
        change?.Invoke(json);
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(Root, name, version)).FullName, "module.json");
        File.WriteAllText(file, json.ToString(Formatting.Indented));
        return file;
    }

    /// <summary>Compiles one source, with the RPC binder's generator, to a file.</summary>
    public static MetadataReference Compile(string file, string source, params MetadataReference[] references)
    {
        var compilation = CSharpCompilation.Create(Path.GetFileNameWithoutExtension(file), [CSharpSyntaxTree.ParseText(source)],
            [.. s_platform.Where(p => references.All(r => Path.GetFileName(r.Display) != Path.GetFileName(p.Display))), .. references],
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release,
                allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));
        CSharpGeneratorDriver.Create(new RpcBinderGenerator()).RunGeneratorsAndUpdateCompilation(compilation, out var generated, out _);
        using (var stream = File.Create(file))
        {
            var result = generated.Emit(stream);
            Assert.True(result.Success, string.Join("\n", result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        }
        return MetadataReference.CreateFromFile(file);
    }
}
