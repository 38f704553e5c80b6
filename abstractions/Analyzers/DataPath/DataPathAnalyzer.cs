using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Spindle.Analyzers.DataPath;

/// <summary>Checks the bodies of methods that are [DataPath] themselves or in a [DataPath] type: no lock, closure, allocation, Task, throw or blocking call.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class DataPathAnalyzer : DiagnosticAnalyzer
{
    private static readonly ImmutableHashSet<string> s_blocking = ImmutableHashSet.Create(
        "System.Threading.Thread.Sleep", "System.Threading.Thread.Join", "System.Threading.Tasks.Task.Wait", "System.Threading.Tasks.Task.WaitAll", "System.Threading.Tasks.Task.WaitAny",
        "System.Threading.Tasks.Task<TResult>.Result", "System.Runtime.CompilerServices.TaskAwaiter.GetResult", "System.Runtime.CompilerServices.TaskAwaiter<TResult>.GetResult",
        "System.Threading.SemaphoreSlim.Wait", "System.Threading.WaitHandle.WaitOne", "System.Threading.ManualResetEventSlim.Wait", "System.Threading.CountdownEvent.Wait");

    private static readonly string[] s_blockingTypes = ["System.IO.File", "System.IO.Stream", "System.IO.FileStream", "System.IO.RandomAccess", "System.Console", "System.Net.Sockets.Socket"];

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(DataPathDiagnostics.Lock, DataPathDiagnostics.Closure,
        DataPathDiagnostics.Allocation, DataPathDiagnostics.Task, DataPathDiagnostics.Throw, DataPathDiagnostics.Blocking);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterOperationBlockStartAction(static block =>
        {
            if (block.OwningSymbol is not IMethodSymbol method || !IsDataPath(method)) return;
            if (method.IsAsync) block.RegisterOperationBlockEndAction(end => Report(end.ReportDiagnostic, DataPathDiagnostics.Task, method.Locations[0], method.Name));
            block.RegisterOperationAction(operation => Check(operation, method), OperationKind.Lock, OperationKind.AnonymousFunction, OperationKind.ObjectCreation,
                OperationKind.ArrayCreation, OperationKind.Conversion, OperationKind.InterpolatedString, OperationKind.Throw, OperationKind.Invocation, OperationKind.PropertyReference);
        });
    }

    private static bool IsDataPath(IMethodSymbol method)
    {
        for (ISymbol? at = method; at is not null and not INamespaceSymbol; at = at.ContainingSymbol)
            if (at.GetAttributes().Any(a => a.AttributeClass is { Name: "DataPathAttribute", ContainingNamespace.Name: "Spindle" })) return true;
        return false;
    }

    private static void Check(OperationAnalysisContext context, IMethodSymbol method)
    {
        var operation = context.Operation;
        // What only the way to a throw does is reported as the throw; the attribute itself is no allocation.
        if ((operation is not IThrowOperation && Enclosing<IThrowOperation>(operation)) || operation.Parent is IAttributeOperation) return;
        void Report(DiagnosticDescriptor rule, params object[] more) => DataPathAnalyzer.Report(context.ReportDiagnostic, rule, operation.Syntax.GetLocation(), [method.Name, .. more]);
        switch (operation)
        {
            case ILockOperation: Report(DataPathDiagnostics.Lock); break;
            case IThrowOperation: Report(DataPathDiagnostics.Throw); break;
            case IAnonymousFunctionOperation { Symbol.IsStatic: false } function when Captures(function): Report(DataPathDiagnostics.Closure); break;
            case IObjectCreationOperation { Type.IsReferenceType: true } creation: Report(DataPathDiagnostics.Allocation, $"new {creation.Type!.Name}"); break;
            // 'params' without an argument is the one empty array.
            case IArrayCreationOperation { IsImplicit: false } array: Report(DataPathDiagnostics.Allocation, $"new {array.Type}"); break;
            case IConversionOperation { Operand.Type.IsValueType: true, Type.IsReferenceType: true, OperatorMethod: null } boxing: Report(DataPathDiagnostics.Allocation, $"boxing of {boxing.Operand.Type!.Name}"); break;
            case IInterpolatedStringOperation { ConstantValue.HasValue: false }: Report(DataPathDiagnostics.Allocation, "an interpolated string"); break;
            case IInvocationOperation call:
                if (call.TargetMethod.ContainingType.ToString() == "System.Threading.Monitor") Report(DataPathDiagnostics.Lock);
                else if (IsBlocking(call.TargetMethod)) Report(DataPathDiagnostics.Blocking, $"{call.TargetMethod.ContainingType.Name}.{call.TargetMethod.Name}");
                break;
            case IPropertyReferenceOperation property when IsBlocking(property.Property): Report(DataPathDiagnostics.Blocking, $"{property.Property.ContainingType.Name}.{property.Property.Name}"); break;
        }
    }

    private static bool IsBlocking(ISymbol member)
    {
        string type = member.ContainingType.OriginalDefinition.ToString()!;
        return s_blocking.Contains($"{type}.{member.Name}") || s_blockingTypes.Contains(type);
    }

    private static bool Enclosing<T>(IOperation operation) where T : IOperation
    {
        for (var at = operation.Parent; at is not null; at = at.Parent) if (at is T) return true;
        return false;
    }

    /// <summary>Whether a lambda uses a local, a parameter or 'this' of the method around it.</summary>
    private static bool Captures(IAnonymousFunctionOperation function) => function.Body.Descendants().Any(inner => inner switch
    {
        IInstanceReferenceOperation => true,
        ILocalReferenceOperation local => !IsInside(local.Local, function),
        IParameterReferenceOperation parameter => !IsInside(parameter.Parameter, function),
        _ => false,
    });

    private static bool IsInside(ISymbol symbol, IAnonymousFunctionOperation function) =>
        symbol.DeclaringSyntaxReferences.Any(reference => function.Syntax.Span.Contains(reference.Span));

    private static void Report(Action<Diagnostic> report, DiagnosticDescriptor rule, Location location, params object[] arguments) =>
        report(Diagnostic.Create(rule, location, arguments));
}
