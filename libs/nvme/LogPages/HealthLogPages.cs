using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.LogPages;

/// <summary>Error Information log entry, 64 bytes (LID 01h; NVMe Base Specification 2.0, Figure 206).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ErrorInformationLogEntry
{
    /// <summary>Error Count: a number unique to this error since power on; 0 marks an unused entry.</summary>
    [FieldOffset(0)] public ulong ErrorCount;

    /// <summary>Submission Queue ID.</summary>
    [FieldOffset(8)] public ushort SubmissionQueueId;

    /// <summary>Command ID; FFFFh when not specific to a command.</summary>
    [FieldOffset(10)] public ushort CommandId;

    /// <summary>Status Field, with the phase tag.</summary>
    [FieldOffset(12)] public StatusField Status;

    /// <summary>Parameter Error Location: bits 7:0 byte, 10:8 bit in the command; FFFFh none.</summary>
    [FieldOffset(14)] public ushort ParameterErrorLocation;

    [FieldOffset(16)] public ulong Lba;

    [FieldOffset(24)] public uint Namespace;

    /// <summary>Vendor Specific Information Available: a log page identifier; 0 none.</summary>
    [FieldOffset(28)] public byte VendorSpecificInformationAvailable;

    /// <summary>Transport Type; 0 not tied to a transport.</summary>
    [FieldOffset(29)] public byte Trtype;

    [FieldOffset(32)] public ulong CommandSpecificInformation;

    [FieldOffset(40)] public ushort TransportTypeSpecificInformation;
}

/// <summary>Critical Warning bits of the SMART / Health Information log page.</summary>
[Flags]
public enum CriticalWarning : byte
{
    None = 0,
    AvailableSpareBelowThreshold = 1 << 0,
    Temperature = 1 << 1,
    NvmSubsystemReliabilityDegraded = 1 << 2,
    ReadOnly = 1 << 3,
    VolatileMemoryBackupFailed = 1 << 4,
    PersistentMemoryRegionReadOnly = 1 << 5,
}

/// <summary>SMART / Health Information log page, 512 bytes (LID 02h; NVMe Base Specification 2.0, Figure 207).</summary>
[StructLayout(LayoutKind.Explicit, Size = 512, Pack = 1)]
public struct SmartHealthInformationLogPage
{
    [FieldOffset(0)] public CriticalWarning CriticalWarning;

    /// <summary>Composite Temperature, kelvin.</summary>
    [FieldOffset(1)] public ushort CompositeTemperature;

    /// <summary>Available Spare, percent.</summary>
    [FieldOffset(3)] public byte AvailableSpare;

    /// <summary>Available Spare Threshold, percent.</summary>
    [FieldOffset(4)] public byte AvailableSpareThreshold;

    /// <summary>Percentage Used; may exceed 100, up to 255.</summary>
    [FieldOffset(5)] public byte PercentageUsed;

    [FieldOffset(6)] public byte EnduranceGroupCriticalWarningSummary;

    /// <summary>Data Units Read, thousands of 512 bytes, rounded up.</summary>
    [FieldOffset(32)] public UInt128 DataUnitsRead;

    /// <summary>Data Units Written, thousands of 512 bytes, rounded up.</summary>
    [FieldOffset(48)] public UInt128 DataUnitsWritten;

    [FieldOffset(64)] public UInt128 HostReadCommands;
    [FieldOffset(80)] public UInt128 HostWriteCommands;

    /// <summary>Controller Busy Time, minutes.</summary>
    [FieldOffset(96)] public UInt128 ControllerBusyTime;

    [FieldOffset(112)] public UInt128 PowerCycles;
    [FieldOffset(128)] public UInt128 PowerOnHours;
    [FieldOffset(144)] public UInt128 UnsafeShutdowns;
    [FieldOffset(160)] public UInt128 MediaAndDataIntegrityErrors;
    [FieldOffset(176)] public UInt128 NumberOfErrorInformationLogEntries;

    /// <summary>Warning Composite Temperature Time, minutes.</summary>
    [FieldOffset(192)] public uint WarningCompositeTemperatureTime;

    /// <summary>Critical Composite Temperature Time, minutes.</summary>
    [FieldOffset(196)] public uint CriticalCompositeTemperatureTime;

    /// <summary>First of eight temperature sensors, kelvin; 0 not implemented.</summary>
    [FieldOffset(200)] public ushort TemperatureSensor1;
}

/// <summary>Firmware Slot Information log page, 512 bytes (LID 03h; NVMe Base Specification 2.0, Figure 208).</summary>
[StructLayout(LayoutKind.Explicit, Size = 512, Pack = 1)]
public struct FirmwareSlotInformationLogPage
{
    /// <summary>Active Firmware Info: bits 2:0 active slot, 6:4 slot at the next reset (0 none).</summary>
    [FieldOffset(0)] public byte Afi;

    /// <summary>Firmware Revision for Slot 1 to 7, ASCII.</summary>
    [FieldOffset(8)] public FirmwareRevisions Frs;
}

/// <summary>Seven firmware revisions of 8 ASCII bytes.</summary>
[InlineArray(7)]
public struct FirmwareRevisions { private Bytes8 element0; }

/// <summary>Changed Namespace List log page (LID 04h; NVMe Base Specification 2.0, section 5.16.1.5): up to 1,024 NSIDs, ascending, ending with 0; FFFFFFFFh first when there are more.</summary>
public static class ChangedNamespaceListLogPage
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 4096;

    /// <summary>Largest number of NSIDs listed.</summary>
    public const int MaxEntries = 1024;
}
