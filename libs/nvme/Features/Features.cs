namespace Spindle.Nvme.Features;

/// <summary>Feature Identifiers (FID; NVMe Base Specification 2.0, Figure 317; NVM Command Set Specification 1.0).</summary>
public enum FeatureIdentifier : byte
{
    Arbitration = 0x01,
    PowerManagement = 0x02,
    LbaRangeType = 0x03,
    TemperatureThreshold = 0x04,
    ErrorRecovery = 0x05,
    VolatileWriteCache = 0x06,
    NumberOfQueues = 0x07,
    InterruptCoalescing = 0x08,
    InterruptVectorConfiguration = 0x09,
    WriteAtomicityNormal = 0x0A,
    AsynchronousEventConfiguration = 0x0B,
    AutonomousPowerStateTransition = 0x0C,
    HostMemoryBuffer = 0x0D,
    Timestamp = 0x0E,
    KeepAliveTimer = 0x0F,
    HostControlledThermalManagement = 0x10,
    NonOperationalPowerStateConfig = 0x11,
    ReadRecoveryLevelConfig = 0x12,
    PredictableLatencyModeConfig = 0x13,
    PredictableLatencyModeWindow = 0x14,
    LbaStatusInformationAttributes = 0x15,
    HostBehaviorSupport = 0x16,
    SanitizeConfig = 0x17,
    EnduranceGroupEventConfiguration = 0x18,
    IoCommandSetProfile = 0x19,
    SpinupControl = 0x1A,
    FlexibleDataPlacement = 0x1D,
    FlexibleDataPlacementEvents = 0x1E,
    EnhancedControllerMetadata = 0x7D,
    ControllerMetadata = 0x7E,
    NamespaceMetadata = 0x7F,
    SoftwareProgressMarker = 0x80,
    HostIdentifier = 0x81,
    ReservationNotificationMask = 0x82,
    ReservationPersistence = 0x83,
    NamespaceWriteProtectionConfig = 0x84,
}

/// <summary>Select (SEL) of Get Features (NVMe Base Specification 2.0, Figure 187).</summary>
public enum FeatureSelect : byte
{
    Current = 0,
    Default = 1,
    Saved = 2,
    /// <summary>Dword 0 of the completion tells <see cref="FeatureCapabilities"/>.</summary>
    SupportedCapabilities = 3,
}

/// <summary>Completion dword 0 of Get Features with SEL 011b.</summary>
[Flags]
public enum FeatureCapabilities : uint
{
    None = 0,
    Saveable = 1 << 0,
    NamespaceSpecific = 1 << 1,
    Changeable = 1 << 2,
}

/// <summary>Number of Queues feature, dword 11 and completion dword 0 (NVMe Base Specification 2.0, Figures 327 and 328).</summary>
public readonly struct NumberOfQueues(uint raw)
{
    public NumberOfQueues(ushort submissionQueues, ushort completionQueues) : this((uint)completionQueues << 16 | submissionQueues) { }

    /// <summary>All 32 bits.</summary>
    public uint Raw { get; } = raw;

    /// <summary>Number of I/O Submission Queues requested or allocated (NSQR, NSQA), 0's based.</summary>
    public ushort SubmissionQueues => (ushort)Raw;

    /// <summary>Number of I/O Completion Queues requested or allocated (NCQR, NCQA), 0's based.</summary>
    public ushort CompletionQueues => (ushort)(Raw >> 16);
}

/// <summary>Asynchronous Event Configuration feature, dword 11 (NVMe Base Specification 2.0, Figure 332); also the notice bits of OAES.</summary>
[Flags]
public enum AsynchronousEventConfiguration : uint
{
    None = 0,
    /// <summary>Bits 7:0: critical warnings to report.</summary>
    SmartCriticalWarningMask = 0xFF,
    NamespaceAttributeNotices = 1 << 8,
    FirmwareActivationNotices = 1 << 9,
    TelemetryLogNotices = 1 << 10,
    AsymmetricNamespaceAccessChangeNotices = 1 << 11,
    PredictableLatencyEventAggregateLogChangeNotices = 1 << 12,
    LbaStatusInformationAlertNotices = 1 << 13,
    EnduranceGroupEventAggregateLogChangeNotices = 1 << 14,
    NormalNvmSubsystemShutdown = 1 << 15,
    ZoneDescriptorChangedNotices = 1 << 27,
    DiscoveryLogPageChangeNotification = 1u << 31,
}

/// <summary>Host Behavior Support feature data, 512 bytes; the first three (NVMe Base Specification 2.0, Figure 345).</summary>
public static class HostBehaviorSupport
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 512;

    /// <summary>Offset of Advanced Command Retry Enable (ACRE).</summary>
    public const int AcreOffset = 0;

    /// <summary>Offset of Extended Telemetry Data Area 4 Supported (ETDAS).</summary>
    public const int EtdasOffset = 1;

    /// <summary>Offset of LBA Format Extension Enable (LBAFEE).</summary>
    public const int LbafeeOffset = 2;
}

/// <summary>Dword 11 bits of the small features.</summary>
public static class FeatureBits
{
    /// <summary>Volatile Write Cache: Enable (WCE).</summary>
    public const uint VolatileWriteCacheEnable = 1 << 0;

    /// <summary>Write Atomicity Normal: Disable Normal (DN).</summary>
    public const uint DisableNormal = 1 << 0;

    /// <summary>Error Recovery: Deallocated or Unwritten Logical Block Error Enable (DULBE); bits 15:0 are TLER in 100 ms.</summary>
    public const uint DeallocatedOrUnwrittenErrorEnable = 1 << 16;

    /// <summary>Host Identifier: Enable Extended Host Identifier (EXHID): 16 bytes instead of 8.</summary>
    public const uint EnableExtendedHostIdentifier = 1 << 0;

    /// <summary>Temperature Threshold: TMPSEL, bits 19:16.</summary>
    public static byte TemperatureSensorSelect(uint cdw11) => (byte)((cdw11 >> 16) & 0xF);

    /// <summary>Temperature Threshold: THSEL, bits 21:20; 0 over, 1 under.</summary>
    public static byte TemperatureThresholdType(uint cdw11) => (byte)((cdw11 >> 20) & 0x3);
}
