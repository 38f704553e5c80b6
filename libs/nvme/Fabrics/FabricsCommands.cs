using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Registers;

namespace Spindle.Nvme.Fabrics;

/// <summary>Fabrics Command Type (FCTYPE; NVMe Base Specification 2.0, Figure 370). Bits 1:0 are the data transfer direction.</summary>
public enum FabricsCommandType : byte
{
    PropertySet = 0x00,
    Connect = 0x01,
    PropertyGet = 0x04,
    AuthenticationSend = 0x05,
    AuthenticationReceive = 0x06,
    Disconnect = 0x08,
    /// <summary>First vendor specific type; C0h to FFh.</summary>
    VendorSpecificStart = 0xC0,
}

/// <summary>Connect command (NVMe Base Specification 2.0, section 6.3).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ConnectCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Record Format; 0.</summary>
    [FieldOffset(40)] public ushort Recfmt;

    /// <summary>Queue ID; 0 is the Admin Queue.</summary>
    [FieldOffset(42)] public ushort Qid;

    /// <summary>Submission Queue Size, entries, 0's based; 0 is invalid.</summary>
    [FieldOffset(44)] public ushort Sqsize;

    /// <summary>Connect Attributes.</summary>
    [FieldOffset(46)] public ConnectAttributes Cattr;

    /// <summary>Keep Alive Timeout, ms; 0 disables; reserved for I/O queues.</summary>
    [FieldOffset(48)] public uint Kato;
}

/// <summary>CATTR of Connect.</summary>
[Flags]
public enum ConnectAttributes : byte
{
    None = 0,
    /// <summary>Bits 1:0 priority class.</summary>
    PriorityClassMask = 0x03,
    /// <summary>Disable SQ Flow Control: SQHD is not used.</summary>
    DisableSqFlowControl = 1 << 2,
    /// <summary>Individual I/O queue deletion is supported by the host.</summary>
    IndividualIoQueueDeletion = 1 << 3,
}

/// <summary>Connect command data, 1,024 bytes (NVMe Base Specification 2.0, Figure 376).</summary>
[StructLayout(LayoutKind.Explicit, Size = 1024, Pack = 1)]
public struct ConnectData
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 1024;

    /// <summary>Host Identifier, 128 bits; 0 is invalid where reservations matter.</summary>
    [FieldOffset(0)] public UuidBytes Hostid;

    /// <summary>Controller ID asked for: FFFFh dynamic model, FFFEh any static; the Admin Queue's controller for I/O queues.</summary>
    [FieldOffset(16)] public ushort Cntlid;

    /// <summary>NVM Subsystem NVMe Qualified Name, NUL terminated.</summary>
    [FieldOffset(256)] public Bytes256 Subnqn;

    /// <summary>Host NVMe Qualified Name, NUL terminated.</summary>
    [FieldOffset(512)] public Bytes256 Hostnqn;
}

/// <summary>Result of Connect in completion dword 0 (NVMe Base Specification 2.0, Figure 377).</summary>
public static class ConnectResponse
{
    /// <summary>Success: CNTLID in bits 15:0, authentication and secure channel requirements (AUTHREQ) in 31:16.</summary>
    public static uint Success(ushort cntlid, ushort authreq = 0) => (uint)authreq << 16 | cntlid;

    /// <summary>
    /// Connect Invalid Parameters: IPO, offset in bytes of the invalid parameter, in bits 15:0, and IATTR in bits 23:16,
    /// whose bit 0 is 0 for an offset into the command and 1 for one into the data.
    /// </summary>
    public static uint InvalidParameters(ushort ipo, bool inData) => (inData ? 1u << 16 : 0) | ipo;

    /// <summary>CNTLID of a successful Connect.</summary>
    public static ushort Cntlid(uint cdw0) => (ushort)cdw0;

    /// <summary>AUTHREQ of a successful Connect: bit 1 ATR (authentication required), bit 2 ASCR.</summary>
    public static ushort Authreq(uint cdw0) => (ushort)(cdw0 >> 16);

    /// <summary>IPO of Connect Invalid Parameters.</summary>
    public static ushort InvalidParameterOffset(uint cdw0) => (ushort)cdw0;

    /// <summary>IATTR bit 0 of Connect Invalid Parameters: the offset is into the data.</summary>
    public static bool IsInData(uint cdw0) => (cdw0 & (1u << 16)) != 0;

    /// <summary>IPO of fields in the command: byte offsets in <see cref="ConnectCommand"/>.</summary>
    public const ushort IpoRecfmt = 40, IpoQid = 42, IpoSqsize = 44, IpoCattr = 46, IpoKato = 48;

    /// <summary>IPO of fields in the data: byte offsets in <see cref="ConnectData"/>.</summary>
    public const ushort IpoHostid = 0, IpoCntlid = 16, IpoSubnqn = 256, IpoHostnqn = 512;
}

/// <summary>Property Get command (NVMe Base Specification 2.0, section 6.5). The value is in completion dwords 0 and 1.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct PropertyGetCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Attributes: bits 2:0 size, see <see cref="PropertySize"/>.</summary>
    [FieldOffset(40)] public byte Attrib;

    /// <summary>Offset of the property.</summary>
    [FieldOffset(44)] public PropertyOffset Ofst;

    public readonly PropertySize Size => (PropertySize)(Attrib & 0x7);
}

/// <summary>Property Set command (NVMe Base Specification 2.0, section 6.6).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct PropertySetCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Attributes: bits 2:0 size, see <see cref="PropertySize"/>.</summary>
    [FieldOffset(40)] public byte Attrib;

    /// <summary>Offset of the property.</summary>
    [FieldOffset(44)] public PropertyOffset Ofst;

    /// <summary>Value; the low half for a 4-byte property.</summary>
    [FieldOffset(48)] public ulong Value;

    public readonly PropertySize Size => (PropertySize)(Attrib & 0x7);
}

/// <summary>Size of a property in Property Get and Set.</summary>
public enum PropertySize : byte
{
    FourBytes = 0,
    EightBytes = 1,
}

/// <summary>Disconnect command (NVMe Base Specification 2.0, section 6.4); sent on the I/O queue to be deleted.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct DisconnectCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Record Format; 0.</summary>
    [FieldOffset(40)] public ushort Recfmt;
}

/// <summary>Authentication Send and Receive commands (NVMe Base Specification 2.0, sections 6.1 and 6.2).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct AuthenticationCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>SP Specific 0.</summary>
    [FieldOffset(41)] public byte Spsp0;

    /// <summary>SP Specific 1.</summary>
    [FieldOffset(42)] public byte Spsp1;

    /// <summary>Security Protocol; E9h for NVMe.</summary>
    [FieldOffset(43)] public byte Secp;

    /// <summary>Transfer Length (Send) or Allocation Length (Receive), bytes.</summary>
    [FieldOffset(44)] public uint Length;
}
