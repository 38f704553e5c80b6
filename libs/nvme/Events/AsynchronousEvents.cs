namespace Spindle.Nvme.Events;

/// <summary>Asynchronous Event Type (NVMe Base Specification 2.0, Figure 145).</summary>
public enum AsynchronousEventType : byte
{
    ErrorStatus = 0x0,
    SmartHealthStatus = 0x1,
    Notice = 0x2,
    IoCommandSpecificStatus = 0x6,
    VendorSpecific = 0x7,
}

/// <summary>Asynchronous Event Information of an error status (NVMe Base Specification 2.0, Figure 146).</summary>
public enum ErrorStatusEvent : byte
{
    WriteToInvalidDoorbellRegister = 0x00,
    InvalidDoorbellWriteValue = 0x01,
    DiagnosticFailure = 0x02,
    PersistentInternalError = 0x03,
    TransientInternalError = 0x04,
    FirmwareImageLoadError = 0x05,
}

/// <summary>Asynchronous Event Information of a SMART / health status (NVMe Base Specification 2.0, Figure 147).</summary>
public enum SmartHealthEvent : byte
{
    NvmSubsystemReliability = 0x00,
    TemperatureThreshold = 0x01,
    SpareBelowThreshold = 0x02,
}

/// <summary>Asynchronous Event Information of a notice (NVMe Base Specification 2.0, Figure 148).</summary>
public enum NoticeEvent : byte
{
    NamespaceAttributeChanged = 0x00,
    FirmwareActivationStarting = 0x01,
    TelemetryLogChanged = 0x02,
    AsymmetricNamespaceAccessChange = 0x03,
    PredictableLatencyEventAggregateLogChange = 0x04,
    LbaStatusInformationAlert = 0x05,
    EnduranceGroupEventAggregateLogPageChange = 0x06,
    NormalNvmSubsystemShutdown = 0x07,
    ZoneDescriptorChanged = 0xEF,
    DiscoveryLogPageChange = 0xF0,
}

/// <summary>Asynchronous Event Information of an I/O command specific status.</summary>
public enum IoCommandSpecificEvent : byte
{
    ReservationLogPageAvailable = 0x00,
    SanitizeOperationCompleted = 0x01,
    SanitizeOperationCompletedWithUnexpectedDeallocation = 0x02,
}

/// <summary>Completion dword 0 of an Asynchronous Event Request (NVMe Base Specification 2.0, Figure 144).</summary>
public readonly struct AsynchronousEvent(uint raw)
{
    public AsynchronousEvent(AsynchronousEventType type, byte information, LogPages.LogPageIdentifier logPage)
        : this((uint)type & 0x7 | (uint)information << 8 | (uint)logPage << 16) { }

    /// <summary>All 32 bits.</summary>
    public uint Raw { get; } = raw;

    /// <summary>Asynchronous Event Type, bits 2:0.</summary>
    public AsynchronousEventType Type => (AsynchronousEventType)(Raw & 0x7);

    /// <summary>Asynchronous Event Information, bits 15:8; its meaning follows from <see cref="Type"/>.</summary>
    public byte Information => (byte)(Raw >> 8);

    /// <summary>Log Page Identifier to read, bits 23:16.</summary>
    public LogPages.LogPageIdentifier LogPage => (LogPages.LogPageIdentifier)(Raw >> 16);

    /// <summary>Namespace attribute changed; read and so clear the Changed Namespace List.</summary>
    public static AsynchronousEvent NamespaceAttributeChanged { get; } =
        new(AsynchronousEventType.Notice, (byte)NoticeEvent.NamespaceAttributeChanged, LogPages.LogPageIdentifier.ChangedNamespaceList);

    /// <summary>ANA state changed; read and so clear the ANA log page.</summary>
    public static AsynchronousEvent AsymmetricNamespaceAccessChange { get; } =
        new(AsynchronousEventType.Notice, (byte)NoticeEvent.AsymmetricNamespaceAccessChange, LogPages.LogPageIdentifier.AsymmetricNamespaceAccess);

    /// <summary>Discovery log page changed; read and so clear it.</summary>
    public static AsynchronousEvent DiscoveryLogPageChange { get; } =
        new(AsynchronousEventType.Notice, (byte)NoticeEvent.DiscoveryLogPageChange, LogPages.LogPageIdentifier.Discovery);
}
