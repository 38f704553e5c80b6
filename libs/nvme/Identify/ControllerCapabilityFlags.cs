namespace Spindle.Nvme.Identify;

/// <summary>CMIC of Identify Controller.</summary>
[Flags]
public enum ControllerMultiPathCapabilities : byte
{
    None = 0,
    /// <summary>The NVM subsystem may have more than one port.</summary>
    MultiplePorts = 1 << 0,
    /// <summary>The NVM subsystem may have more than one controller.</summary>
    MultipleControllers = 1 << 1,
    /// <summary>The controller is an SR-IOV virtual function.</summary>
    SrIovVirtualFunction = 1 << 2,
    /// <summary>The NVM subsystem reports asymmetric namespace access.</summary>
    AsymmetricNamespaceAccessReporting = 1 << 3,
}

/// <summary>CTRATT of Identify Controller.</summary>
[Flags]
public enum ControllerAttributes : uint
{
    None = 0,
    /// <summary>128-bit Host Identifier Support; required over fabrics.</summary>
    HostIdentifier128Bit = 1 << 0,
    NonOperationalPowerStatePermissiveMode = 1 << 1,
    NvmSets = 1 << 2,
    ReadRecoveryLevels = 1 << 3,
    EnduranceGroups = 1 << 4,
    PredictableLatencyMode = 1 << 5,
    /// <summary>Traffic Based Keep Alive Support (TBKAS).</summary>
    TrafficBasedKeepAlive = 1 << 6,
    NamespaceGranularity = 1 << 7,
    SqAssociations = 1 << 8,
    UuidList = 1 << 9,
    MultiDomainSubsystem = 1 << 10,
    FixedCapacityManagement = 1 << 11,
    VariableCapacityManagement = 1 << 12,
    DeleteEnduranceGroup = 1 << 13,
    DeleteNvmSet = 1 << 14,
    ExtendedLbaFormats = 1 << 15,
    FlexibleDataPlacement = 1 << 19,
}

/// <summary>OACS of Identify Controller.</summary>
[Flags]
public enum OptionalAdminCommandSupport : ushort
{
    None = 0,
    SecuritySendReceive = 1 << 0,
    FormatNvm = 1 << 1,
    FirmwareCommitAndDownload = 1 << 2,
    NamespaceManagement = 1 << 3,
    DeviceSelfTest = 1 << 4,
    Directives = 1 << 5,
    NvmeMi = 1 << 6,
    VirtualizationManagement = 1 << 7,
    DoorbellBufferConfig = 1 << 8,
    GetLbaStatus = 1 << 9,
    CommandAndFeatureLockdown = 1 << 10,
}

/// <summary>LPA of Identify Controller.</summary>
[Flags]
public enum LogPageAttributes : byte
{
    None = 0,
    /// <summary>SMART / Health log page per namespace.</summary>
    SmartPerNamespace = 1 << 0,
    CommandsSupportedAndEffects = 1 << 1,
    /// <summary>Extended data: 32-bit NUMD and log page offset.</summary>
    ExtendedData = 1 << 2,
    Telemetry = 1 << 3,
    PersistentEvent = 1 << 4,
    /// <summary>Supported Log Pages (00h), Feature Identifiers and NVMe-MI effects (12h, 13h).</summary>
    SupportedLogPages = 1 << 5,
    TelemetryDataArea4 = 1 << 6,
}

/// <summary>ANACAP of Identify Controller.</summary>
[Flags]
public enum AsymmetricNamespaceAccessCapabilities : byte
{
    None = 0,
    Optimized = 1 << 0,
    NonOptimized = 1 << 1,
    Inaccessible = 1 << 2,
    PersistentLoss = 1 << 3,
    Change = 1 << 4,
    /// <summary>ANAGRPID does not change while the namespace is attached.</summary>
    AnagrpidDoesNotChange = 1 << 6,
    /// <summary>A non-zero ANAGRPID is supported in Namespace Management.</summary>
    NonZeroAnagrpid = 1 << 7,
}

/// <summary>ONCS of Identify Controller.</summary>
[Flags]
public enum OptionalNvmCommandSupport : ushort
{
    None = 0,
    Compare = 1 << 0,
    WriteUncorrectable = 1 << 1,
    DatasetManagement = 1 << 2,
    WriteZeroes = 1 << 3,
    SaveAndSelectInFeatures = 1 << 4,
    Reservations = 1 << 5,
    Timestamp = 1 << 6,
    Verify = 1 << 7,
    Copy = 1 << 8,
}

/// <summary>FUSES of Identify Controller.</summary>
[Flags]
public enum FusedOperationSupport : ushort
{
    None = 0,
    CompareAndWrite = 1 << 0,
}

/// <summary>VWC of Identify Controller.</summary>
[Flags]
public enum VolatileWriteCacheAttributes : byte
{
    None = 0,
    /// <summary>A volatile write cache is present.</summary>
    Present = 1 << 0,
    /// <summary>Bits 2:1 = 10b: Flush does not support NSID FFFFFFFFh.</summary>
    FlushBroadcastNotSupported = 2 << 1,
    /// <summary>Bits 2:1 = 11b: Flush supports NSID FFFFFFFFh.</summary>
    FlushBroadcastSupported = 3 << 1,
}

/// <summary>SGLS of Identify Controller.</summary>
[Flags]
public enum SglSupport : uint
{
    None = 0,
    /// <summary>Bits 1:0 = 01b: SGLs supported, no alignment or granularity requirement.</summary>
    Supported = 1 << 0,
    /// <summary>Bits 1:0 = 10b: SGLs supported, with dword alignment and granularity.</summary>
    SupportedDwordAligned = 2 << 0,
    KeyedDataBlockDescriptor = 1 << 2,
    BitBucketDescriptor = 1 << 16,
    MptrContiguousBuffer = 1 << 17,
    LargerThanData = 1 << 18,
    MptrSglDescriptor = 1 << 19,
    /// <summary>The address field may be an offset (in-capsule data).</summary>
    OffsetAddress = 1 << 20,
    TransportDataBlockDescriptor = 1 << 21,
}

/// <summary>OFCS of Identify Controller.</summary>
[Flags]
public enum OptionalFabricsCommands : ushort
{
    None = 0,
    Disconnect = 1 << 0,
}
