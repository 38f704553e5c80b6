using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Spindle.Analyzers.DataPath;

namespace Spindle.UnitTests.Analyzers;

/// <summary>Each rule of the data path and of thread affinity fires on what it is about, and not on what it recommends.</summary>
public sealed class DataPathAnalyzerTests
{
    private static readonly ImmutableArray<MetadataReference> s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p) is var n && (n.StartsWith("System.", StringComparison.Ordinal) || n is "netstandard.dll" or "Spindle.Abstractions.dll"))
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    private static async Task<string[]> IdsAsync(string members)
    {
        string source = "using System; using System.Threading; using System.Threading.Tasks; using Spindle; using Spindle.Bdevs; using Spindle.Threading; using Spindle.Io;\n"
            + "class C { object _gate = new(); int _count; object? _last; IStorageThread thread = null!; IBdevChannel channel = null!; static void Go() { } \n" + members + "\n}";
        var tree = CSharpSyntaxTree.ParseText(source, new CSharpParseOptions(LanguageVersion.Latest), cancellationToken: TestContext.Current.CancellationToken);
        var compilation = CSharpCompilation.Create("Plugin", [tree], s_references, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        Assert.Empty(compilation.GetDiagnostics(TestContext.Current.CancellationToken).Where(d => d.Severity == DiagnosticSeverity.Error));
        var found = await compilation.WithAnalyzers([new DataPathAnalyzer(), new AffinityAnalyzer()]).GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);
        return [.. found.Select(d => d.Id).Distinct().Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("SPDL011", "[DataPath] void M() { lock (_gate) _count++; }")]
    [InlineData("SPDL011", "[DataPath] void M() { Monitor.Enter(_gate); }")]
    [InlineData("SPDL012", "[DataPath] void M() => thread.Send(_ => _count++, null);")]
    [InlineData("SPDL012", "[DataPath] void M(int n) { Action a = () => Console.Write(n); }")]
    [InlineData("SPDL013", "[DataPath] void M() => _last = new object();")]
    [InlineData("SPDL013", "[DataPath] void M() => _last = new byte[8];")]
    [InlineData("SPDL013", "[DataPath] void M() => _last = _count;")]
    [InlineData("SPDL013", "[DataPath] string M() => $\"{_count}\";")]
    [InlineData("SPDL014", "[DataPath] async Task M() => await Task.Yield();")]
    [InlineData("SPDL015", "[DataPath] void M() => throw new InvalidOperationException();")]
    [InlineData("SPDL016", "[DataPath] void M() => Thread.Sleep(1);")]
    [InlineData("SPDL016", "[DataPath] int M(Task<int> t) => t.Result;")]
    [InlineData("SPDL016", "[DataPath] void M() => System.IO.File.Delete(\"x\");")]
    [InlineData("SPDL017", "void M() => Task.Run(() => channel.Flush());")]
    [InlineData("SPDL017", "void M() => ThreadPool.QueueUserWorkItem(_ => channel.Put());")]
    [InlineData("SPDL017", "void M() => new Thread(() => channel.Flush()).Start();")]
    [InlineData("SPDL018", "async void M() => await Task.Delay(1);")]
    public async Task It_fires(string id, string members) => Assert.Contains(id, await IdsAsync(members));

    [Theory]
    [InlineData("void M() { lock (_gate) _count++; }")]
    [InlineData("[DataPath] void M() => Interlocked.Increment(ref _count);")]
    [InlineData("[DataPath] void M() => thread.Send(static state => ((C)state!)._count++, this);")]
    [InlineData("[DataPath] void M() => thread.Send(_ => Go(), null);")]
    [InlineData("[DataPath] int M() => new TimeSpan(1).Days;")]
    [InlineData("[DataPath] void M(BdevIo io) => _last = io.Context;")]
    [InlineData("[DataPath] void M(BdevIo io) => io.Complete(io.Generation, BdevIoStatus.Failed);")]
    [InlineData("[DataPath] void M(RingOperation o) => thread.Ring.Timeout(TimeSpan.FromSeconds(1), o);")]
    [InlineData("async Task M() => await Task.Delay(1);")]
    [InlineData("void M() => channel.Flush();")]
    [InlineData("void M() => Task.Run(() => thread.Send(static state => ((IBdevChannel)state!).Flush(), channel));")]
    [InlineData("void M() => throw new InvalidOperationException(\"a\" + _count);")]
    public async Task It_does_not_fire(string members) => Assert.Empty(await IdsAsync(members));

    [Fact]
    public async Task A_type_that_is_data_path_has_all_its_methods_checked() =>
        Assert.Equal(["SPDL013"], await IdsAsync("[DataPath] class Inner { object M() => new object(); }"));
}
