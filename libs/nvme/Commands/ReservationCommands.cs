using System.Runtime.InteropServices;

namespace Spindle.Nvme.Commands;

/// <summary>Reservation Type (RTYPE; NVMe Base Specification 2.0, Figure 405).</summary>
public enum ReservationType : byte
{
    None = 0x0,
    WriteExclusive = 0x1,
    ExclusiveAccess = 0x2,
    WriteExclusiveRegistrantsOnly = 0x3,
    ExclusiveAccessRegistrantsOnly = 0x4,
    WriteExclusiveAllRegistrants = 0x5,
    ExclusiveAccessAllRegistrants = 0x6,
}

/// <summary>Reservation Register Action (RREGA).</summary>
public enum ReservationRegisterAction : byte
{
    RegisterKey = 0x0,
    UnregisterKey = 0x1,
    ReplaceKey = 0x2,
}

/// <summary>Change Persist Through Power Loss state (CPTPL).</summary>
public enum ChangePersistThroughPowerLoss : byte
{
    NoChange = 0x0,
    Clear = 0x2,
    Set = 0x3,
}

/// <summary>Reservation Acquire Action (RACQA).</summary>
public enum ReservationAcquireAction : byte
{
    Acquire = 0x0,
    Preempt = 0x1,
    PreemptAndAbort = 0x2,
}

/// <summary>Reservation Release Action (RRELA).</summary>
public enum ReservationReleaseAction : byte
{
    Release = 0x0,
    Clear = 0x1,
}

/// <summary>Type of a Reservation Notification log page.</summary>
public enum ReservationNotificationType : byte
{
    Empty = 0x0,
    RegistrationPreempted = 0x1,
    ReservationReleased = 0x2,
    ReservationPreempted = 0x3,
}

/// <summary>Reservation Capabilities (RESCAP) of Identify Namespace.</summary>
[Flags]
public enum ReservationCapabilities : byte
{
    None = 0,
    PersistThroughPowerLoss = 1 << 0,
    WriteExclusive = 1 << 1,
    ExclusiveAccess = 1 << 2,
    WriteExclusiveRegistrantsOnly = 1 << 3,
    ExclusiveAccessRegistrantsOnly = 1 << 4,
    WriteExclusiveAllRegistrants = 1 << 5,
    ExclusiveAccessAllRegistrants = 1 << 6,
    IgnoreExistingKey = 1 << 7,
}

/// <summary>Reservation Register, Acquire, Release and Report commands (NVMe Base Specification 2.0, sections 7.2, 7.5, 7.3, 7.4).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ReservationCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Action (RREGA, RACQA or RRELA, by opcode): bits 2:0 of dword 10.</summary>
    public readonly byte Action => (byte)(Sqe.Cdw10 & 0x7);

    /// <summary>Ignore Existing Key (IEKEY): bit 3 of dword 10.</summary>
    public readonly bool IgnoreExistingKey => (Sqe.Cdw10 & 0x8) != 0;

    /// <summary>Reservation Type (RTYPE) of Acquire and Release: bits 15:8 of dword 10.</summary>
    public readonly ReservationType Rtype => (ReservationType)(Sqe.Cdw10 >> 8);

    /// <summary>Change Persist Through Power Loss (CPTPL) of Register: bits 31:30 of dword 10.</summary>
    public readonly ChangePersistThroughPowerLoss Cptpl => (ChangePersistThroughPowerLoss)(Sqe.Cdw10 >> 30);

    /// <summary>Extended Data Structure (EDS) of Report: bit 0 of dword 11.</summary>
    public readonly bool ExtendedDataStructure => (Sqe.Cdw11 & 1) != 0;

    /// <summary>Length of Report's buffer in bytes: (NUMD + 1) x 4.</summary>
    public readonly ulong ReportLengthInBytes => ((ulong)Sqe.Cdw10 + 1) * 4;
}

/// <summary>Data of Reservation Register and Reservation Acquire, 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct ReservationKeys
{
    /// <summary>Current Reservation Key.</summary>
    [FieldOffset(0)] public ulong Crkey;

    /// <summary>New Reservation Key (Register).</summary>
    [FieldOffset(8)] public ulong Nrkey;

    /// <summary>Preempt Reservation Key (Acquire).</summary>
    [FieldOffset(8)] public ulong Prkey;
}

/// <summary>Header of the Reservation Status data structure, 24 bytes (NVMe Base Specification 2.0, Figure 409).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct ReservationStatusHeader
{
    /// <summary>Generation.</summary>
    [FieldOffset(0)] public uint Gen;

    [FieldOffset(4)] public ReservationType Rtype;

    /// <summary>Number of Registered Controllers.</summary>
    [FieldOffset(5)] public ushort Regctl;

    /// <summary>Persist Through Power Loss State.</summary>
    [FieldOffset(9)] public byte Ptpls;
}

/// <summary>Registered Controller data structure, 24 bytes (NVMe Base Specification 2.0, Figure 410).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct RegisteredController
{
    [FieldOffset(0)] public ushort Cntlid;

    /// <summary>Reservation Status; bit 0: holds the reservation.</summary>
    [FieldOffset(2)] public byte Rcsts;

    /// <summary>64-bit Host Identifier.</summary>
    [FieldOffset(8)] public ulong Hostid;

    /// <summary>Reservation Key.</summary>
    [FieldOffset(16)] public ulong Rkey;
}

/// <summary>Registered Controller extended data structure, 64 bytes (NVMe Base Specification 2.0, Figure 412).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct RegisteredControllerExtended
{
    [FieldOffset(0)] public ushort Cntlid;

    /// <summary>Reservation Status; bit 0: holds the reservation.</summary>
    [FieldOffset(2)] public byte Rcsts;

    /// <summary>Reservation Key.</summary>
    [FieldOffset(8)] public ulong Rkey;

    /// <summary>128-bit Host Identifier.</summary>
    [FieldOffset(16)] public UuidBytes Hostid;
}
