using System.Text;
using Microsoft.CodeAnalysis;

namespace Spindle.Analyzers.Rpc;

/// <summary>Turns a method with <c>[RpcMethod]</c> into its handler's source.</summary>
internal static class RpcMethodParser
{
    public static RpcMethodModel Parse(IMethodSymbol method, AttributeData attribute, Compilation compilation)
    {
        var location = LocationInfo.Of(method);
        var context = new RpcCodecContext(location);
        var wireName = attribute.ConstructorArguments.Length == 1 ? attribute.ConstructorArguments[0].Value as string ?? "" : "";
        CheckDeclaration(method, wireName, context);
        var (parameters, takesToken) = SplitParameters(method, context);
        var source = context.Diagnostics.Count == 0 ? Handler(method, attribute, wireName, parameters, takesToken, context, new RpcDescription(compilation)) : "";
        return new RpcMethodModel(wireName, WireNames.Qualified(method.ContainingType), source,
            new EquatableArray<RpcFunction>([.. context.Functions.Select(f => new RpcFunction(f.Key, f.Value))]),
            new EquatableArray<DiagnosticInfo>([.. context.Diagnostics]), location);
    }

    public static bool IsAccessible(ITypeSymbol type)
    {
        for (ISymbol? s = type; s is ITypeSymbol; s = s.ContainingType)
        {
            if (s.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal)
                || s is INamedTypeSymbol { IsFileLocal: true })
            {
                return false;
            }
        }
        return true;
    }

    static void CheckDeclaration(IMethodSymbol method, string wireName, RpcCodecContext context)
    {
        var owner = method.ContainingType;
        var problem = method.IsStatic ? "it is static"
            : method.IsGenericMethod ? "it has type parameters"
            : method.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal) ? "it is not accessible" : null;
        if (problem is not null)
        {
            context.Report(RpcDiagnostics.NotAnInstanceMethod, method, method.ToDisplayString(), problem);
        }
        if (method is { IsAsync: true, ReturnsVoid: true })
        {
            context.Report(RpcDiagnostics.AsyncVoid, method, method.ToDisplayString());
        }
        if (!WireNames.IsValid(wireName))
        {
            context.Report(RpcDiagnostics.BadName, method, method.ToDisplayString(), wireName);
        }
        var ownerProblem = owner.TypeKind != TypeKind.Class || owner.IsStatic ? "it is not a class with instances"
            : owner.IsAbstract ? "it is abstract"
            : owner.IsGenericType ? "it is generic"
            : !IsAccessible(owner) ? "it is not accessible: make it and the types around it public or internal"
            : !owner.InstanceConstructors.Any(c => c.DeclaredAccessibility == Accessibility.Public) ? "it needs a public constructor" : null;
        if (ownerProblem is not null)
        {
            context.Report(RpcDiagnostics.ClassCannotBeMade, method, owner.ToDisplayString(), ownerProblem);
        }
    }

    static (IParameterSymbol? Parameters, bool TakesToken) SplitParameters(IMethodSymbol method, RpcCodecContext context)
    {
        IParameterSymbol? parameters = null;
        var takesToken = false;
        foreach (var parameter in method.Parameters)
        {
            if (parameter.RefKind != RefKind.None)
            {
                context.Report(RpcDiagnostics.WrongParameters, parameter, method.ToDisplayString(), $"'{parameter.Name}' is passed by reference");
            }
            else if (parameter.Type.ToDisplayString() == "System.Threading.CancellationToken" && !takesToken)
            {
                takesToken = true;
            }
            else if (parameters is null && !takesToken && RpcAttributeReader.IsRpcObject(parameter.Type))
            {
                parameters = parameter;
            }
            else
            {
                context.Report(RpcDiagnostics.WrongParameters, parameter, method.ToDisplayString(),
                    $"'{parameter.Name}' of type '{parameter.Type.ToDisplayString()}' is neither, or is out of place");
            }
        }
        return (parameters, takesToken);
    }

    static string Handler(IMethodSymbol method, AttributeData attribute, string wireName, IParameterSymbol? parameters, bool takesToken, RpcCodecContext context,
        RpcDescription description)
    {
        var (awaits, result) = Result(method.ReturnType);
        var arguments = string.Join(", ", new[] { parameters is null ? null : "p", takesToken ? "cancellationToken" : null }.Where(a => a is not null));
        var phase = RpcAttributeReader.Named(attribute, "Phase")?.Value is int value ? value : 2;
        var name = WireNames.Literal(wireName);
        var call = $"target.@{method.Name}({arguments})";
        var run = result is null
            ? $"{(awaits ? "await " : "")}{call}; result.Boolean(true);"
            : $"var value = {(awaits ? "await " : "")}{call}; var w = result; {new RpcWriteCodec(context).Statement(result, "value", method)}";
        var read = parameters is null
            ? "if (r.Kind is not (global::Spindle.Rpc.RpcValueKind.None or global::Spindle.Rpc.RpcValueKind.Null)) { "
                + "throw new global::Spindle.Rpc.RpcException(global::Spindle.Rpc.RpcErrorCode.InvalidParams, "
                + $"{ErrorText(attribute) ?? WireNames.Literal(wireName + " method requires no parameters")}); }}"
            : $"var p = {new RpcReadCodec(context).Expression(parameters.Type.WithNullableAnnotation(NullableAnnotation.NotAnnotated), parameters)};";
        return $$"""
            file sealed class Handler_{{WireNames.Identifier(wireName)}}({{WireNames.Qualified(method.ContainingType)}} target) : global::Spindle.Rpc.RpcMethodHandler
            {
                public override string Name => {{name}};
                public override global::Spindle.Rpc.RpcPhase Phase => (global::Spindle.Rpc.RpcPhase){{phase}};
                public override string Summary => {{WireNames.Literal(RpcAttributeReader.Text(attribute, "Summary"))}};{{ErrorOverrides(attribute, parameters)}}
                public override string ResultType => {{WireNames.Literal(result is null ? "boolean" : RpcTypeShape.Describe(result))}};
                global::System.Collections.Generic.IReadOnlyList<global::Spindle.Rpc.RpcParameterInfo>? _parameters;
                public override global::System.Collections.Generic.IReadOnlyList<global::Spindle.Rpc.RpcParameterInfo> Parameters => _parameters ??= {{(parameters is null ? "[]" : description.Members(parameters.Type, read: true))}};
                public override global::System.Collections.Generic.IReadOnlyList<global::Spindle.Rpc.RpcParameterInfo> ResultMembers => {{(result is null ? "[]" : description.Members(result, read: false))}};
                public override global::System.Collections.Generic.IReadOnlyList<string> Errors => {{RpcDescription.Errors(method)}};
                public override {{(awaits ? "async " : "")}}global::System.Threading.Tasks.ValueTask InvokeAsync(global::Spindle.Rpc.IRpcReader parameters, global::Spindle.Rpc.IRpcWriter result, global::System.Threading.CancellationToken cancellationToken)
                {
                    var r = parameters;
                    {{read}}
                    {{run}}{{(awaits ? "" : "\n        return default;")}}
                }
            }
            """;
    }

    static string? ErrorText(AttributeData attribute) =>
        RpcAttributeReader.Text(attribute, "ParameterErrorText") is { Length: > 0 } text ? WireNames.Literal(text) : null;

    static string ErrorOverrides(AttributeData attribute, IParameterSymbol? parameters)
    {
        var result = new StringBuilder();
        if (RpcAttributeReader.Named(attribute, "ParameterErrorCode")?.Value is int code)
        {
            result.Append($"\n    public override int ParameterErrorCode => {code};");
        }
        if (parameters is not null && ErrorText(attribute) is { } text)
        {
            result.Append($"\n    public override string ParameterErrorText => {text};");
        }
        if (RpcAttributeReader.Named(attribute, "DeprecatedAliases") is { Kind: TypedConstantKind.Array, IsNull: false } aliases && aliases.Values.Length > 0)
        {
            var names = string.Join(", ", aliases.Values.Select(v => WireNames.Literal(v.Value as string ?? "")));
            result.Append($"\n    public override global::System.Collections.Generic.IReadOnlyList<string> DeprecatedAliases {{ get; }} = [{names}];");
        }
        return result.ToString();
    }

    /// <summary>Whether the call is awaited, and the type of what it gives.</summary>
    static (bool Awaits, ITypeSymbol? Result) Result(ITypeSymbol type)
    {
        if (type.SpecialType == SpecialType.System_Void)
        {
            return (false, null);
        }
        if (type is INamedTypeSymbol named && named.ContainingNamespace.ToDisplayString() == "System.Threading.Tasks" && named.Name is "Task" or "ValueTask")
        {
            return (true, ((INamedTypeSymbol)type).TypeArguments.FirstOrDefault());
        }
        return (false, type);
    }
}
