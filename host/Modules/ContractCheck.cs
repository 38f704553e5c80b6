using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Security.Cryptography;

namespace Spindle.Host.Modules;

/// <summary>Decides from files and metadata alone, before any code of the plugin runs, whether a module can work in this host.</summary>
public sealed class ContractCheck
{
    private readonly ModuleManifest _manifest;
    private readonly ContractSurface _contract;

    private ContractCheck(ModuleManifest manifest, ContractSurface contract)
    {
        _manifest = manifest;
        _contract = contract;
    }

    /// <summary>Checks a module; returns when it may be loaded.</summary>
    /// <exception cref="ModuleException">The first thing found wrong, with its own code.</exception>
    public static void Run(ModuleManifest manifest) => Run(manifest, ContractSurface.Instance);

    internal static void Run(ModuleManifest manifest, ContractSurface contract) => new ContractCheck(manifest, contract).Run();

    private void Run()
    {
        CheckContractRange();
        if (!File.Exists(_manifest.AssemblyPath))
            throw Error(ModuleErrorCode.AssemblyMissing, $"its assembly {_manifest.Assembly} is not in {_manifest.Folder}; build the module again.");
        CheckHashes();
        CheckCopies();
        NativeLibraryCheck.Run(_manifest);
        CheckExports();
        try
        {
            using var stream = new FileStream(_manifest.AssemblyPath, FileMode.Open, FileAccess.Read, FileShare.Read);
            using var image = new PEReader(stream);
            if (!image.HasMetadata) throw new BadImageFormatException("it holds no .NET metadata");
            var reader = image.GetMetadataReader();
            CheckReferences(reader);
            CheckTypes(reader);
            CheckMembers(reader);
            new EntryCheck(_manifest, _contract).Run(reader);
        }
        catch (Exception e) when (e is BadImageFormatException or InvalidOperationException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw Error(ModuleErrorCode.AssemblyInvalid, $"{_manifest.Assembly} is not a usable .NET assembly: {e.Message}");
        }
    }

    private void CheckContractRange()
    {
        var version = _contract.Version;
        if (!ModuleVersion.TryParse($"{version.Major}.{version.Minor}.{Math.Max(0, version.Build)}", out var contract) || _manifest.Contract.Contains(contract)) return;
        var remedy = contract.CompareTo(_manifest.Contract.Min) < 0 ? "use a newer host" : "use a module that was built for this host";
        throw Error(ModuleErrorCode.ContractVersion, $"works with {_contract.Name} {_manifest.Contract}, but this host has {contract}; {remedy}.");
    }

