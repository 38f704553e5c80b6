using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Nvme.Features;

namespace Spindle.Nvme.Identify;

/// <summary>Identify Controller data structure, 4,096 bytes (CNS 01h; NVMe Base Specification 2.0, Figure 275). Text fields are ASCII padded with spaces, SUBNQN with NULs.</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyController
{
    /// <summary>PCI Vendor ID; 0 over fabrics.</summary>
    [FieldOffset(0)] public ushort Vid;

    /// <summary>PCI Subsystem Vendor ID; 0 over fabrics.</summary>
    [FieldOffset(2)] public ushort Ssvid;

    /// <summary>Serial Number, ASCII.</summary>
    [FieldOffset(4)] public Bytes20 Sn;

    /// <summary>Model Number, ASCII.</summary>
    [FieldOffset(24)] public Bytes40 Mn;

    /// <summary>Firmware Revision, ASCII.</summary>
    [FieldOffset(64)] public Bytes8 Fr;

    /// <summary>Recommended Arbitration Burst, log2 of commands.</summary>
    [FieldOffset(72)] public byte Rab;

    /// <summary>IEEE OUI Identifier, bytes 73 to 75, least significant first.</summary>
    [FieldOffset(73)] public byte Ieee0;
    [FieldOffset(74)] public byte Ieee1;
    [FieldOffset(75)] public byte Ieee2;

    /// <summary>Controller Multi-Path I/O and Namespace Sharing Capabilities.</summary>
    [FieldOffset(76)] public ControllerMultiPathCapabilities Cmic;

    /// <summary>Maximum Data Transfer Size: 2^MDTS units of CAP.MPSMIN; 0 no limit.</summary>
    [FieldOffset(77)] public byte Mdts;

    /// <summary>Controller ID.</summary>
    [FieldOffset(78)] public ushort Cntlid;

    /// <summary>Version, as in the VS property.</summary>
    [FieldOffset(80)] public uint Ver;

    /// <summary>RTD3 Resume Latency, µs.</summary>
    [FieldOffset(84)] public uint Rtd3r;

    /// <summary>RTD3 Entry Latency, µs.</summary>
    [FieldOffset(88)] public uint Rtd3e;

    /// <summary>Optional Asynchronous Events Supported.</summary>
    [FieldOffset(92)] public AsynchronousEventConfiguration Oaes;

    /// <summary>Controller Attributes.</summary>
    [FieldOffset(96)] public ControllerAttributes Ctratt;

    /// <summary>Read Recovery Levels Supported.</summary>
    [FieldOffset(100)] public ushort Rrls;

    /// <summary>Controller Type.</summary>
    [FieldOffset(111)] public ControllerType Cntrltype;

    /// <summary>FRU Globally Unique Identifier.</summary>
    [FieldOffset(112)] public UuidBytes Fguid;

    /// <summary>Command Retry Delay Time 1, 100 ms.</summary>
    [FieldOffset(128)] public ushort Crdt1;

    /// <summary>Command Retry Delay Time 2, 100 ms.</summary>
    [FieldOffset(130)] public ushort Crdt2;

    /// <summary>Command Retry Delay Time 3, 100 ms.</summary>
    [FieldOffset(132)] public ushort Crdt3;

    /// <summary>NVM Subsystem Report.</summary>
    [FieldOffset(253)] public byte Nvmsr;

    /// <summary>VPD Write Cycle Information.</summary>
    [FieldOffset(254)] public byte Vwci;

    /// <summary>Management Endpoint Capabilities.</summary>
    [FieldOffset(255)] public byte Mec;

    /// <summary>Optional Admin Command Support.</summary>
    [FieldOffset(256)] public OptionalAdminCommandSupport Oacs;

    /// <summary>Abort Command Limit, 0's based.</summary>
    [FieldOffset(258)] public byte Acl;

    /// <summary>Asynchronous Event Request Limit, 0's based.</summary>
    [FieldOffset(259)] public byte Aerl;

    /// <summary>Firmware Updates: bit 0 slot 1 read only, 3:1 number of slots, 4 activation without reset.</summary>
    [FieldOffset(260)] public byte Frmw;

    /// <summary>Log Page Attributes.</summary>
    [FieldOffset(261)] public LogPageAttributes Lpa;

    /// <summary>Error Log Page Entries, 0's based.</summary>
    [FieldOffset(262)] public byte Elpe;

    /// <summary>Number of Power States Support, 0's based.</summary>
    [FieldOffset(263)] public byte Npss;

    /// <summary>Admin Vendor Specific Command Configuration.</summary>
    [FieldOffset(264)] public byte Avscc;

    /// <summary>Autonomous Power State Transition Attributes.</summary>
    [FieldOffset(265)] public byte Apsta;

    /// <summary>Warning Composite Temperature Threshold, kelvin.</summary>
    [FieldOffset(266)] public ushort Wctemp;

    /// <summary>Critical Composite Temperature Threshold, kelvin.</summary>
    [FieldOffset(268)] public ushort Cctemp;

    /// <summary>Maximum Time for Firmware Activation, 100 ms.</summary>
    [FieldOffset(270)] public ushort Mtfa;

    /// <summary>Host Memory Buffer Preferred Size, 4 KiB.</summary>
    [FieldOffset(272)] public uint Hmpre;

    /// <summary>Host Memory Buffer Minimum Size, 4 KiB.</summary>
    [FieldOffset(276)] public uint Hmmin;

    /// <summary>Total NVM Capacity, bytes.</summary>
    [FieldOffset(280)] public UInt128 Tnvmcap;

    /// <summary>Unallocated NVM Capacity, bytes.</summary>
    [FieldOffset(296)] public UInt128 Unvmcap;

    /// <summary>Replay Protected Memory Block Support.</summary>
    [FieldOffset(312)] public uint Rpmbs;

    /// <summary>Extended Device Self-test Time, minutes.</summary>
    [FieldOffset(316)] public ushort Edstt;

    /// <summary>Device Self-test Options.</summary>
    [FieldOffset(318)] public byte Dsto;

    /// <summary>Firmware Update Granularity, 4 KiB; FFh no restriction.</summary>
    [FieldOffset(319)] public byte Fwug;

    /// <summary>Keep Alive Support: granularity of the keep alive timer in 100 ms; 0 not supported.</summary>
    [FieldOffset(320)] public ushort Kas;

    /// <summary>Host Controlled Thermal Management Attributes.</summary>
    [FieldOffset(322)] public ushort Hctma;

    /// <summary>Minimum Thermal Management Temperature, kelvin.</summary>
    [FieldOffset(324)] public ushort Mntmt;

    /// <summary>Maximum Thermal Management Temperature, kelvin.</summary>
    [FieldOffset(326)] public ushort Mxtmt;

    /// <summary>Sanitize Capabilities.</summary>
    [FieldOffset(328)] public uint Sanicap;

    /// <summary>Host Memory Buffer Minimum Descriptor Entry Size, 4 KiB.</summary>
    [FieldOffset(332)] public uint Hmminds;

    /// <summary>Host Memory Maximum Descriptors Entries.</summary>
    [FieldOffset(336)] public ushort Hmmaxd;

    /// <summary>NVM Set Identifier Maximum.</summary>
    [FieldOffset(338)] public ushort Nsetidmax;

    /// <summary>Endurance Group Identifier Maximum.</summary>
    [FieldOffset(340)] public ushort Endgidmax;

    /// <summary>ANA Transition Time, seconds.</summary>
    [FieldOffset(342)] public byte Anatt;

    /// <summary>Asymmetric Namespace Access Capabilities.</summary>
    [FieldOffset(343)] public AsymmetricNamespaceAccessCapabilities Anacap;

    /// <summary>ANA Group Identifier Maximum.</summary>
    [FieldOffset(344)] public uint Anagrpmax;

    /// <summary>Number of ANA Group Identifiers.</summary>
    [FieldOffset(348)] public uint Nanagrpid;

    /// <summary>Persistent Event Log Size, 64 KiB.</summary>
    [FieldOffset(352)] public uint Pels;

    /// <summary>Domain Identifier.</summary>
    [FieldOffset(356)] public ushort DomainIdentifier;

    /// <summary>Max Endurance Group Capacity, bytes.</summary>
    [FieldOffset(368)] public UInt128 Megcap;

    /// <summary>Submission Queue Entry Size: bits 3:0 required, 7:4 maximum, log2 of bytes; 66h.</summary>
    [FieldOffset(512)] public byte Sqes;

    /// <summary>Completion Queue Entry Size: bits 3:0 required, 7:4 maximum, log2 of bytes; 44h.</summary>
    [FieldOffset(513)] public byte Cqes;

    /// <summary>Maximum Outstanding Commands per I/O queue; not 0's based; mandatory over fabrics.</summary>
    [FieldOffset(514)] public ushort Maxcmd;

    /// <summary>Number of Namespaces: the largest NSID value.</summary>
    [FieldOffset(516)] public uint Nn;

    /// <summary>Optional NVM Command Support.</summary>
    [FieldOffset(520)] public OptionalNvmCommandSupport Oncs;

    /// <summary>Fused Operation Support: bit 0 Compare and Write.</summary>
    [FieldOffset(522)] public FusedOperationSupport Fuses;

    /// <summary>Format NVM Attributes.</summary>
    [FieldOffset(524)] public byte Fna;

    /// <summary>Volatile Write Cache: bit 0 present, 2:1 flush behaviour for NSID FFFFFFFFh.</summary>
    [FieldOffset(525)] public VolatileWriteCacheAttributes Vwc;

    /// <summary>Atomic Write Unit Normal, logical blocks, 0's based.</summary>
    [FieldOffset(526)] public ushort Awun;

    /// <summary>Atomic Write Unit Power Fail, logical blocks, 0's based.</summary>
    [FieldOffset(528)] public ushort Awupf;

    /// <summary>I/O Command Set Vendor Specific Command Configuration.</summary>
    [FieldOffset(530)] public byte Icsvscc;

    /// <summary>Namespace Write Protection Capabilities.</summary>
    [FieldOffset(531)] public byte Nwpc;

    /// <summary>Atomic Compare &amp; Write Unit, logical blocks, 0's based.</summary>
    [FieldOffset(532)] public ushort Acwu;

    /// <summary>Optional Copy Formats Supported, one bit per format.</summary>
    [FieldOffset(534)] public ushort Ocfs;

    /// <summary>SGL Support.</summary>
    [FieldOffset(536)] public SglSupport Sgls;

    /// <summary>Maximum Number of Allowed Namespaces.</summary>
    [FieldOffset(540)] public uint Mnan;

    /// <summary>Maximum Domain Namespace Attachments.</summary>
    [FieldOffset(544)] public UInt128 Maxdna;

    /// <summary>Maximum I/O Controller Namespace Attachments.</summary>
    [FieldOffset(560)] public uint Maxcna;

    /// <summary>NVM Subsystem NVMe Qualified Name, UTF-8, NUL terminated and padded.</summary>
    [FieldOffset(768)] public Bytes256 Subnqn;

    /// <summary>I/O Queue Command Capsule Supported Size, 16 bytes; minimum 4 (64 bytes). Fabrics.</summary>
    [FieldOffset(1792)] public uint Ioccsz;

    /// <summary>I/O Queue Response Capsule Supported Size, 16 bytes; minimum 1. Fabrics.</summary>
    [FieldOffset(1796)] public uint Iorcsz;

    /// <summary>In Capsule Data Offset, 16 bytes; 0 for TCP. Fabrics.</summary>
    [FieldOffset(1800)] public ushort Icdoff;

    /// <summary>Fabrics Controller Attributes: bit 0 is 0 for the dynamic controller model.</summary>
    [FieldOffset(1802)] public byte Fcatt;

    /// <summary>Maximum SGL Data Block Descriptors; 0 no limit. Fabrics.</summary>
    [FieldOffset(1803)] public byte Msdbd;

    /// <summary>Optional Fabrics Commands Support: bit 0 Disconnect.</summary>
    [FieldOffset(1804)] public OptionalFabricsCommands Ofcs;

    /// <summary>Power State Descriptors, 32 of 32 bytes.</summary>
    [FieldOffset(2048)] public PowerStateDescriptors Psd;
}

