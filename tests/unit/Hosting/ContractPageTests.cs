using System.Text.RegularExpressions;
using Spindle.Modules;
using Spindle.UnitTests.Analyzers;
using Spindle.UnitTests.Packages;

namespace Spindle.UnitTests.Hosting;

/// <summary>The pages of the contract: each says all it has to, names every type of its area, and has an example that compiles as a plugin does, without a warning of the analyzers.</summary>
public sealed class ContractPageTests
{
    private static readonly (string Page, string[] Namespaces)[] s_areas =
    [
        ("README.md", ["Spindle"]), ("bdevs.md", ["Spindle.Bdevs"]), ("zoned.md", ["Spindle.Bdevs"]), ("threading.md", ["Spindle.Threading"]), ("io.md", ["Spindle.Io"]), ("memory.md", ["Spindle.Memory"]), ("rpc.md", ["Spindle.Rpc"]),
        ("modules.md", ["Spindle.Modules"]), ("upgrades.md", ["Spindle.Modules"]), ("services.md", ["Spindle.Modules"]),
    ];

    private static string Folder => Path.Combine(Outsider.Repository, "docs", "contract");

    private static string Text(string page) => File.ReadAllText(Path.Combine(Folder, page));

    public static TheoryData<string> Pages => [.. Directory.GetFiles(Folder, "*.md").Select(file => Path.GetFileName(file)!).Where(page => page != "README.md")];

    [Theory]
    [MemberData(nameof(Pages))]
    public void It_says_what_every_page_says(string page)
    {
        Assert.Equal(["How the members belong together", "Life cycle", "Threads", "Ownership", "Errors", "Example"], Regex.Matches(Text(page), "^## (.*)$", RegexOptions.Multiline).Select(m => m.Groups[1].Value));
        Assert.Matches(@"## Life cycle\n\n```\n[^`]*─►[^`]*```", Text(page));
        Assert.Contains($"]({page})", Text("README.md"));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Its_example_compiles(string page)
    {
        var examples = Regex.Matches(Text(page), "```csharp\n(.*?)```", RegexOptions.Singleline);
        Assert.NotEmpty(examples);
        foreach (Match example in examples) Assert.Empty(await PluginCompilation.DiagnosticsAsync(example.Groups[1].Value));
    }

    [Fact]
    public void Every_type_of_the_contract_is_on_a_page_of_its_area()
    {
        var missing = typeof(PluginModule).Assembly.GetExportedTypes().Where(type => !type.IsNested)
            .Where(type => !s_areas.Where(area => area.Namespaces.Contains(type.Namespace)).Any(area => Regex.IsMatch(Text(area.Page), $@"\b{type.Name}s?\b")));
        Assert.Empty(missing.Select(type => type.FullName));
        Assert.Empty(typeof(PluginModule).Assembly.GetExportedTypes().Where(type => !s_areas.Any(area => area.Namespaces.Contains(type.Namespace))).Select(type => type.FullName));
    }

    [Fact]
    public void Links_of_pages_and_samples_lead_somewhere()
    {
        foreach (string file in Directory.GetFiles(Folder, "*.md").Concat([Path.Combine(Outsider.Repository, "docs", "plugins.md"), Path.Combine(Outsider.Repository, "samples", "README.md")]))
            foreach (Match link in Regex.Matches(File.ReadAllText(file), @"\]\((?!https?:)([^)#]+)(#[^)]*)?\)"))
                Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(file)!, link.Groups[1].Value)), $"{file}: {link.Groups[1].Value}");
    }
}
