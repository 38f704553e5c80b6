namespace Spindle.Host.Modules;

/// <summary>Why a module cannot be used. Each has its own remedy. The numbers are stable: over RPC the error's code is -1000 minus the number.</summary>
public enum ModuleErrorCode
{
    /// <summary>No folder of that name in any catalogue folder.</summary>
    NotFound = 1,
    /// <summary>The module is there, but in none of the versions asked for.</summary>
    VersionNotFound = 2,
    /// <summary>module.json does not say what it should.</summary>
    InvalidManifest = 3,
    /// <summary>module.json's name or version differs from its folder's.</summary>
    FolderMismatch = 4,
    /// <summary>The assembly named in module.json is not in the folder.</summary>
    AssemblyMissing = 5,
    /// <summary>The file is not a .NET assembly, or is damaged.</summary>
    AssemblyInvalid = 6,
    /// <summary>The contract's version lies outside the module's range.</summary>
    ContractVersion = 7,
    /// <summary>The module was built against a newer contract than the host's.</summary>
    ContractTooOld = 8,
    /// <summary>A type of the contract that the module uses does not exist, or is not public.</summary>
    ContractTypeMissing = 9,
    /// <summary>A member of the contract that the module uses does not exist, or is not public.</summary>
    ContractMemberMissing = 10,
    /// <summary>The folder holds a copy of an assembly that is shared with the host.</summary>
    SharedAssemblyCopied = 11,
    /// <summary>The module refers to the host's own assembly, or to one only the host has.</summary>
    ReferencesHost = 12,
    /// <summary>An assembly that the module refers to is neither in its folder, nor shared, nor part of .NET.</summary>
    DependencyMissing = 13,
    /// <summary>A file's hash differs from the one in module.json.</summary>
    HashMismatch = 14,
    /// <summary>module.json has hashes, but none for a file that holds code, or one for a file that is not there.</summary>
    HashMissing = 15,
    /// <summary>The assembly has no type of the entry's name.</summary>
    EntryTypeMissing = 16,
    /// <summary>The entry is abstract, generic, no class, nested private, has no parameterless constructor, or is not derived from the contract's classes.</summary>
    EntryTypeInvalid = 17,
    /// <summary>The entry's base class does not fit the kinds in module.json.</summary>
    KindMismatch = 18,
    /// <summary>The runtime refused the assembly or its entry.</summary>
    LoadFailed = 19,
    /// <summary>The module's own code failed: its constructor, services, RPC registration or start.</summary>
    StartFailed = 20,
    /// <summary>A module of that name is loaded already.</summary>
    AlreadyLoaded = 21,
    /// <summary>A module that this one needs is not there, or depends on it in turn.</summary>
    ModuleDependency = 22,
    /// <summary>The module is no more loaded, or not in the state the operation needs.</summary>
    InvalidState = 23,
    /// <summary>The module's start did not end in time.</summary>
    StartTimeout = 24,
    /// <summary>The module's bdevs are open, or other modules need it.</summary>
    InUse = 25,
    /// <summary>The module cannot hand over to another version while it serves.</summary>
    NotUpgradable = 26,
    /// <summary>The new version did not come up; the old one goes on.</summary>
    UpgradeFailed = 27,
    /// <summary>A native library is for another processor or operating system.</summary>
    NativeArchitecture = 28,
    /// <summary>The app takes signed modules only, and the module has no signature.</summary>
    SignatureMissing = 29,
    /// <summary>The signature does not fit the module's files.</summary>
    SignatureInvalid = 30,
    /// <summary>The signature is by a key that the app does not trust.</summary>
    SignatureUntrusted = 31,
    /// <summary>A file differs from the one that was installed, or the module is not in the lock file.</summary>
    LockMismatch = 32,
    /// <summary>A service that the module imports is exported by no module, or in no version that fits.</summary>
    ServiceMissing = 33,
    /// <summary>The module's services depend on each other in a circle.</summary>
    ServiceCycle = 34,
    /// <summary>The package holds no module, or something that must not be unpacked.</summary>
    PackageInvalid = 35,
    /// <summary>No feed has the package, or the version asked for; or a feed does not answer.</summary>
    PackageNotFound = 36,
    /// <summary>The version is installed with other contents.</summary>
    VersionInstalled = 37,
    /// <summary>The lock file of an installation folder cannot be read.</summary>
    LockInvalid = 38,
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
        ModuleErrorCode.InvalidState or ModuleErrorCode.InUse => Spindle.Errno.EBUSY,
        ModuleErrorCode.StartTimeout => Spindle.Errno.ETIMEDOUT,
        ModuleErrorCode.UpgradeFailed => Spindle.Errno.EIO,
        ModuleErrorCode.NotUpgradable => Spindle.Errno.ENOTSUP,
        ModuleErrorCode.SignatureMissing or ModuleErrorCode.SignatureInvalid or ModuleErrorCode.SignatureUntrusted => Spindle.Errno.EACCES,
        _ => Spindle.Errno.EINVAL,
    };
}
