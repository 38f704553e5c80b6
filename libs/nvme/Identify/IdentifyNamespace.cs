using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Identify;

/// <summary>Identify Namespace data structure of the NVM command set, 4,096 bytes (CNS 00h; NVM Command Set Specification 1.0, Figure 97).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyNamespace
{
    /// <summary>Namespace Size, logical blocks.</summary>
    [FieldOffset(0)] public ulong Nsze;

    /// <summary>Namespace Capacity, logical blocks.</summary>
    [FieldOffset(8)] public ulong Ncap;

    /// <summary>Namespace Utilization, logical blocks.</summary>
    [FieldOffset(16)] public ulong Nuse;

    /// <summary>Namespace Features.</summary>
    [FieldOffset(24)] public NamespaceFeatures Nsfeat;

    /// <summary>Number of LBA Formats, 0's based.</summary>
    [FieldOffset(25)] public byte Nlbaf;

    /// <summary>Formatted LBA Size: bits 3:0 and 6:5 format index, bit 4 metadata at the end of each block (extended).</summary>
    [FieldOffset(26)] public byte Flbas;

    /// <summary>Metadata Capabilities: bit 0 extended, bit 1 separate buffer.</summary>
    [FieldOffset(27)] public MetadataCapabilities Mc;

    /// <summary>End-to-end Data Protection Capabilities.</summary>
    [FieldOffset(28)] public DataProtectionCapabilities Dpc;

    /// <summary>End-to-end Data Protection Type Settings: bits 2:0 type 0 to 3, bit 3 first bytes of metadata.</summary>
    [FieldOffset(29)] public byte Dps;

    /// <summary>Namespace Multi-path I/O and Namespace Sharing Capabilities.</summary>
    [FieldOffset(30)] public NamespaceSharing Nmic;

    /// <summary>Reservation Capabilities.</summary>
    [FieldOffset(31)] public ReservationCapabilities Rescap;

    /// <summary>Format Progress Indicator: bits 6:0 percent remaining, bit 7 supported.</summary>
    [FieldOffset(32)] public byte Fpi;

    /// <summary>Deallocate Logical Block Features.</summary>
    [FieldOffset(33)] public DeallocateFeatures Dlfeat;

    /// <summary>Namespace Atomic Write Unit Normal, 0's based.</summary>
    [FieldOffset(34)] public ushort Nawun;

    /// <summary>Namespace Atomic Write Unit Power Fail, 0's based.</summary>
    [FieldOffset(36)] public ushort Nawupf;

    /// <summary>Namespace Atomic Compare &amp; Write Unit, 0's based.</summary>
    [FieldOffset(38)] public ushort Nacwu;

    /// <summary>Namespace Atomic Boundary Size Normal, 0's based.</summary>
    [FieldOffset(40)] public ushort Nabsn;

    /// <summary>Namespace Atomic Boundary Offset.</summary>
    [FieldOffset(42)] public ushort Nabo;

    /// <summary>Namespace Atomic Boundary Size Power Fail, 0's based.</summary>
    [FieldOffset(44)] public ushort Nabspf;

    /// <summary>Namespace Optimal I/O Boundary, logical blocks.</summary>
    [FieldOffset(46)] public ushort Noiob;

    /// <summary>NVM Capacity, bytes.</summary>
    [FieldOffset(48)] public UInt128 Nvmcap;

    /// <summary>Namespace Preferred Write Granularity, logical blocks, 0's based; valid with NSFEAT.OPTPERF.</summary>
    [FieldOffset(64)] public ushort Npwg;

    /// <summary>Namespace Preferred Write Alignment, logical blocks, 0's based.</summary>
    [FieldOffset(66)] public ushort Npwa;

    /// <summary>Namespace Preferred Deallocate Granularity, logical blocks, 0's based.</summary>
    [FieldOffset(68)] public ushort Npdg;

    /// <summary>Namespace Preferred Deallocate Alignment, logical blocks, 0's based.</summary>
    [FieldOffset(70)] public ushort Npda;

    /// <summary>Namespace Optimal Write Size, logical blocks, 0's based.</summary>
    [FieldOffset(72)] public ushort Nows;

    /// <summary>Maximum Single Source Range Length of Copy, logical blocks.</summary>
    [FieldOffset(74)] public ushort Mssrl;

    /// <summary>Maximum Copy Length, logical blocks.</summary>
    [FieldOffset(76)] public uint Mcl;

    /// <summary>Maximum Source Range Count of Copy, 0's based.</summary>
    [FieldOffset(80)] public byte Msrc;

    /// <summary>ANA Group Identifier.</summary>
    [FieldOffset(92)] public uint Anagrpid;

    /// <summary>Namespace Attributes; bit 0 currently write protected.</summary>
    [FieldOffset(99)] public NamespaceAttributes Nsattr;

    /// <summary>NVM Set Identifier.</summary>
    [FieldOffset(100)] public ushort Nvmsetid;

    /// <summary>Endurance Group Identifier.</summary>
    [FieldOffset(102)] public ushort Endgid;

    /// <summary>Namespace Globally Unique Identifier, big-endian.</summary>
    [FieldOffset(104)] public UuidBytes Nguid;

    /// <summary>IEEE Extended Unique Identifier, big-endian.</summary>
    [FieldOffset(120)] public Bytes8 Eui64;

    /// <summary>LBA Formats, 64 of 4 bytes.</summary>
    [FieldOffset(128)] public LbaFormats Lbaf;

    /// <summary>Index of the formatted LBA format, 0 to 63.</summary>
    public readonly int FormatIndex => (Flbas & 0x0F) | ((Flbas >> 1) & 0x30);
}

