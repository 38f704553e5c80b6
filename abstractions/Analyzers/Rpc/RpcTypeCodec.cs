using System.Text;
using Microsoft.CodeAnalysis;

namespace Spindle.Analyzers.Rpc;

/// <summary>What the reader and the writer of a codec share: the functions made so far and the complaints.</summary>
internal sealed class RpcCodecContext(LocationInfo? fallback)
{
    public Dictionary<string, string> Functions { get; } = new(StringComparer.Ordinal);

    public List<DiagnosticInfo> Diagnostics { get; } = [];

    public void Report(DiagnosticDescriptor descriptor, ISymbol? at, params string[] arguments) =>
        Diagnostics.Add(new DiagnosticInfo(descriptor, (at is null ? null : LocationInfo.Of(at)) ?? fallback, new EquatableArray<string>([.. arguments])));

    /// <summary>Makes a function once; it may call itself, so its name is taken before its source is known.</summary>
    public string Function(string prefix, ITypeSymbol type, Func<string, string> source)
    {
        var name = prefix + WireNames.Identifier(WireNames.Qualified(type));
        if (!Functions.ContainsKey(name))
        {
            Functions.Add(name, "");
            Functions[name] = source(name);
        }
        return name;
    }

    /// <summary>The wire names of an enum's constants; complains about doubles.</summary>
    public List<(string Constant, string Name)> EnumNames(INamedTypeSymbol type)
    {
        var result = new List<(string, string)>();
        foreach (var field in type.GetMembers().OfType<IFieldSymbol>().Where(f => f.HasConstantValue))
        {
            var name = RpcAttributeReader.MemberDetails(field).Name;
            CheckName(type, field, name, result.Any(r => r.Item2 == name));
            result.Add((field.Name, name));
        }
        return result;
    }

    public void CheckName(ITypeSymbol owner, ISymbol member, string name, bool taken)
    {
        if (taken)
        {
            Report(RpcDiagnostics.DuplicateMember, member, owner.ToDisplayString(), name);
        }
        if (!WireNames.IsValid(name))
        {
            Report(RpcDiagnostics.BadName, member, member.ToDisplayString(), name);
        }
    }
}

/// <summary>Sorts types by how they look on the wire.</summary>
internal static class RpcTypeShape
{
    public static ITypeSymbol? NullableValue(ITypeSymbol type) =>
        type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable ? nullable.TypeArguments[0] : null;

