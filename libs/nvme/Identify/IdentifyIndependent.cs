using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Identify;

/// <summary>I/O Command Set Independent Identify Namespace data structure, 4,096 bytes (CNS 08h; NVMe Base Specification 2.0, Figure 280).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyNamespaceIndependent
{
    /// <summary>Common Namespace Features: bit 3 UIDREUSE, 4 rotational media, 5 volatile write cache not present.</summary>
    [FieldOffset(0)] public byte Nsfeat;

    /// <summary>Namespace Multi-path I/O and Namespace Sharing Capabilities.</summary>
    [FieldOffset(1)] public NamespaceSharing Nmic;

    /// <summary>Reservation Capabilities.</summary>
    [FieldOffset(2)] public ReservationCapabilities Rescap;

    /// <summary>Format Progress Indicator.</summary>
    [FieldOffset(3)] public byte Fpi;

    /// <summary>ANA Group Identifier.</summary>
    [FieldOffset(4)] public uint Anagrpid;

    /// <summary>Namespace Attributes.</summary>
    [FieldOffset(8)] public NamespaceAttributes Nsattr;

    /// <summary>NVM Set Identifier.</summary>
    [FieldOffset(10)] public ushort Nvmsetid;

    /// <summary>Endurance Group Identifier.</summary>
    [FieldOffset(12)] public ushort Endgid;

    /// <summary>Namespace Status; bit 0 ready (NRDY).</summary>
    [FieldOffset(14)] public byte Nstat;
}

/// <summary>NVM command set specific Identify Controller data structure, 4,096 bytes (CNS 06h, CSI 00h; NVM Command Set Specification 1.0, Figure 102).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyControllerNvm
{
    /// <summary>Verify Size Limit: 2^VSL units of CAP.MPSMIN; 0 no limit.</summary>
    [FieldOffset(0)] public byte Vsl;

    /// <summary>Write Zeroes Size Limit: 2^WZSL units of CAP.MPSMIN; 0 no limit.</summary>
    [FieldOffset(1)] public byte Wzsl;

    /// <summary>Write Uncorrectable Size Limit: 2^WUSL units of CAP.MPSMIN; 0 no limit.</summary>
    [FieldOffset(2)] public byte Wusl;

    /// <summary>Dataset Management Ranges Limit; 0 no limit.</summary>
    [FieldOffset(3)] public byte Dmrl;

    /// <summary>Dataset Management Range Size Limit, logical blocks; 0 no limit.</summary>
    [FieldOffset(4)] public uint Dmrsl;

    /// <summary>Dataset Management Size Limit, logical blocks; 0 no limit.</summary>
    [FieldOffset(8)] public ulong Dmsl;
}

/// <summary>NVM command set specific Identify Namespace data structure, 4,096 bytes (CNS 05h, CSI 00h; NVM Command Set Specification 1.0, Figure 100).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyNamespaceNvm
{
    /// <summary>Logical Block Storage Tag Mask.</summary>
    [FieldOffset(0)] public ulong Lbstm;

    /// <summary>Protection Information Capabilities.</summary>
    [FieldOffset(8)] public byte Pic;

    /// <summary>First of 64 Extended LBA Formats, 4 bytes each: bits 6:0 Storage Tag Size, 8:7 Protection Information Format.</summary>
    [FieldOffset(12)] public uint Elbaf0;
}

/// <summary>A command set combination of the Identify I/O Command Set data structure (CNS 1Ch; NVMe Base Specification 2.0, Figure 289): bit per CSI.</summary>
[Flags]
public enum IoCommandSetVector : ulong
{
    None = 0,
    Nvm = 1 << 0,
    KeyValue = 1 << 1,
    ZonedNamespace = 1 << 2,
}