/// <summary>LBA Format data structure, 4 bytes (NVM Command Set Specification 1.0, Figure 98).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4, Pack = 1)]
public struct LbaFormat
{
    /// <summary>Metadata Size, bytes per logical block.</summary>
    [FieldOffset(0)] public ushort Ms;

    /// <summary>LBA Data Size, log2 of bytes; 9 and more, 0 not available.</summary>
    [FieldOffset(2)] public byte Lbads;

    /// <summary>Relative Performance, bits 1:0; 0 is best.</summary>
    [FieldOffset(3)] public byte Rp;
}

/// <summary>The 64 LBA formats.</summary>
[InlineArray(64)]
public struct LbaFormats { private LbaFormat element0; }

/// <summary>NSFEAT of Identify Namespace.</summary>
[Flags]
public enum NamespaceFeatures : byte
{
    None = 0,
    ThinProvisioning = 1 << 0,
    /// <summary>NAWUN, NAWUPF and NACWU are defined for this namespace.</summary>
    AtomicUnits = 1 << 1,
    DeallocatedOrUnwrittenError = 1 << 2,
    /// <summary>NGUID and EUI64 are never reused.</summary>
    UidReuse = 1 << 3,
    /// <summary>NPWG, NPWA, NPDG, NPDA and NOWS are defined (OPTPERF).</summary>
    OptimalPerformance = 1 << 4,
}

/// <summary>MC of Identify Namespace.</summary>
[Flags]
public enum MetadataCapabilities : byte
{
    None = 0,
    ExtendedDataLba = 1 << 0,
    SeparateBuffer = 1 << 1,
}

/// <summary>DPC of Identify Namespace.</summary>
[Flags]
public enum DataProtectionCapabilities : byte
{
    None = 0,
    Type1 = 1 << 0,
    Type2 = 1 << 1,
    Type3 = 1 << 2,
    FirstBytesOfMetadata = 1 << 3,
    LastBytesOfMetadata = 1 << 4,
}

/// <summary>NMIC of Identify Namespace.</summary>
[Flags]
public enum NamespaceSharing : byte
{
    None = 0,
    /// <summary>May be attached to more than one controller.</summary>
    Shared = 1 << 0,
    Dispersed = 1 << 1,
}

/// <summary>NSATTR of Identify Namespace.</summary>
[Flags]
public enum NamespaceAttributes : byte
{
    None = 0,
    WriteProtected = 1 << 0,
}

/// <summary>DLFEAT of Identify Namespace.</summary>
[Flags]
public enum DeallocateFeatures : byte
{
    /// <summary>What deallocated blocks read as is not reported.</summary>
    None = 0,
    /// <summary>Bits 2:0 = 001b: deallocated blocks read as zeroes.</summary>
    ReadsZeroes = 1,
    /// <summary>Bits 2:0 = 010b: deallocated blocks read as FFh.</summary>
    ReadsOnes = 2,
    /// <summary>Write Zeroes supports its Deallocate bit.</summary>
    WriteZeroesDeallocate = 1 << 3,
    /// <summary>The guard of deallocated blocks is the CRC of what they read as.</summary>
    GuardIsCrc = 1 << 4,
}