    public static bool IsGuid(ITypeSymbol type) => type is { Name: "Guid", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true } };

    /// <summary>The element type of an array, a list, or an interface of one.</summary>
    public static ITypeSymbol? Element(ITypeSymbol type)
    {
        if (type is IArrayTypeSymbol { Rank: 1 } array)
        {
            return array.ElementType;
        }
        return type is INamedTypeSymbol { TypeArguments.Length: 1 } named && named.ConstructedFrom.ToDisplayString() is
            "System.Collections.Generic.List<T>" or "System.Collections.Generic.IList<T>" or "System.Collections.Generic.IReadOnlyList<T>"
            or "System.Collections.Generic.IReadOnlyList<out T>" or "System.Collections.Generic.IReadOnlyCollection<T>"
            or "System.Collections.Generic.IReadOnlyCollection<out T>" or "System.Collections.Generic.ICollection<T>"
            or "System.Collections.Generic.IEnumerable<T>" or "System.Collections.Generic.IEnumerable<out T>"
            ? ((INamedTypeSymbol)type).TypeArguments[0] : null;
    }

    /// <summary>The value type of a dictionary whose keys are strings.</summary>
    public static ITypeSymbol? DictionaryValue(ITypeSymbol type) =>
        type is INamedTypeSymbol { TypeArguments: { Length: 2 } arguments } named && arguments[0].SpecialType == SpecialType.System_String
        && named.Name is "Dictionary" or "IDictionary" or "IReadOnlyDictionary" or "SortedDictionary"
        && type.ContainingNamespace.ToDisplayString() == "System.Collections.Generic"
            ? ((INamedTypeSymbol)type).TypeArguments[1] : null;

    /// <summary>The smallest and largest value of a signed integer type, as source.</summary>
    public static (string Min, string Max)? Signed(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_SByte => ("sbyte.MinValue", "sbyte.MaxValue"),
        SpecialType.System_Int16 => ("short.MinValue", "short.MaxValue"),
        SpecialType.System_Int32 => ("int.MinValue", "int.MaxValue"),
        SpecialType.System_Int64 => ("long.MinValue", "long.MaxValue"),
        _ => null,
    };

    public static string? Unsigned(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Byte => "byte.MaxValue",
        SpecialType.System_UInt16 => "ushort.MaxValue",
        SpecialType.System_UInt32 => "uint.MaxValue",
        SpecialType.System_UInt64 => "ulong.MaxValue",
        _ => null,
    };

    public static bool IsFloat(ITypeSymbol type) => type.SpecialType is SpecialType.System_Double or SpecialType.System_Single;

    /// <summary>The type in words, for the documentation of methods.</summary>
    public static string Describe(ITypeSymbol type)
    {
        type = NullableValue(type) ?? type;
        if (type.SpecialType == SpecialType.System_Boolean)
        {
            return "boolean";
        }
        if (type.SpecialType == SpecialType.System_String || type.TypeKind == TypeKind.Enum || IsGuid(type))
        {
            return "string";
        }
        if (Signed(type) is not null || Unsigned(type) is not null || IsFloat(type))
        {
            return "number";
        }
        return Element(type) is { } element ? "array of " + Describe(element) : "object";
    }
}

/// <summary>Makes the source that reads types by <c>IRpcReader</c>.</summary>
internal sealed class RpcReadCodec(RpcCodecContext context)
{
    /// <summary>An expression that reads a value from <c>r</c>.</summary>
    public string Expression(ITypeSymbol type, ISymbol at)
    {
        if (RpcTypeShape.NullableValue(type) is { } value)
        {
            return Nullable(type, value, at);
        }
        if (type.IsReferenceType && type.NullableAnnotation == NullableAnnotation.Annotated)
        {
            return Nullable(type, type.WithNullableAnnotation(NullableAnnotation.NotAnnotated), at);
        }
        if (RpcTypeShape.Unsigned(type) is { } max)
        {
            return $"({WireNames.Qualified(type)})r.ReadUnsigned({max})";
        }
        if (RpcTypeShape.Signed(type) is { } bounds)
        {
            return $"({WireNames.Qualified(type)})r.ReadSigned({bounds.Min}, {bounds.Max})";
        }
        if (RpcTypeShape.IsFloat(type))
        {
            return $"({WireNames.Qualified(type)})r.ReadDouble()";
        }
        if (type.SpecialType == SpecialType.System_Boolean)
        {
            return "r.ReadBoolean()";
        }
        if (type.SpecialType == SpecialType.System_String)
        {
            return "r.ReadString()";
        }
        if (type.TypeKind == TypeKind.Enum)
        {
            return context.Function("ReadEnum_", type, name => Enum(name, (INamedTypeSymbol)type)) + "(r)";
        }
        if (RpcTypeShape.IsGuid(type))
        {
            return context.Function("ReadGuid_", type, Guid) + "(r)";
        }
        if (RpcTypeShape.Element(type) is { } element)
        {
            return context.Function("ReadList_", type, name => List(name, type, element, at)) + "(r)";
        }
        if (RpcTypeShape.DictionaryValue(type) is { } item && type.Name != "SortedDictionary")
        {
            return context.Function("ReadMap_", type, name => Map(name, item, at)) + "(r)";
        }
        if (RpcAttributeReader.IsRpcObject(type))
        {
            return context.Function("ReadObject_", type, name => Object(name, (INamedTypeSymbol)type)) + "(r)";
        }
        context.Report(RpcDiagnostics.UnsupportedType, at, at.ToDisplayString(), type.ToDisplayString(), "read", "");
        return "default!";
    }

