using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.Extensions.DependencyInjection;
using Spindle.Analyzers.Rpc;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.UnitTests.Analyzers;

/// <summary>Runs the RPC generator over source text, and the result.</summary>
internal static class GeneratorHost
{
    private const string Usings = "#nullable enable\nusing System; using System.Collections.Generic; using System.Threading; using System.Threading.Tasks; using Spindle; using Spindle.Rpc;\n";

    private static readonly ImmutableArray<MetadataReference> s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p) is var n && (n.StartsWith("System.", StringComparison.Ordinal) || n.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)
                || n is "mscorlib.dll" or "netstandard.dll" or "Spindle.Abstractions.dll"))
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    public static (Compilation Output, ImmutableArray<Diagnostic> Diagnostics) Generate(string source)
    {
        var tree = CSharpSyntaxTree.ParseText(Usings + source, new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.Parse), cancellationToken: TestContext.Current.CancellationToken);
        var compilation = CSharpCompilation.Create("Plugin" + Guid.NewGuid().ToString("N"), [tree], s_references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        var driver = CSharpGeneratorDriver.Create([new RpcBinderGenerator().AsSourceGenerator()], parseOptions: new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.Parse));
        driver.RunGeneratorsAndUpdateCompilation(compilation, out var output, out var diagnostics, TestContext.Current.CancellationToken);
        return (output, diagnostics);
    }

    public static string[] Ids(string source) => [.. Generate(source).Diagnostics.Select(d => d.Id).Order()];

    /// <summary>The methods of a source, compiled, loaded and registered.</summary>
    public static GeneratedMethods Run(string source, IServiceProvider? services = null)
    {
        var (output, diagnostics) = Generate(source);
        Assert.Empty(diagnostics);
        using var stream = new MemoryStream();
        var result = output.Emit(stream, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        stream.Position = 0;
        var context = new AssemblyLoadContext(null, isCollectible: true);
        var methods = new GeneratedMethods(context);
        Spindle.Host.Rpc.RpcServiceCollection.Register(context.LoadFromStream(stream), methods, services ?? new ServiceCollection().BuildServiceProvider());
        return methods;
    }
}

internal sealed class GeneratedMethods(AssemblyLoadContext context) : IRpcRegistrar, IDisposable
{
    public Dictionary<string, RpcMethodHandler> Methods { get; } = [];

    public void Register(RpcMethodHandler handler) => Methods.Add(handler.Name, handler);

    public async Task<string> CallAsync(string method, string? parameters = null)
    {
        var handler = Methods[method];
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        using var writer = new RpcJsonWriter(output);
        var reader = new RpcJsonReader(parameters is null ? default : Encoding.UTF8.GetBytes(parameters), "params", handler.ParameterErrorCode, handler.ParameterErrorText, handler.Parameters);
        await handler.InvokeAsync(reader, writer, CancellationToken.None);
        writer.Complete();
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    public async Task<RpcException> FailAsync(string method, string? parameters = null) => await Assert.ThrowsAsync<RpcException>(() => CallAsync(method, parameters));

    /// <summary>Lets go of the code.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public WeakReference Unload()
    {
        var reference = new WeakReference(context);
        Methods.Clear();
        context.Unload();
        return reference;
    }

    public void Dispose() => Unload();
}
