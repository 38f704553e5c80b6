namespace Spindle.Host.Modules;

/// <summary>Why a module cannot be used. Each has its own remedy.</summary>
public enum ModuleErrorCode
{
    /// <summary>No folder of that name in any catalogue folder.</summary>
    NotFound,
    /// <summary>The module is there, but in none of the versions asked for.</summary>
    VersionNotFound,
    /// <summary>module.json does not say what it should.</summary>
    InvalidManifest,
    /// <summary>module.json's name or version differs from its folder's.</summary>
    FolderMismatch,
    /// <summary>The assembly named in module.json is not in the folder.</summary>
    AssemblyMissing,
    /// <summary>The file is not a .NET assembly, or is damaged.</summary>
    AssemblyInvalid,
    /// <summary>The contract's version lies outside the module's range.</summary>
    ContractVersion,
    /// <summary>The module was built against a newer contract than the host's.</summary>
    ContractTooOld,
    /// <summary>A type of the contract that the module uses does not exist, or is not public.</summary>
    ContractTypeMissing,
    /// <summary>A member of the contract that the module uses does not exist, or is not public.</summary>
    ContractMemberMissing,
    /// <summary>The folder holds a copy of an assembly that is shared with the host.</summary>
    SharedAssemblyCopied,
    /// <summary>The module refers to the host's own assembly, or to one only the host has.</summary>
    ReferencesHost,
    /// <summary>An assembly that the module refers to is neither in its folder, nor shared, nor part of .NET.</summary>
    DependencyMissing,
    /// <summary>A file's hash differs from the one in module.json.</summary>
    HashMismatch,
    /// <summary>module.json has hashes, but none for a file that holds code, or one for a file that is not there.</summary>
    HashMissing,
    /// <summary>The assembly has no type of the entry's name.</summary>
    EntryTypeMissing,
    /// <summary>The entry is abstract, generic, no class, nested private, has no parameterless constructor, or is not derived from the contract's classes.</summary>
    EntryTypeInvalid,
    /// <summary>The entry's base class does not fit the kinds in module.json.</summary>
    KindMismatch,
    /// <summary>The runtime refused the assembly or its entry.</summary>
    LoadFailed,
    /// <summary>The module's own code failed: its constructor, services, RPC registration or start.</summary>
    StartFailed,
    /// <summary>A module of that name is loaded already.</summary>
    AlreadyLoaded,
    /// <summary>A module that this one needs is not there, or depends on it in turn.</summary>
    ModuleDependency,
    /// <summary>The package holds no module, or something that must not be unpacked.</summary>
    PackageInvalid,
    /// <summary>No feed has the package, or the version asked for; or a feed does not answer.</summary>
    PackageNotFound,
    /// <summary>The version is installed with other contents.</summary>
    VersionInstalled,
    /// <summary>The lock file of an installation folder cannot be read.</summary>
    LockInvalid,
    /// <summary>The module is no more loaded, or not in the state the operation needs.</summary>
    InvalidState,
}

/// <summary>A module that cannot be used, and why.</summary>
public sealed class ModuleException : SpindleException
{
    /// <param name="code">The reason.</param>
    /// <param name="module">The module's name, with its version where known.</param>
    /// <param name="message">A sentence that names the member or file, and the remedy.</param>
    public ModuleException(ModuleErrorCode code, string module, string message) : base(ErrnoOf(code), $"Module {module}: {message}")
    {
        Code = code;
        Module = module;
    }

    /// <summary>The reason.</summary>
    public ModuleErrorCode Code { get; }

    /// <summary>The module's name, with its version where known.</summary>
    public string Module { get; }

    private static int ErrnoOf(ModuleErrorCode code) => code switch
    {
        ModuleErrorCode.NotFound or ModuleErrorCode.VersionNotFound or ModuleErrorCode.AssemblyMissing or ModuleErrorCode.PackageNotFound => Spindle.Errno.ENOENT,
        ModuleErrorCode.AlreadyLoaded or ModuleErrorCode.VersionInstalled => Spindle.Errno.EEXIST,
        ModuleErrorCode.StartFailed => Spindle.Errno.EIO,
        ModuleErrorCode.InvalidState => Spindle.Errno.EBUSY,
        _ => Spindle.Errno.EINVAL,
    };
}
