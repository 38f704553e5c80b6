using System.Reflection;
using System.Reflection.Metadata;

namespace Spindle.Host.Modules;

/// <summary>Checks from metadata that a module's entry class is one the host can make.</summary>
internal sealed class EntryCheck(ModuleManifest manifest, ContractSurface contract)
{
    private const string Base = "Spindle.Modules.PluginModule";

    private static readonly (ModuleKinds Kind, string Type)[] s_bases =
    [
        (ModuleKinds.Bdev, "Spindle.Modules.BdevModule"),
        (ModuleKinds.Frontend, "Spindle.Modules.FrontEnd"),
        (ModuleKinds.Tool, "Spindle.Modules.ToolModule"),
    ];

    public void Run(MetadataReader reader)
    {
        var handle = Find(reader);
        var type = reader.GetTypeDefinition(handle);
        if ((type.Attributes & TypeAttributes.ClassSemanticsMask) != TypeAttributes.Class) throw Invalid("must be a class, not an interface");
        if ((type.Attributes & TypeAttributes.Abstract) != 0) throw Invalid("is abstract (or static); the host cannot make one");
        if (type.GetGenericParameters().Count > 0) throw Invalid("is generic; the host cannot make one");
        if (!type.GetMethods().Select(reader.GetMethodDefinition).Any(method => IsUsableConstructor(reader, method)))
            throw Invalid("has no public or internal constructor without parameters; add one and take what it needs from IModuleContext");
        CheckBase(reader, type);
    }

    private TypeDefinitionHandle Find(MetadataReader reader)
    {
        foreach (var handle in reader.TypeDefinitions)
            if (SignatureText.NameOf(reader, handle) == manifest.Entry) return handle;
        var derived = reader.TypeDefinitions
            .Where(handle => ContractBaseOf(reader, reader.GetTypeDefinition(handle)) is { } name && contract.Derives(name, Base))
            .Select(handle => SignatureText.NameOf(reader, handle)).ToList();
        throw Error(ModuleErrorCode.EntryTypeMissing, $"{manifest.Assembly} has no class {manifest.Entry}, the \"entry\" of module.json; "
            + (derived.Count > 0 ? $"classes that could be meant: {string.Join(", ", derived)}." : "and none that derives from BdevModule, FrontEnd or ToolModule."));
    }

    private void CheckBase(MetadataReader reader, TypeDefinition type)
    {
        // A class that derives from one of a private dependency's is checked when it is made.
        if (ContractBaseOf(reader, type) is not { } name) return;
        if (!contract.Derives(name, Base))
            throw Invalid("must derive from BdevModule, FrontEnd or ToolModule");
        foreach (var (kind, baseType) in s_bases)
            if (contract.Derives(name, baseType) != manifest.Kinds.HasFlag(kind))
                throw Error(ModuleErrorCode.KindMismatch, $"its entry {manifest.Entry} derives from {name}, but \"kinds\" in module.json is "
                    + $"{manifest.Kinds.ToString().ToLowerInvariant()}; make them agree.");
    }

    /// <summary>The first ancestor outside the plugin's assembly, when it is not in a private dependency.</summary>
    private string? ContractBaseOf(MetadataReader reader, TypeDefinition type)
    {
        for (int depth = 0; depth < 64; depth++)
        {
            if (type.BaseType.IsNil) return "System.Object";
            if (type.BaseType.Kind == HandleKind.TypeDefinition)
            {
                type = reader.GetTypeDefinition((TypeDefinitionHandle)type.BaseType);
                continue;
            }
            if (type.BaseType.Kind != HandleKind.TypeReference) return null;
            var reference = (TypeReferenceHandle)type.BaseType;
            var name = SignatureText.NameOf(reader, reference);
            return ContractCheck.IsOf(reader, reference, contract.Name) || name.StartsWith("System.", StringComparison.Ordinal) ? name : null;
        }
        throw new BadImageFormatException("its classes derive from each other without end");
    }

    private static bool IsUsableConstructor(MetadataReader reader, MethodDefinition method) =>
        reader.StringComparer.Equals(method.Name, ".ctor")
        && (method.Attributes & MethodAttributes.MemberAccessMask) is MethodAttributes.Public or MethodAttributes.Assembly or MethodAttributes.FamORAssem
        && method.DecodeSignature(SignatureText.Instance, null).ParameterTypes.Length == 0;

    private ModuleException Invalid(string problem) => Error(ModuleErrorCode.EntryTypeInvalid, $"its entry {manifest.Entry} {problem}.");

    private ModuleException Error(ModuleErrorCode code, string message) => new(code, manifest.Identity, message);
}
