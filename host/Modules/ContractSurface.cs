using System.Reflection;
using System.Reflection.Metadata;

namespace Spindle.Host.Modules;

/// <summary>What plugins may use of the contract assembly that this host has loaded, read from its metadata.</summary>
internal sealed class ContractSurface
{
    /// <summary>The surface of Spindle.Abstractions.</summary>
    public static ContractSurface Instance { get; } = new(typeof(Spindle.Modules.PluginModule).Assembly);

    private readonly Dictionary<string, TypeSurface> _types = [];

    private sealed record TypeSurface(bool IsAccessible, string? Base, HashSet<string> Members, HashSet<string> HiddenMembers, HashSet<string> Names);

    private unsafe ContractSurface(Assembly contract)
    {
        var name = contract.GetName();
        Name = name.Name!;
        Version = name.Version!;
        if (!contract.TryGetRawMetadata(out byte* blob, out int length))
            throw new InvalidOperationException($"{Name} has no metadata in memory; it must not be trimmed away.");
        var reader = new MetadataReader(blob, length);
        foreach (var handle in reader.TypeDefinitions) Add(reader, handle);
    }

    /// <summary>The contract assembly's simple name.</summary>
    public string Name { get; }

    /// <summary>The contract assembly's version.</summary>
    public Version Version { get; }

    /// <summary>Null when a plugin may use the type, else why not.</summary>
    public string? FindType(string type) =>
        !_types.TryGetValue(type, out var surface) ? "does not exist" : surface.IsAccessible ? null : "is not public";

    /// <summary>Null when a plugin may use the member of the type or of one of its base types, else why not.</summary>
    /// <param name="type">A type that <see cref="FindType"/> knows.</param>
    /// <param name="name">The member's name.</param>
    /// <param name="signature">The member, as <see cref="SignatureText"/> writes it.</param>
    public string? FindMember(string type, string name, string signature)
    {
        bool hidden = false, otherSignature = false;
        for (string? at = type; at is not null; at = _types[at].Base)
        {
            // A base type outside the contract (System.Object, System.Exception) is checked by the runtime.
            if (!_types.TryGetValue(at, out var surface)) return null;
            if (surface.Members.Contains(signature)) return null;
            hidden |= surface.HiddenMembers.Contains(signature);
            otherSignature |= surface.Names.Contains(name);
            if (surface.Base is not null && !_types.ContainsKey(surface.Base))
            {
                if (hidden || otherSignature || name is ".ctor") break;
                if (!IsRootType(surface.Base)) return null;
                if (IsObjectMember(name)) return null;
                break;
            }
        }
        return hidden ? "is not public" : otherSignature ? "exists with another signature only" : "does not exist";
    }

    /// <summary>True when <paramref name="type"/> is <paramref name="ancestor"/> or derives from it within the contract.</summary>
    public bool Derives(string type, string ancestor)
    {
        for (string? at = type; at is not null && _types.TryGetValue(at, out var surface); at = surface.Base)
            if (at == ancestor) return true;
        return false;
    }

    private static bool IsRootType(string type) => type is "System.Object" or "System.ValueType" or "System.Enum" or "System.Attribute";

    private static bool IsObjectMember(string name) => name is "ToString" or "Equals" or "GetHashCode" or "GetType" or "ReferenceEquals" or "MemberwiseClone"
        or "HasFlag" or "CompareTo" or "Finalize";

    private void Add(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        var members = new HashSet<string>();
        var hidden = new HashSet<string>();
        var names = new HashSet<string>();
        foreach (var methodHandle in type.GetMethods())
        {
            var method = reader.GetMethodDefinition(methodHandle);
            var name = reader.GetString(method.Name);
            names.Add(name);
            var visible = (method.Attributes & MethodAttributes.MemberAccessMask) is MethodAttributes.Public or MethodAttributes.Family or MethodAttributes.FamORAssem;
            (visible ? members : hidden).Add(SignatureText.Method(name, method.DecodeSignature(SignatureText.Instance, null)));
        }
        foreach (var fieldHandle in type.GetFields())
        {
            var field = reader.GetFieldDefinition(fieldHandle);
            var name = reader.GetString(field.Name);
            names.Add(name);
            var visible = (field.Attributes & FieldAttributes.FieldAccessMask) is FieldAttributes.Public or FieldAttributes.Family or FieldAttributes.FamORAssem;
            (visible ? members : hidden).Add(SignatureText.Field(name, field.DecodeSignature(SignatureText.Instance, null)));
        }
        _types[SignatureText.NameOf(reader, handle)] = new TypeSurface(IsAccessible(reader, type), BaseOf(reader, type), members, hidden, names);
    }

    private static bool IsAccessible(MetadataReader reader, TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic or TypeAttributes.NestedFamily or TypeAttributes.NestedFamORAssem =>
            IsAccessible(reader, reader.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    internal static string? BaseOf(MetadataReader reader, TypeDefinition type) => type.BaseType.Kind switch
    {
        _ when type.BaseType.IsNil => null,
        HandleKind.TypeDefinition => SignatureText.NameOf(reader, (TypeDefinitionHandle)type.BaseType),
        HandleKind.TypeReference => SignatureText.NameOf(reader, (TypeReferenceHandle)type.BaseType),
        HandleKind.TypeSpecification => GenericName(reader, (TypeSpecificationHandle)type.BaseType),
        _ => null,
    };

    // The generic type itself: what stands before '<'.
    private static string GenericName(MetadataReader reader, TypeSpecificationHandle handle)
    {
        var text = reader.GetTypeSpecification(handle).DecodeSignature(SignatureText.Instance, null);
        int at = text.IndexOf('<');
        return at > 0 ? text[..at] : text;
    }
}
