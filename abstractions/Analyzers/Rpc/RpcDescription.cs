using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Spindle.Analyzers.Rpc;

/// <summary>Makes the source of what a method's declaration says for its documentation and schema: members with types, defaults, ranges and choices, and the errors in its doc comment.</summary>
internal sealed class RpcDescription(Compilation compilation)
{
    readonly Stack<ITypeSymbol> _above = new();

    /// <summary>A collection expression of the members that are read from, or written to, an object of this type; empty where it has none.</summary>
    public string Members(ITypeSymbol type, bool read)
    {
        type = Innermost(type);
        // A type that holds itself, as a tree does, is described once.
        if (!RpcAttributeReader.IsRpcObject(type) || _above.Contains(type, SymbolEqualityComparer.Default)) return "[]";
        _above.Push(type);
        var items = RpcAttributeReader.Properties(type).Where(p => read ? p.SetMethod is not null : p.GetMethod is { DeclaredAccessibility: Accessibility.Public })
            .Select(p => Member(p, read)).ToArray();
        _above.Pop();
        return $"[{string.Join(", ", items)}]";
    }

    /// <summary>A collection expression of the texts about <c>RpcException</c> in a method's doc comment.</summary>
    public static string Errors(IMethodSymbol method)
    {
        var texts = Documentation(method)?.Elements("exception").Where(e => ((string?)e.Attribute("cref"))?.EndsWith(".RpcException", StringComparison.Ordinal) == true).Select(Text) ?? [];
        return $"[{string.Join(", ", texts.Where(t => t.Length > 0).Select(WireNames.Literal))}]";
    }

    string Member(IPropertySymbol property, bool read)
    {
        var (wire, summary, required) = RpcAttributeReader.MemberDetails(property);
        required |= property.IsRequired;
        if (summary.Length == 0 && Documentation(property)?.Element("summary") is { } words) summary = Text(words);
        var details = new List<string>();
        var inner = Innermost(property.Type);
        if (read && !required && Default(property) is { } value) details.Add($"Default = {WireNames.Literal(value)}");
        if (inner.TypeKind == TypeKind.Enum) details.Add($"Values = [{string.Join(", ", Names(inner).Distinct().Select(WireNames.Literal))}]");
        if (Range(inner) is var (low, high)) details.Add($"Minimum = {low}, Maximum = {high}");
        if (RpcAttributeReader.IsRpcObject(inner) && Members(inner, read) is { Length: > 2 } members) details.Add($"Members = {members}");
        return $"new({WireNames.Literal(wire)}, {WireNames.Literal(RpcTypeShape.Describe(property.Type))}, {(required ? "true" : "false")}, {WireNames.Literal(summary)})"
            + (details.Count == 0 ? "" : $" {{ {string.Join(", ", details)} }}");
    }

    /// <summary>What is nullable, or in a list or a dictionary.</summary>
    static ITypeSymbol Innermost(ITypeSymbol type)
    {
        while ((RpcTypeShape.NullableValue(type) ?? RpcTypeShape.Element(type) ?? RpcTypeShape.DictionaryValue(type)) is { } inner) type = inner;
        return type;
    }

    static IEnumerable<string> Names(ITypeSymbol type) => type.GetMembers().OfType<IFieldSymbol>().Where(f => f.HasConstantValue).Select(f => RpcAttributeReader.MemberDetails(f).Name);

    // Those of 64 bits are no limit that anybody meets.
    static (string Low, string High)? Range(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Byte or SpecialType.System_UInt16 or SpecialType.System_UInt32 => ("0", RpcTypeShape.Unsigned(type)!),
        SpecialType.System_SByte or SpecialType.System_Int16 or SpecialType.System_Int32 => RpcTypeShape.Signed(type),
        _ => null,
    };

    /// <summary>The value of a member that a call leaves out, as JSON; null when it has none, or one that is not a constant.</summary>
    string? Default(IPropertySymbol property)
    {
        var constant = Initializer(property);
        if (constant is { HasValue: true, Value: null }) return null;
        if (constant is { HasValue: false, Value: not null }) return null;
        bool given = constant.HasValue;
        var type = property.Type;
        if (!given && (type.IsReferenceType || RpcTypeShape.NullableValue(type) is not null)) return null;
        type = RpcTypeShape.NullableValue(type) ?? type;
        var value = given ? constant.Value : null;
        if (type.TypeKind == TypeKind.Enum)
        {
            var number = Convert.ToInt64(value ?? 0, CultureInfo.InvariantCulture);
            var field = type.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => f.HasConstantValue && Convert.ToInt64(f.ConstantValue, CultureInfo.InvariantCulture) == number);
            return field is null ? null : $"\"{RpcAttributeReader.MemberDetails(field).Name}\"";
        }
        if (type.SpecialType == SpecialType.System_Boolean) return value is true ? "true" : "false";
        if (type.SpecialType == SpecialType.System_String) return value is string { Length: > 0 } text ? SymbolDisplay.FormatLiteral(text, quote: true) : null;
        return RpcTypeShape.Signed(type) is not null || RpcTypeShape.Unsigned(type) is not null || RpcTypeShape.IsFloat(type)
            ? Convert.ToString(value ?? 0, CultureInfo.InvariantCulture) : null;
    }

    /// <summary>A property's initializer: its constant; no value and null: there is none; no value and an object: it is not constant.</summary>
    (bool HasValue, object? Value) Initializer(IPropertySymbol property)
    {
        if (property.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is not PropertyDeclarationSyntax { Initializer.Value: { } value }) return (false, null);
        if (!compilation.ContainsSyntaxTree(value.SyntaxTree)) return (false, value);
        var constant = compilation.GetSemanticModel(value.SyntaxTree).GetConstantValue(value);
        return constant.HasValue ? (true, constant.Value) : (false, value);
    }

    static XElement? Documentation(ISymbol symbol)
    {
        var xml = symbol.GetDocumentationCommentXml();
        if (string.IsNullOrWhiteSpace(xml)) return null;
        try
        {
            return XElement.Parse(xml);
        }
        catch (System.Xml.XmlException)
        {
            return null; // the compiler has warned of it
        }
    }

    /// <summary>A doc comment's element as plain text on one line.</summary>
    static string Text(XElement element)
    {
        foreach (var reference in element.Descendants().Where(e => !e.Nodes().Any() && (e.Attribute("cref") ?? e.Attribute("name") ?? e.Attribute("langword")) is not null).ToArray())
        {
            var name = (string)(reference.Attribute("cref") ?? reference.Attribute("name") ?? reference.Attribute("langword"))!;
            reference.ReplaceWith(new XText(Regex.Replace(name, @"^\w:|\(.*$", "").Split('.').Last()));
        }
        return Regex.Replace(element.Value, @"\s+", " ").Trim();
    }
}
