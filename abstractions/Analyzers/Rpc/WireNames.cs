using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Spindle.Analyzers.Rpc;

/// <summary>Names on the wire, and names in generated code.</summary>
internal static class WireNames
{
    /// <summary>"NumBlocks" → "num_blocks"; a run of capitals is one word: "IOUnitSize" → "io_unit_size".</summary>
    public static string SnakeCase(string name)
    {
        var result = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            if (char.IsUpper(c) && i > 0 && name[i - 1] != '_'
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1]))))
            {
                result.Append('_');
            }
            result.Append(char.ToLowerInvariant(c));
        }
        return result.ToString();
    }

    public static bool IsValid(string name) => name.Length > 0 && name.All(c => c is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '0' and <= '9') or '_' or '.' or ':' or '-');

    public static string Literal(string text) => SymbolDisplay.FormatLiteral(text, quote: true);

    /// <summary>A C# identifier that differs for different texts.</summary>
    public static string Identifier(string text)
    {
        var hash = 2166136261u;
        var result = new StringBuilder(text.Length + 9);
        foreach (var c in text)
        {
            hash = unchecked((hash ^ c) * 16777619u);
            result.Append(char.IsLetterOrDigit(c) && c < 128 ? c : '_');
        }
        return result.Append('_').Append(hash.ToString("x8")).ToString();
    }

    static readonly SymbolDisplayFormat s_qualified = SymbolDisplayFormat.FullyQualifiedFormat
        .AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    /// <summary>The type as written in generated code, with nullable annotations.</summary>
    public static string Qualified(ITypeSymbol type) => type.ToDisplayString(s_qualified);
}
