using System.Runtime.InteropServices;

namespace Spindle.Nvme.LogPages;

/// <summary>Transport Type (TRTYPE) of a discovery entry (NVMe Base Specification 2.0, Figure 264).</summary>
public enum TransportType : byte
{
    Rdma = 0x01,
    FibreChannel = 0x02,
    Tcp = 0x03,
    IntraHost = 0xFE,
}

/// <summary>Address Family (ADRFAM) of a discovery entry.</summary>
public enum AddressFamily : byte
{
    Ipv4 = 0x01,
    Ipv6 = 0x02,
    InfiniBand = 0x03,
    FibreChannel = 0x04,
    IntraHost = 0xFE,
}

/// <summary>Subsystem Type (SUBTYPE) of a discovery entry.</summary>
public enum SubsystemType : byte
{
    /// <summary>Referral to another discovery service.</summary>
    DiscoveryReferral = 0x01,
    NvmSubsystem = 0x02,
    /// <summary>The discovery subsystem that returned this log page.</summary>
    CurrentDiscovery = 0x03,
}

/// <summary>Transport Requirements (TREQ) of a discovery entry; bits 1:0 secure channel, bit 2 SQ flow control disable supported.</summary>
[Flags]
public enum TransportRequirements : byte
{
    SecureChannelNotSpecified = 0,
    SecureChannelRequired = 1,
    SecureChannelNotRequired = 2,
    DisableSqFlowControl = 1 << 2,
}

/// <summary>Security Type (SECTYPE) of the TCP transport specific address subtype.</summary>
public enum TcpSecurityType : byte
{
    None = 0,
    Tls12 = 1,
    Tls13 = 2,
}

/// <summary>Entry Flags (EFLAGS) of a discovery entry.</summary>
[Flags]
public enum DiscoveryEntryFlags : ushort
{
    None = 0,
    /// <summary>Duplicate Returned Information.</summary>
    DuplicateReturnedInformation = 1 << 0,
    /// <summary>Explicit Persistent Connection Support for Discovery.</summary>
    ExplicitPersistentConnection = 1 << 1,
}

/// <summary>Discovery log page header, 1,024 bytes (LID 70h; NVMe Base Specification 2.0, Figure 263).</summary>
[StructLayout(LayoutKind.Explicit, Size = 1024, Pack = 1)]
public struct DiscoveryLogPageHeader
{
    /// <summary>Generation Counter: changes with every change of the log page.</summary>
    [FieldOffset(0)] public ulong Genctr;

    /// <summary>Number of Records.</summary>
    [FieldOffset(8)] public ulong Numrec;

    /// <summary>Record Format; 0.</summary>
    [FieldOffset(16)] public ushort Recfmt;
}

/// <summary>Discovery log page entry, 1,024 bytes (NVMe Base Specification 2.0, Figure 264). TRSVCID and TRADDR are ASCII padded with spaces, SUBNQN with NULs.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1024, Pack = 1)]
public struct DiscoveryLogPageEntry
{
    [FieldOffset(0)] public TransportType Trtype;
    [FieldOffset(1)] public AddressFamily Adrfam;
    [FieldOffset(2)] public SubsystemType Subtype;
    [FieldOffset(3)] public TransportRequirements Treq;

    /// <summary>Port ID: one per NVM subsystem port.</summary>
    [FieldOffset(4)] public ushort Portid;

    /// <summary>Controller ID to connect to: FFFFh dynamic model, FFFEh any static controller.</summary>
    [FieldOffset(6)] public ushort Cntlid;

    /// <summary>Admin Max SQ Size, entries; not 0's based, 32 at least.</summary>
    [FieldOffset(8)] public ushort Asqsz;

    [FieldOffset(10)] public DiscoveryEntryFlags Eflags;

    /// <summary>Transport Service Identifier: the port number in decimal.</summary>
    [FieldOffset(32)] public Bytes32 Trsvcid;

    /// <summary>NVM Subsystem Qualified Name.</summary>
    [FieldOffset(256)] public Bytes256 Subnqn;

    /// <summary>Transport Address.</summary>
    [FieldOffset(512)] public Bytes256 Traddr;

    /// <summary>Transport Specific Address Subtype; for TCP, byte 0 is <see cref="TcpSecurityType"/>.</summary>
    [FieldOffset(768)] public Bytes256 Tsas;

    /// <summary>Security type of a TCP entry: byte 0 of <see cref="Tsas"/>.</summary>
    [FieldOffset(768)] public TcpSecurityType Sectype;
}
