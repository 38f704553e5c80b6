using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Nvme.LogPages;

/// <summary>Commands Supported and Effects data structure, 4 bytes (NVMe Base Specification 2.0, Figure 211).</summary>
[Flags]
public enum CommandEffects : uint
{
    None = 0,
    /// <summary>Command Supported (CSUPP).</summary>
    CommandSupported = 1 << 0,
    /// <summary>Logical Block Content Change (LBCC).</summary>
    LogicalBlockContentChange = 1 << 1,
    /// <summary>Namespace Capability Change (NCC).</summary>
    NamespaceCapabilityChange = 1 << 2,
    /// <summary>Namespace Inventory Change (NIC).</summary>
    NamespaceInventoryChange = 1 << 3,
    /// <summary>Controller Capability Change (CCC).</summary>
    ControllerCapabilityChange = 1 << 4,
    /// <summary>Command Submission and Execution (CSE) 001b: no other command to the same namespace.</summary>
    ExclusivePerNamespace = 1 << 16,
    /// <summary>Command Submission and Execution (CSE) 010b: no other command to any namespace.</summary>
    ExclusiveForAll = 2 << 16,
    /// <summary>UUID Selection Supported.</summary>
    UuidSelectionSupported = 1 << 19,
    /// <summary>Command Scope (CSP): namespace.</summary>
    NamespaceScope = 1 << 20,
    /// <summary>Command Scope (CSP): controller.</summary>
    ControllerScope = 1 << 21,
    /// <summary>Command Scope (CSP): NVM Set.</summary>
    NvmSetScope = 1 << 22,
    /// <summary>Command Scope (CSP): endurance group.</summary>
    EnduranceGroupScope = 1 << 23,
    /// <summary>Command Scope (CSP): domain.</summary>
    DomainScope = 1 << 24,
    /// <summary>Command Scope (CSP): NVM subsystem.</summary>
    NvmSubsystemScope = 1 << 25,
}

/// <summary>Commands Supported and Effects log page, 4,096 bytes (LID 05h; NVMe Base Specification 2.0, Figure 210); indexed by opcode.</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct CommandsSupportedAndEffectsLogPage
{
    /// <summary>Admin Command Supported 0 to 255.</summary>
    [FieldOffset(0)] public CommandEffectsTable Acs;

    /// <summary>I/O Command Supported 0 to 255.</summary>
    [FieldOffset(1024)] public CommandEffectsTable Iocs;
}

/// <summary>256 command effects, by opcode.</summary>
[InlineArray(256)]
public struct CommandEffectsTable { private CommandEffects element0; }

/// <summary>An entry of the Supported Log Pages log page (LID 00h; NVMe Base Specification 2.0, Figure 204); 256 of them, by LID.</summary>
[Flags]
public enum LogPageSupport : uint
{
    None = 0,
    /// <summary>LID Supported (LSUPP).</summary>
    Supported = 1 << 0,
    /// <summary>Index Offset Supported (IOS).</summary>
    IndexOffset = 1 << 1,
}

/// <summary>Supported Log Pages log page, 1,024 bytes (LID 00h; NVMe Base Specification 2.0, Figure 203).</summary>
[InlineArray(256)]
public struct SupportedLogPagesLogPage { private LogPageSupport element0; }

/// <summary>An entry of the Feature Identifiers Supported and Effects log page (LID 12h; NVMe Base Specification 2.0, Figure 256); 256 of them, by FID.</summary>
[Flags]
public enum FeatureEffects : uint
{
    None = 0,
    /// <summary>FID Supported (FSUPP).</summary>
    FeatureSupported = 1 << 0,
    /// <summary>User Data Content Change (UDCC).</summary>
    UserDataContentChange = 1 << 1,
    /// <summary>Namespace Capability Change (NCC).</summary>
    NamespaceCapabilityChange = 1 << 2,
    /// <summary>Namespace Inventory Change (NIC).</summary>
    NamespaceInventoryChange = 1 << 3,
    /// <summary>Controller Capability Change (CCC).</summary>
    ControllerCapabilityChange = 1 << 4,
    /// <summary>FID Scope (FSP): namespace.</summary>
    NamespaceScope = 1 << 20,
    /// <summary>FID Scope (FSP): controller.</summary>
    ControllerScope = 1 << 21,
    /// <summary>FID Scope (FSP): NVM subsystem.</summary>
    NvmSubsystemScope = 1 << 25,
}

/// <summary>Feature Identifiers Supported and Effects log page, 1,024 bytes (LID 12h).</summary>
[InlineArray(256)]
public struct FeatureIdentifiersEffectsLogPage { private FeatureEffects element0; }
