using System.Runtime.InteropServices;

namespace Spindle.Nvme.LogPages;

/// <summary>Asymmetric Namespace Access State (NVMe Base Specification 2.0, section 8.1.2).</summary>
public enum AnaState : byte
{
    Optimized = 0x1,
    NonOptimized = 0x2,
    Inaccessible = 0x3,
    PersistentLoss = 0x4,
    Change = 0xF,
}

/// <summary>Header of the Asymmetric Namespace Access log page, 16 bytes (LID 0Ch; NVMe Base Specification 2.0, Figure 222).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct AsymmetricNamespaceAccessLogHeader
{
    /// <summary>Change Count of the whole log page.</summary>
    [FieldOffset(0)] public ulong ChangeCount;

    /// <summary>Number of ANA Group Descriptors that follow.</summary>
    [FieldOffset(8)] public ushort NumberOfAnaGroupDescriptors;
}

/// <summary>ANA Group Descriptor, 32 bytes, followed by its NSIDs, 4 bytes each (NVMe Base Specification 2.0, Figure 223).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32, Pack = 1)]
public struct AnaGroupDescriptor
{
    /// <summary>ANA Group ID (AGID).</summary>
    [FieldOffset(0)] public uint AnaGroupId;

    /// <summary>Number of NSID Values (NNV); 0 when the host asked for groups only.</summary>
    [FieldOffset(4)] public uint NumberOfNsidValues;

    [FieldOffset(8)] public ulong ChangeCount;

    /// <summary>Bits 3:0 Asymmetric Namespace Access State.</summary>
    [FieldOffset(16)] public byte AnaStateField;

    public AnaState AnaState
    {
        readonly get => (AnaState)(AnaStateField & 0x0F);
        set => AnaStateField = (byte)value;
    }
}

/// <summary>Log Specific Parameter bits of the ANA log page.</summary>
public static class AnaLogSpecificParameter
{
    /// <summary>Return Groups Only (RGO), LSP bit 0: no NSIDs.</summary>
    public const byte ReturnGroupsOnly = 1 << 0;
}

/// <summary>Reservation Notification log page, 64 bytes (LID 80h; NVMe Base Specification 2.0, Figure 268).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ReservationNotificationLogPage
{
    [FieldOffset(0)] public ulong LogPageCount;
    [FieldOffset(8)] public Commands.ReservationNotificationType Type;

    /// <summary>Number of Available Log Pages besides this one.</summary>
    [FieldOffset(9)] public byte NumberOfAvailableLogPages;

    [FieldOffset(12)] public uint Nsid;
}
