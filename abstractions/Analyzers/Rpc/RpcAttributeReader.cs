using Microsoft.CodeAnalysis;

namespace Spindle.Analyzers.Rpc;

/// <summary>Reads the contract's attributes off symbols.</summary>
internal static class RpcAttributeReader
{
    public const string Method = "Spindle.Rpc.RpcMethodAttribute";
    const string Object = "Spindle.Rpc.RpcObjectAttribute";
    const string Member = "Spindle.Rpc.RpcMemberAttribute";
    const string Result = "Spindle.Rpc.IRpcResult";

    public static AttributeData? Find(ISymbol symbol, string name) =>
        symbol.GetAttributes().FirstOrDefault(a => a.AttributeClass?.ToDisplayString() == name);

    public static bool IsRpcObject(ITypeSymbol type) => type is INamedTypeSymbol { TypeKind: TypeKind.Class } && Find(type, Object) is not null;

    public static bool IsRpcResult(ITypeSymbol type) =>
        type.ToDisplayString(NullableFlowState.NotNull) == Result || type.AllInterfaces.Any(i => i.ToDisplayString() == Result);

    public static string Text(AttributeData? attribute, string name) => Named(attribute, name)?.Value as string ?? "";

    public static TypedConstant? Named(AttributeData? attribute, string name)
    {
        if (attribute is not null)
        {
            foreach (var argument in attribute.NamedArguments)
            {
                if (argument.Key == name)
                {
                    return argument.Value;
                }
            }
        }
        return null;
    }

    /// <summary>The wire name, summary and requiredness of a property or an enum's constant.</summary>
    public static (string Name, string Summary, bool Required) MemberDetails(ISymbol symbol)
    {
        var attribute = Find(symbol, Member);
        var given = attribute is { ConstructorArguments.Length: 1 } ? attribute.ConstructorArguments[0].Value as string : null;
        return (given ?? WireNames.SnakeCase(symbol.Name), Text(attribute, "Summary"), Named(attribute, "Required")?.Value is true);
    }

    /// <summary>The public instance properties, those of base classes first.</summary>
    public static IEnumerable<IPropertySymbol> Properties(ITypeSymbol type)
    {
        var chain = new Stack<ITypeSymbol>();
        for (var t = type; t is not null && t.SpecialType != SpecialType.System_Object; t = t.BaseType)
        {
            chain.Push(t);
        }
        foreach (var t in chain)
        {
            foreach (var property in t.GetMembers().OfType<IPropertySymbol>())
            {
                if (!property.IsStatic && !property.IsIndexer && property.DeclaredAccessibility == Accessibility.Public
                    && property.OverriddenProperty is null && !(property.Name == "EqualityContract" && t.IsRecord))
                {
                    yield return property;
                }
            }
        }
    }
}
