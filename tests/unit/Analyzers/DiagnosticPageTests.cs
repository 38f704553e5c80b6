using System.Text.RegularExpressions;
using Spindle.UnitTests.Packages;

namespace Spindle.UnitTests.Analyzers;

/// <summary>Every diagnostic has a page, whose examples are compiled: the first fires it and no other, the second is clean.</summary>
public sealed class DiagnosticPageTests
{
    private static string Pages => Path.Combine(Outsider.Repository, "docs", "analyzers");

    public static TheoryData<string> Ids => [.. PluginCompilation.Descriptors.Select(rule => rule.Id)];

    [Fact]
    public void Ids_are_in_a_row_and_each_has_its_page_and_its_line_in_the_list()
    {
        var rules = PluginCompilation.Descriptors;
        Assert.Equal(Enumerable.Range(1, rules.Count).Select(i => $"SPDL{i:000}"), rules.Select(rule => rule.Id));
        Assert.Equal(rules.Select(rule => rule.Id + ".md").Append("README.md").Order(StringComparer.Ordinal), Directory.GetFiles(Pages).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal));
        string list = File.ReadAllText(Path.Combine(Pages, "README.md"));
        foreach (var rule in rules)
        {
            Assert.StartsWith($"# {rule.Id}: {rule.Title}\n", File.ReadAllText(Path.Combine(Pages, rule.Id + ".md")));
            Assert.Contains($"| [{rule.Id}]({rule.Id}.md) | {rule.Title} |", list);
            Assert.EndsWith($"/docs/analyzers/{rule.Id}.md", rule.HelpLinkUri);
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Its_first_example_fires_it(string id)
    {
        var found = await PluginCompilation.DiagnosticsAsync(Example(id, "Fires"));
        Assert.Equal([id], found.Select(d => d.Id).Where(found => found.StartsWith("SPDL", StringComparison.Ordinal)).Distinct());
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Its_second_example_is_clean(string id) => Assert.Empty(await PluginCompilation.DiagnosticsAsync(Example(id, "Does not")));

    /// <summary>An example of a page, in as much of a plugin as it needs around it.</summary>
    private static string Example(string id, string kind)
    {
        string code = Regex.Match(File.ReadAllText(Path.Combine(Pages, id + ".md")), $"\n{kind}:\n\n```csharp\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        Assert.True(code.Length > 0, $"{id}.md has no example under '{kind}:'");
        const string usings = """
            using System; using System.IO; using System.Threading; using System.Threading.Tasks;
            using Spindle; using Spindle.Bdevs; using Spindle.Io; using Spindle.Memory; using Spindle.Rpc; using Spindle.Threading;

            """;
        if (Regex.IsMatch(code, @"^(\[\w+\] )?public (\w+ )*class ")) return usings + code + (code.Contains("class P", StringComparison.Ordinal) ? "public class User { [RpcMethod(\"acme_use\")] public void Use(P p) { } }" : "");
        if (string.CompareOrdinal(id, "SPDL011") < 0)
        {
            string holder = code.Contains("[RpcMethod", StringComparison.Ordinal) ? "public class Methods" : "public class User { [RpcMethod(\"acme_use\")] public void Use(P p) { } } [RpcObject] public class P";
            return $$"""
                {{usings}}
                [RpcObject] public class Parameters { public string Name { get; set; } = ""; }
                [RpcObject] public class CreateParameters { public string Name { get; set; } = ""; }
                {{holder}}
                {
                    {{code}}
                }
                """;
        }
        // A statement stands in a method.
        string members = Regex.IsMatch(code, @"^(\[DataPath\] )?(async )?(void|Task) ") ? code : $"void M() {{ {code} }}";
        return $$"""
            {{usings}}
            public sealed class Channel { public int Count; }
            public sealed class Disk(IStorageThread thread, IBdevChannel channel, RingOperation operation)
            {
                private readonly object _gate = new();
                private readonly IoVec[] iovs = [];
                private static readonly BdevIoCallback s_done = static (object? _, in BdevIoResult _) => { };
                private object? _last;
                private int _count;
                public object? All => (_gate, iovs, s_done, _last, _count, thread, channel, operation);
                private void Go() => _count++;
                {{members}}
            }
            """;
    }
}
