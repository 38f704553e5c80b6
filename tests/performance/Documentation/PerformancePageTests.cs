using System.Text.RegularExpressions;

namespace Spindle.PerformanceTests.Documentation;

/// <summary>docs/performance.md follows one read through the code; the methods that it names must be there.</summary>
public sealed partial class PerformancePageTests
{
    private static readonly string[] s_sourceFolders = ["abstractions", "host", "libs", "modules"];

    public static TheoryData<string> Methods => [.. NamedMethods(File.ReadAllText(Path.Combine(Repository.Root, "docs", "performance.md")))];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Method_on_the_path_exists(string method) =>
        Assert.True(Exists(method, Sources()), $"docs/performance.md names {method}, which is nowhere in {string.Join(", ", s_sourceFolders)}; tell the path as it is now.");

    [Fact]
    public void The_path_names_both_ends_and_the_backend()
    {
        var methods = NamedMethods(File.ReadAllText(Path.Combine(Repository.Root, "docs", "performance.md"))).ToList();
        Assert.True(methods.Count >= 20, $"only {methods.Count} methods are named");
        foreach (string type in new[] { "TcpReceiver", "BdevChannel", "MallocBdev", "TcpSender", "IoUringRing" })
            Assert.Contains(methods, method => method.StartsWith(type + ".", StringComparison.Ordinal));
    }

    [Fact]
    public void A_method_that_is_gone_is_noticed()
    {
        string[] sources = ["internal sealed class Reader { void Take(int n) { } int Count => 0; }"];
        Assert.True(Exists("Reader.Take", sources));
        Assert.False(Exists("Reader.Give", sources));
        Assert.False(Exists("Writer.Take", sources));
    }

    private static IEnumerable<string> NamedMethods(string page)
    {
        var path = Regex.Match(page, "<!-- path -->(.*)<!-- /path -->", RegexOptions.Singleline);
        Assert.True(path.Success, "docs/performance.md has no part between <!-- path --> and <!-- /path -->");
        return MethodName().Matches(path.Groups[1].Value).Select(match => match.Groups[1].Value).Distinct();
    }

    // A declaration in a file that declares (a part of) the type; calls there are taken for one too, which is near enough to notice a renamed method.
    private static bool Exists(string method, IEnumerable<string> sources)
    {
        var parts = method.Split('.');
        var type = new Regex($@"\b(class|struct|record|interface)\s+{parts[0]}\b");
        var declaration = new Regex($@"[\w\]>?*]\s+(\w+\.)?{parts[1]}(<\w+>)?\(");
        return sources.Any(source => type.IsMatch(source) && declaration.IsMatch(source));
    }

    private static IEnumerable<string> Sources() => s_sourceFolders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")).Select(File.ReadAllText);

    [GeneratedRegex(@"`([A-Z]\w+\.[A-Z]\w+)`")]
    private static partial Regex MethodName();
}