    private void CheckHashes()
    {
        if (_manifest.Hashes is not { } hashes) return;
        foreach (var (path, expected) in hashes)
        {
            var file = Path.Combine(_manifest.Folder, path);
            if (!File.Exists(file)) throw Error(ModuleErrorCode.HashMissing, $"module.json has a hash for {path}, which is not in {_manifest.Folder}.");
            using var stream = File.OpenRead(file);
            var actual = Convert.ToHexString(SHA256.HashData(stream));
            if (!actual.Equals(expected, StringComparison.OrdinalIgnoreCase))
                throw Error(ModuleErrorCode.HashMismatch, $"{path} has the SHA-256 {actual.ToLowerInvariant()}, not the one in module.json; the file was changed: install the module again.");
        }
        foreach (var file in Directory.EnumerateFiles(_manifest.Folder, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(_manifest.Folder, file).Replace('\\', '/');
            if (Path.GetExtension(file) is ".dll" or ".so" && !hashes.ContainsKey(path))
                throw Error(ModuleErrorCode.HashMissing, $"module.json has hashes, but none for {path}; add it or remove the file.");
        }
    }

    private void CheckExports()
    {
        foreach (var export in _manifest.Exports)
        {
            var file = Path.Combine(_manifest.Folder, export.Assembly + ".dll");
            if (!File.Exists(file) || AssemblyNameOf(file) != export.Assembly)
                throw Error(ModuleErrorCode.AssemblyMissing, $"exports {export.Interface} of {export.Assembly}, and {export.Assembly}.dll is not in {_manifest.Folder}; it goes with the exporting module.");
        }
    }

    // A second copy of a shared assembly would make types that look the same and are not.
    private void CheckCopies()
    {
        foreach (var file in Directory.EnumerateFiles(_manifest.Folder, "*.dll", SearchOption.AllDirectories))
        {
            var name = AssemblyNameOf(file) ?? Path.GetFileNameWithoutExtension(file);
            if (SharedAssemblies.IsShared(name))
                throw Error(ModuleErrorCode.SharedAssemblyCopied,
                    $"{Path.GetRelativePath(_manifest.Folder, file)} is a private copy of {name}, which the host shares with its modules; "
                    + "leave it out (in the project: <ExcludeAssets>runtime</ExcludeAssets> on the reference).");
        }
    }

    private static string? AssemblyNameOf(string file)
    {
        try
        {
            using var image = new PEReader(File.OpenRead(file));
            if (!image.HasMetadata) return null;
            var reader = image.GetMetadataReader();
            return reader.IsAssembly ? reader.GetString(reader.GetAssemblyDefinition().Name) : null;
        }
        catch (Exception e) when (e is BadImageFormatException or InvalidOperationException)
        {
            return null; // A native library.
        }
    }

    private void CheckReferences(MetadataReader reader)
    {
        foreach (var handle in reader.AssemblyReferences)
        {
            var reference = reader.GetAssemblyReference(handle);
            var name = reader.GetString(reference.Name);
            if (SharedAssemblies.IsHostOnly(name))
                throw Error(ModuleErrorCode.ReferencesHost, $"refers to {name}, which is the host's own; a module uses {_contract.Name} only.");
            if (name == _contract.Name && reference.Version > _contract.Version)
                throw Error(ModuleErrorCode.ContractTooOld, $"was built against {name} {reference.Version}, but this host has {_contract.Version}; use a newer host.");
            if (SharedAssemblies.IsShared(name) || SharedAssemblies.IsFramework(name)) continue;
            // The exporter's folder has it.
            if (_manifest.Imports.Any(i => i.Assembly == name)) continue;
            if (!File.Exists(Path.Combine(_manifest.Folder, name + ".dll")))
                throw Error(ModuleErrorCode.DependencyMissing,
                    $"refers to {name} {reference.Version}, and {name}.dll is not in {_manifest.Folder}; a module brings its dependencies along "
                    + "(in the project: <EnableDynamicLoading>true</EnableDynamicLoading>).");
        }
    }

    private void CheckTypes(MetadataReader reader)
    {
        foreach (var handle in reader.TypeReferences)
        {
            if (!IsOfContract(reader, handle)) continue;
            var type = SignatureText.NameOf(reader, handle);
            if (_contract.FindType(type) is { } problem)
                throw Error(ModuleErrorCode.ContractTypeMissing, $"uses the type {type}, which {problem} in {_contract.Name} {_contract.Version}; {Rebuild}.");
        }
    }

    private void CheckMembers(MetadataReader reader)
    {
        foreach (var handle in reader.MemberReferences)
        {
            var member = reader.GetMemberReference(handle);
            if (ContractTypeOf(reader, member.Parent) is not { } type) continue;
            var name = reader.GetString(member.Name);
            var signature = member.GetKind() == MemberReferenceKind.Method
                ? SignatureText.Method(name, member.DecodeMethodSignature(SignatureText.Instance, null))
                : SignatureText.Field(name, member.DecodeFieldSignature(SignatureText.Instance, null));
            if (_contract.FindMember(type, name, signature) is { } problem)
                throw Error(ModuleErrorCode.ContractMemberMissing,
                    $"uses {type}.{name} ({signature}), which {problem} in {_contract.Name} {_contract.Version}; {Rebuild}.");
        }
    }

    private string Rebuild => "build the module against this host's contract, or use a host that fits";

    // The contract's type whose member is meant, be it generic; null for other assemblies' and the plugin's own.
    private string? ContractTypeOf(MetadataReader reader, EntityHandle parent)
    {
        if (parent.Kind == HandleKind.TypeSpecification)
        {
            var blob = reader.GetBlobReader(reader.GetTypeSpecification((TypeSpecificationHandle)parent).Signature);
            // ECMA-335, II.23.2.14: GENERICINST (CLASS | VALUETYPE) TypeDefOrRef …
            if (blob.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance) return null;
            blob.ReadCompressedInteger();
            parent = blob.ReadTypeHandle();
        }
        return parent.Kind == HandleKind.TypeReference && IsOfContract(reader, (TypeReferenceHandle)parent)
            ? SignatureText.NameOf(reader, (TypeReferenceHandle)parent)
            : null;
    }

    private bool IsOfContract(MetadataReader reader, TypeReferenceHandle handle) => IsOf(reader, handle, _contract.Name);

    /// <summary>True when the reference leads to an assembly.</summary>
    internal static bool IsOf(MetadataReader reader, TypeReferenceHandle handle, string assembly)
    {
        // Nesting deeper than this is no compiler's work.
        for (int depth = 0; depth < 32; depth++)
        {
            var scope = reader.GetTypeReference(handle).ResolutionScope;
            if (scope.Kind == HandleKind.AssemblyReference)
                return reader.StringComparer.Equals(reader.GetAssemblyReference((AssemblyReferenceHandle)scope).Name, assembly);
            if (scope.Kind != HandleKind.TypeReference) return false;
            handle = (TypeReferenceHandle)scope;
        }
        throw new BadImageFormatException("its type references are nested without end");
    }

    private ModuleException Error(ModuleErrorCode code, string message) => new(code, _manifest.Identity, message);
}