    string Nullable(ITypeSymbol type, ITypeSymbol inner, ISymbol at) => context.Function("ReadNullable_", type, name => $$"""
            internal static {{WireNames.Qualified(type)}} {{name}}(global::Spindle.Rpc.IRpcReader r)
            {
                if (r.Kind == global::Spindle.Rpc.RpcValueKind.Null) { r.ReadNull(); return null; }
                return {{Expression(inner, at)}};
            }
        """) + "(r)";

    static string Guid(string name) => $$"""
            internal static global::System.Guid {{name}}(global::Spindle.Rpc.IRpcReader r)
            {
                var path = r.Path;
                return global::System.Guid.TryParseExact(r.ReadString(), "D", out var value) ? value
                    : throw r.InvalidValue(path, "must be a UUID, 3f2504e0-4f89-11d3-9a0c-0305e82c3301 for example");
            }
        """;

    string Enum(string name, INamedTypeSymbol type)
    {
        var names = context.EnumNames(type);
        var arms = string.Concat(names.GroupBy(n => n.Name).Select(g => g.First())
            .Select(n => $"\n            {WireNames.Literal(n.Name)} => {WireNames.Qualified(type)}.@{n.Constant},"));
        var choice = WireNames.Literal("must be one of: " + string.Join(", ", names.Select(n => n.Name)));
        return $$"""
                internal static {{WireNames.Qualified(type)}} {{name}}(global::Spindle.Rpc.IRpcReader r)
                {
                    var path = r.Path;
                    return r.ReadString() switch
                    {{{arms}}
                        _ => throw r.InvalidValue(path, {{choice}}),
                    };
                }
            """;
    }

    string List(string name, ITypeSymbol type, ITypeSymbol element, ISymbol at) => $$"""
            internal static {{WireNames.Qualified(type)}} {{name}}(global::Spindle.Rpc.IRpcReader r)
            {
                var list = new global::System.Collections.Generic.List<{{WireNames.Qualified(element)}}>();
                r.BeginArray();
                while (r.NextElement()) { list.Add({{Expression(element, at)}}); }
                return list{{(type is IArrayTypeSymbol ? ".ToArray()" : "")}};
            }
        """;

    string Map(string name, ITypeSymbol value, ISymbol at)
    {
        var type = $"global::System.Collections.Generic.Dictionary<string, {WireNames.Qualified(value)}>";
        return $$"""
                internal static {{type}} {{name}}(global::Spindle.Rpc.IRpcReader r)
                {
                    var map = new {{type}}();
                    r.BeginObject();
                    while (r.NextMember(out var key)) { map[key] = {{Expression(value, at)}}; }
                    return map;
                }
            """;
    }