/// <summary>Power State Descriptor, 32 bytes (NVMe Base Specification 2.0, Figure 276).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32, Pack = 1)]
public struct PowerStateDescriptor
{
    /// <summary>Maximum Power, in 10 mW (MXPS 0) or 100 µW.</summary>
    [FieldOffset(0)] public ushort Mp;

    /// <summary>Bit 0 Max Power Scale (MXPS), bit 1 Non-Operational State (NOPS).</summary>
    [FieldOffset(3)] public byte Flags;

    /// <summary>Entry Latency, µs.</summary>
    [FieldOffset(4)] public uint Enlat;

    /// <summary>Exit Latency, µs.</summary>
    [FieldOffset(8)] public uint Exlat;

    /// <summary>Relative Read Throughput.</summary>
    [FieldOffset(12)] public byte Rrt;

    /// <summary>Relative Read Latency.</summary>
    [FieldOffset(13)] public byte Rrl;

    /// <summary>Relative Write Throughput.</summary>
    [FieldOffset(14)] public byte Rwt;

    /// <summary>Relative Write Latency.</summary>
    [FieldOffset(15)] public byte Rwl;

    /// <summary>Idle Power.</summary>
    [FieldOffset(16)] public ushort Idlp;

    /// <summary>Idle Power Scale, bits 7:6.</summary>
    [FieldOffset(18)] public byte Ips;

    /// <summary>Active Power.</summary>
    [FieldOffset(20)] public ushort Actp;

    /// <summary>Active Power Workload and Scale.</summary>
    [FieldOffset(22)] public byte ApwAndAps;
}

/// <summary>The 32 power state descriptors.</summary>
[InlineArray(32)]
public struct PowerStateDescriptors { private PowerStateDescriptor element0; }
