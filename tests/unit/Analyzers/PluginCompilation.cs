using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Spindle.Analyzers.DataPath;
using Spindle.Analyzers.Rpc;

namespace Spindle.UnitTests.Analyzers;

/// <summary>A source compiled as a plugin is: with the generator and every analyzer that travels with the contract.</summary>
internal static class PluginCompilation
{
    private static readonly ImmutableArray<MetadataReference> s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p) is var n && (n.StartsWith("System.", StringComparison.Ordinal) || n.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)
                || n is "mscorlib.dll" or "netstandard.dll" or "Spindle.Abstractions.dll"))
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    private static readonly ImmutableArray<Type> s_analyzers = [.. typeof(DataPathAnalyzer).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(DiagnosticAnalyzer)) && !type.IsAbstract)];

    private static ImmutableArray<DiagnosticAnalyzer> Analyzers => [.. s_analyzers.Select(type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!)];

    /// <summary>Every diagnostic there is, by id: those that analyzers say they have, and those that the assembly declares.</summary>
    public static IReadOnlyList<DiagnosticDescriptor> Descriptors =>
    [
        .. Analyzers.SelectMany(analyzer => analyzer.SupportedDiagnostics).Concat(typeof(RpcDiagnostics).Assembly.GetTypes()
            .SelectMany(type => type.GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic))
            .Where(f => f.FieldType == typeof(DiagnosticDescriptor)).Select(f => (DiagnosticDescriptor)f.GetValue(null)!))
            .DistinctBy(rule => rule.Id).OrderBy(rule => rule.Id, StringComparer.Ordinal),
    ];

    /// <summary>What generator, analyzers and compiler (errors, and warnings of nullability) say of a source.</summary>
    public static async Task<IReadOnlyList<Diagnostic>> DiagnosticsAsync(string source)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var options = new CSharpParseOptions(LanguageVersion.Latest);
        var compilation = CSharpCompilation.Create("Plugin", [CSharpSyntaxTree.ParseText(source, options, cancellationToken: cancellation)], s_references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));
        CSharpGeneratorDriver.Create([new RpcBinderGenerator().AsSourceGenerator()], parseOptions: options).RunGeneratorsAndUpdateCompilation(compilation, out var output, out var generated, cancellation);
        var analyzed = await output.WithAnalyzers(Analyzers).GetAnalyzerDiagnosticsAsync(cancellation);
        return [.. generated, .. analyzed, .. output.GetDiagnostics(cancellation).Where(d => d.Severity == DiagnosticSeverity.Error || d.Id.StartsWith("CS86", StringComparison.Ordinal))];
    }
}