    string Object(string name, INamedTypeSymbol type)
    {
        CheckMakeable(type);
        var full = WireNames.Qualified(type);
        var cases = new StringBuilder();
        var flags = new StringBuilder();
        var checks = new StringBuilder();
        var initial = new StringBuilder();
        var setters = new StringBuilder();
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var number = 0;
        foreach (var property in RpcAttributeReader.Properties(type))
        {
            var (wire, _, required) = RpcAttributeReader.MemberDetails(property);
            required |= property.IsRequired;
            if (property.SetMethod is null && !required && RpcAttributeReader.Find(property, "Spindle.Rpc.RpcMemberAttribute") is null)
            {
                continue; // computed from others
            }
            context.CheckName(type, property, wire, !taken.Add(wire));
            if (property.SetMethod is null or { DeclaredAccessibility: not (Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal) })
            {
                context.Report(RpcDiagnostics.MemberCannotBeSet, property, property.ToDisplayString());
                continue;
            }
            var assign = $"v.@{property.Name} = ";
            var end = ";";
            if (property.SetMethod.IsInitOnly)
            {
                // An init accessor after construction keeps the initializer's default for members that the caller leaves out.
                var accessor = $"{name}_{property.Name}";
                setters.Append($"""

                        [global::System.Runtime.CompilerServices.UnsafeAccessor(global::System.Runtime.CompilerServices.UnsafeAccessorKind.Method, Name = "set_{property.Name}")]
                        internal static extern void {accessor}({WireNames.Qualified(property.ContainingType)} target, {WireNames.Qualified(property.Type)} value);
                    """);
                (assign, end) = ($"{accessor}(v, ", ");");
            }
            if (property.IsRequired)
            {
                initial.Append(initial.Length == 0 ? " { " : ", ").Append('@').Append(property.Name).Append(" = default!");
            }
            var seen = "";
            if (required)
            {
                flags.Append($"\n        var has{number} = false;");
                checks.Append($"\n        if (!has{number}) {{ throw r.MissingMember({WireNames.Literal(wire)}); }}");
                seen = $" has{number++} = true;";
            }
            cases.Append($"\n                    case {WireNames.Literal(wire)}: {assign}{Expression(property.Type, property)}{end}{seen} break;");
        }
        return $$"""
                internal static {{full}} {{name}}(global::Spindle.Rpc.IRpcReader r)
                {
                    var v = new {{full}}(){{initial}}{{(initial.Length == 0 ? "" : " }")}};{{flags}}
                    if (r.Kind != global::Spindle.Rpc.RpcValueKind.None)
                    {
                        r.BeginObject();
                        while (r.NextMember(out var name))
                        {
                            switch (name)
                            {{{cases}}
                                default: throw r.UnknownMember(name);
                            }
                        }
                    }{{checks}}
                    return v;
                }{{setters}}
            """;
    }

    void CheckMakeable(INamedTypeSymbol type)
    {
        var problem = type.IsAbstract ? "it is abstract"
            : type.IsGenericType ? "it is generic"
            : !RpcMethodParser.IsAccessible(type) ? "it is not accessible: make it and the types around it public or internal"
            : !type.InstanceConstructors.Any(c => c.Parameters.Length == 0 && c.DeclaredAccessibility is Accessibility.Public or Accessibility.Internal)
                ? "it needs a public or internal constructor without parameters" : null;
        if (problem is not null)
        {
            context.Report(RpcDiagnostics.ParametersCannotBeMade, type, type.ToDisplayString(), problem);
        }
    }
}

/// <summary>Makes the source that writes types by <c>IRpcWriter</c>.</summary>
internal sealed class RpcWriteCodec(RpcCodecContext context)
{
    /// <summary>A statement that writes <paramref name="value"/> to <c>w</c>.</summary>
    public string Statement(ITypeSymbol type, string value, ISymbol at)
    {
        if (RpcTypeShape.NullableValue(type) is { } inner)
        {
            return $"if ({value} is {{ }} x) {{ {Statement(inner, "x", at)} }} else {{ w.Null(); }}";
        }
        if (RpcTypeShape.Unsigned(type) is not null)
        {
            return $"w.Number((ulong){value});";
        }
        if (RpcTypeShape.Signed(type) is not null)
        {
            return $"w.Number((long){value});";
        }
        if (RpcTypeShape.IsFloat(type))
        {
            return $"w.Number((double){value});";
        }
        if (type.SpecialType == SpecialType.System_Boolean)
        {
            return $"w.Boolean({value});";
        }
        if (type.SpecialType == SpecialType.System_String)
        {
            return $"w.String({value});";
        }
        if (type.TypeKind == TypeKind.Enum)
        {
            return context.Function("WriteEnum_", type, name => Enum(name, (INamedTypeSymbol)type)) + $"(w, {value});";
        }
        if (RpcTypeShape.IsGuid(type))
        {
            return $"w.String({value}.ToString());";
        }
        if (RpcAttributeReader.IsRpcResult(type))
        {
            return type.IsReferenceType ? $"if ({value} is {{ }} x) {{ x.Write(w); }} else {{ w.Null(); }}" : $"{value}.Write(w);";
        }
        if (RpcTypeShape.Element(type) is { } element)
        {
            return context.Function("WriteList_", type, name => List(name, type, element, at)) + $"(w, {value});";
        }
        if (RpcTypeShape.DictionaryValue(type) is { } item)
        {
            return context.Function("WriteMap_", type, name => Map(name, type, item, at)) + $"(w, {value});";
        }
        if (RpcAttributeReader.IsRpcObject(type))
        {
            return context.Function("WriteObject_", type, name => Object(name, (INamedTypeSymbol)type)) + $"(w, {value});";
        }
        context.Report(RpcDiagnostics.UnsupportedType, at, at.ToDisplayString(), type.ToDisplayString(), "write", ", or an IRpcResult");
        return "w.Null();";
    }

