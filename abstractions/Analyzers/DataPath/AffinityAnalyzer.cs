using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Spindle.Analyzers.DataPath;

/// <summary>Finds what belongs to a storage thread in code that is handed to another thread, and async void.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class AffinityAnalyzer : DiagnosticAnalyzer
{
    private static readonly ImmutableHashSet<string> s_owned = ImmutableHashSet.Create("Spindle.Bdevs.IBdevChannel", "Spindle.Threading.IoChannel", "Spindle.Io.IIoRing",
        "Spindle.Threading.IPoller", "Spindle.Memory.IIobufChannel", "Spindle.Bdevs.BdevIo");

    private static readonly ImmutableHashSet<string> s_elsewhere = ImmutableHashSet.Create("System.Threading.Tasks.Task.Run", "System.Threading.ThreadPool.QueueUserWorkItem",
        "System.Threading.ThreadPool.UnsafeQueueUserWorkItem", "System.Threading.Tasks.TaskFactory.StartNew", "System.Threading.Tasks.Parallel.For", "System.Threading.Tasks.Parallel.ForEach");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(DataPathDiagnostics.Affinity, DataPathDiagnostics.AsyncVoid);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterOperationAction(static operation =>
        {
            var call = (IInvocationOperation)operation.Operation;
            if (Owner(call.Instance?.Type) is not { } owned) return;
            for (IOperation? at = call; at is not null; at = at.Parent)
            {
                if (at is not IAnonymousFunctionOperation) continue;
                if (Receiver(at) is { } receiver)
                    operation.ReportDiagnostic(Diagnostic.Create(DataPathDiagnostics.Affinity, call.Syntax.GetLocation(), owned, receiver));
                // The innermost function that is handed on decides: a message sent from inside another thread's code is right again.
                return;
            }
        }, OperationKind.Invocation);
        context.RegisterSymbolAction(static symbol =>
        {
            if (symbol.Symbol is IMethodSymbol { IsAsync: true, ReturnsVoid: true } method && !method.GetAttributes().Any(a => a.AttributeClass?.Name == "RpcMethodAttribute"))
                symbol.ReportDiagnostic(Diagnostic.Create(DataPathDiagnostics.AsyncVoid, method.Locations[0], method.Name));
        }, SymbolKind.Method);
    }

    private static string? Owner(ITypeSymbol? type)
    {
        for (var at = type; at is not null; at = at.BaseType) if (s_owned.Contains(at.ToString()!)) return type!.Name;
        return type?.AllInterfaces.Any(i => s_owned.Contains(i.ToString()!)) == true ? type.Name : null;
    }

    /// <summary>The call to which a lambda is handed, when that runs it on another thread.</summary>
    private static string? Receiver(IOperation function)
    {
        var at = function.Parent;
        while (at is IDelegateCreationOperation or IConversionOperation or IArgumentOperation) at = at.Parent;
        return at switch
        {
            IInvocationOperation call when s_elsewhere.Contains($"{call.TargetMethod.ContainingType}.{call.TargetMethod.Name}") => $"{call.TargetMethod.ContainingType.Name}.{call.TargetMethod.Name}",
            IObjectCreationOperation { Type: { } type } when type.ToString() is "System.Threading.Thread" or "System.Threading.Timer" => type.Name,
            _ => null,
        };
    }
}
