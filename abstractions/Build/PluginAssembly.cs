using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Spindle.Build;

/// <summary>What a plugin's assembly says about itself, read from its metadata; none of its code runs.</summary>
internal sealed class PluginAssembly
{
    private const string ContractName = "Spindle.Abstractions";

    private static readonly Dictionary<string, string> s_kinds = new()
    {
        ["Spindle.Modules.BdevModule"] = "bdev", ["Spindle.Modules.FrontEnd"] = "frontend", ["Spindle.Modules.ToolModule"] = "tool",
    };

    /// <summary>The classes that a host could start: their full names and kinds.</summary>
    public IReadOnlyList<(string Type, string Kind)> Entries { get; private init; } = [];

    /// <summary>Names of [RpcMethod] methods, in order.</summary>
    public IReadOnlyList<string> RpcMethods { get; private init; } = [];

    /// <summary>The version of the contract it was compiled against; null when it refers to none.</summary>
    public Version? Contract { get; private init; }

    public static PluginAssembly Read(string file)
    {
        using var image = new PEReader(File.OpenRead(file));
        var reader = image.GetMetadataReader();
        var contract = reader.AssemblyReferences.Select(reader.GetAssemblyReference).Where(r => reader.StringComparer.Equals(r.Name, ContractName)).Select(r => r.Version).FirstOrDefault();
        var entries = new List<(string, string)>();
        foreach (var handle in reader.TypeDefinitions)
        {
            var type = reader.GetTypeDefinition(handle);
            if ((type.Attributes & TypeAttributes.Abstract) != 0 || type.GetGenericParameters().Count > 0) continue;
            if (KindOf(reader, type.BaseType) is { } kind) entries.Add((NameOf(reader, handle), kind));
        }
        return new PluginAssembly { Contract = contract, Entries = entries, RpcMethods = Methods(reader) };
    }

    // Up through base classes of the plugin's own to one of the contract's.
    private static string? KindOf(MetadataReader reader, EntityHandle type)
    {
        for (int depth = 0; depth < 16; depth++)
        {
            if (type.IsNil) return null;
            if (type.Kind == HandleKind.TypeReference)
            {
                var reference = reader.GetTypeReference((TypeReferenceHandle)type);
                return s_kinds.GetValueOrDefault($"{reader.GetString(reference.Namespace)}.{reader.GetString(reference.Name)}");
            }
            if (type.Kind != HandleKind.TypeDefinition) return null;
            type = reader.GetTypeDefinition((TypeDefinitionHandle)type).BaseType;
        }
        return null;
    }

    private static string NameOf(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        string name = reader.GetString(type.Name);
        if (type.GetDeclaringType() is { IsNil: false } outer) return $"{NameOf(reader, outer)}+{name}";
        return type.Namespace.IsNil ? name : $"{reader.GetString(type.Namespace)}.{name}";
    }

    private static List<string> Methods(MetadataReader reader)
    {
        var names = new List<string>();
        foreach (var attribute in reader.CustomAttributes.Select(reader.GetCustomAttribute))
        {
            if (attribute.Constructor.Kind != HandleKind.MemberReference) continue;
            var parent = reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent;
            if (parent.Kind != HandleKind.TypeReference) continue;
            var type = reader.GetTypeReference((TypeReferenceHandle)parent);
            if (!reader.StringComparer.Equals(type.Name, "RpcMethodAttribute") || !reader.StringComparer.Equals(type.Namespace, "Spindle.Rpc")) continue;
            var blob = reader.GetBlobReader(attribute.Value);
            // ECMA-335, II.23.3: the prolog, then the fixed arguments; the name is the only one.
            if (blob.ReadUInt16() == 1 && blob.ReadSerializedString() is { Length: > 0 } name) names.Add(name);
        }
        names.Sort(StringComparer.Ordinal);
        return names;
    }
}