    static string Header(string name, ITypeSymbol type) =>
        $"internal static void {name}(global::Spindle.Rpc.IRpcWriter w, {WireNames.Qualified(type).TrimEnd('?')}{(type.IsReferenceType ? "?" : "")} v)";

    string Enum(string name, INamedTypeSymbol type)
    {
        var arms = string.Concat(context.EnumNames(type).GroupBy(n => n.Constant).Select(g => g.First())
            .Where(n => IsFirstOfItsValue(type, n.Constant))
            .Select(n => $"\n            case {WireNames.Qualified(type)}.@{n.Constant}: w.String({WireNames.Literal(n.Name)}); break;"));
        return $$"""
                {{Header(name, type)}}
                {
                    switch (v)
                    {{{arms}}
                        default: w.String(((long)v).ToString(global::System.Globalization.CultureInfo.InvariantCulture)); break;
                    }
                }
            """;
    }

    static bool IsFirstOfItsValue(INamedTypeSymbol type, string constant)
    {
        var fields = type.GetMembers().OfType<IFieldSymbol>().Where(f => f.HasConstantValue).ToList();
        var value = fields.First(f => f.Name == constant).ConstantValue;
        return fields.First(f => Equals(f.ConstantValue, value)).Name == constant;
    }

    string List(string name, ITypeSymbol type, ITypeSymbol element, ISymbol at) => $$"""
            {{Header(name, type)}}
            {
                if (v is null) { w.Null(); return; }
                w.BeginArray();
                foreach (var e in v) { {{Statement(element, "e", at)}} }
                w.EndArray();
            }
        """;

    string Map(string name, ITypeSymbol type, ITypeSymbol item, ISymbol at) => $$"""
            {{Header(name, type)}}
            {
                if (v is null) { w.Null(); return; }
                w.BeginObject();
                foreach (var e in v) { w.Name(e.Key); var value = e.Value; {{Statement(item, "value", at)}} }
                w.EndObject();
            }
        """;

    string Object(string name, INamedTypeSymbol type)
    {
        var members = new StringBuilder();
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in RpcAttributeReader.Properties(type))
        {
            if (property.GetMethod is not { DeclaredAccessibility: Accessibility.Public })
            {
                continue;
            }
            var wire = RpcAttributeReader.MemberDetails(property).Name;
            context.CheckName(type, property, wire, !taken.Add(wire));
            var inner = RpcTypeShape.NullableValue(property.Type);
            var write = $"w.Name({WireNames.Literal(wire)}); ";
            members.Append("\n        ").Append(inner is not null || property.Type.IsReferenceType
                ? $"{{ if (v.@{property.Name} is {{ }} m) {{ {write}{Statement(inner ?? property.Type, "m", property)} }} }}"
                : $"{{ var m = v.@{property.Name}; {write}{Statement(property.Type, "m", property)} }}");
        }
        return $$"""
                {{Header(name, type)}}
                {
                    if (v is null) { w.Null(); return; }
                    w.BeginObject();{{members}}
                    w.EndObject();
                }
            """;
    }
}
