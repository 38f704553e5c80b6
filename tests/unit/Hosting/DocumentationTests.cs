using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Spindle.Host.Hosting;
using Spindle.UnitTests.Modules;

namespace Spindle.UnitTests.Hosting;

/// <summary>The examples in docs/ do what the pages say: they are compiled and run from there.</summary>
public sealed class DocumentationTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string RepositoryRoot
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "build.cake"))) folder = folder.Parent;
            return folder.FullName;
        }
    }

    private static string Example(string page, string language) =>
        Regex.Match(File.ReadAllText(Path.Combine(RepositoryRoot, "docs", page)), $"```{language}\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;

    [Fact]
    public async Task The_plugin_of_the_vendors_page_loads_and_its_bdev_is_made_by_RPC()
    {
        string source = Example("plugins.md", "csharp"), manifest = Example("plugins.md", "json");
        string folder = Directory.CreateDirectory(Path.Combine(_folder.Root, "acme-ram", "1.0.0")).FullName;
        PluginFolder.Compile(Path.Combine(folder, "Acme.Ram.dll"), source, PluginFolder.Contract);
        File.WriteAllText(Path.Combine(folder, "module.json"), manifest);
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions { ModuleFolders = [_folder.Root], Modules = [new("acme-ram")] });
        Assert.Equal("\"Ram0\"", await host.CallAsync("acme_ram_create", """{ "name": "Ram0" }"""));
        Assert.Equal(2048ul, host.Bdevs.Find("Ram0")!.BlockCount);
    }

    [Fact]
    public async Task The_program_of_the_embedding_page_runs()
    {
        string modules = Path.Combine(RepositoryRoot, "artifacts", "modules");
        Assert.True(Directory.Exists(modules), $"{modules} is made by the build of the modules");
        string file = Path.Combine(_folder.Root, "Embedding.dll");
        PluginFolder.Compile(file, Example("embedding.md", "csharp"), PluginFolder.Contract,
            MetadataReference.CreateFromFile(typeof(SpindleHost).Assembly.Location));
        var program = System.Reflection.Assembly.LoadFrom(file).GetType("Program")!;
        Assert.Equal(0, await (Task<int>)program.GetMethod("RunAsync")!.Invoke(null, [modules])!);
    }
}
