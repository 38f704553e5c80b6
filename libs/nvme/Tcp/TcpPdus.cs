using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Tcp;

// Layouts: NVMe TCP Transport Specification 1.0, section 3.6.2 (PDU definitions). Everything is little-endian.

/// <summary>PDU-Type of the common header.</summary>
public enum PduType : byte
{
    /// <summary>Initialize Connection Request, host to controller.</summary>
    ICReq = 0x00,
    /// <summary>Initialize Connection Response, controller to host.</summary>
    ICResp = 0x01,
    /// <summary>Host to Controller Terminate Connection Request.</summary>
    H2CTermReq = 0x02,
    /// <summary>Controller to Host Terminate Connection Request.</summary>
    C2HTermReq = 0x03,
    /// <summary>Command capsule, host to controller.</summary>
    CapsuleCmd = 0x04,
    /// <summary>Response capsule, controller to host.</summary>
    CapsuleResp = 0x05,
    /// <summary>Host to Controller Data Transfer.</summary>
    H2CData = 0x06,
    /// <summary>Controller to Host Data Transfer.</summary>
    C2HData = 0x07,
    /// <summary>Ready to Transfer, controller to host.</summary>
    R2T = 0x09,
}

/// <summary>FLAGS of the common header; which are meaningful follows from the PDU type.</summary>
[Flags]
public enum PduFlags : byte
{
    None = 0,
    /// <summary>HDGSTF: a header digest follows the PDU header.</summary>
    Hdgstf = 1 << 0,
    /// <summary>DDGSTF: a data digest follows the PDU data.</summary>
    Ddgstf = 1 << 1,
    /// <summary>LAST_PDU (H2CData, C2HData): no more data PDU of this R2T or command follows.</summary>
    LastPdu = 1 << 2,
    /// <summary>SUCCESS (C2HData, only with LAST_PDU): the command completed with success; no CapsuleResp follows.</summary>
    Success = 1 << 3,
}

/// <summary>DGST of ICReq and ICResp.</summary>
[Flags]
public enum DigestTypes : byte
{
    None = 0,
    /// <summary>HDGST_ENABLE.</summary>
    HeaderDigest = 1 << 0,
    /// <summary>DDGST_ENABLE.</summary>
    DataDigest = 1 << 1,
}

/// <summary>Fatal Error Status (FES) of H2CTermReq and C2HTermReq.</summary>
public enum FatalErrorStatus : ushort
{
    None = 0x00,
    /// <summary>FEI is the byte offset of the invalid field in the PDU header.</summary>
    InvalidPduHeaderField = 0x01,
    /// <summary>An unexpected PDU.</summary>
    PduSequenceError = 0x02,
    /// <summary>FEI is the header digest received; the data of the TermReq holds the header.</summary>
    HeaderDigestError = 0x03,
    /// <summary>A data PDU outside the range of its command or R2T.</summary>
    DataTransferOutOfRange = 0x04,
    /// <summary>To the host: more data than a command or MAXH2CDATA allows.</summary>
    DataTransferLimitExceeded = 0x05,
    /// <summary>To the controller: more R2Ts than MAXR2T allows.</summary>
    R2TLimitExceeded = 0x05,
    /// <summary>FEI is the byte offset of the unsupported parameter in the PDU header.</summary>
    UnsupportedParameter = 0x06,
}

/// <summary>Common header (CH) of every PDU, 8 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8, Pack = 1)]
public struct PduHeader
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 8;

    [FieldOffset(0)] public PduType PduType;
    [FieldOffset(1)] public PduFlags Flags;

    /// <summary>Header Length (HLEN): length in bytes of the PDU header without digest; fixed for each PDU type.</summary>
    [FieldOffset(2)] public byte Hlen;

    /// <summary>PDU Data Offset (PDO): offset in bytes of the data from the start of the PDU; 0 without data.</summary>
    [FieldOffset(3)] public byte Pdo;

    /// <summary>PDU Length (PLEN): bytes in all: header, header digest, padding, data, data digest.</summary>
    [FieldOffset(4)] public uint Plen;
}

/// <summary>Initialize Connection Request, 128 bytes (section 3.6.2.2).</summary>
[StructLayout(LayoutKind.Explicit, Size = 128, Pack = 1)]
public struct ICReq
{
    /// <summary>Length in bytes; HLEN and PLEN.</summary>
    public const int Size = 128;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>PDU Format Version; 0.</summary>
    [FieldOffset(8)] public ushort Pfv;

    /// <summary>Host PDU Data Alignment, 0's based dwords, 0 to 31: alignment of data in C2HData.</summary>
    [FieldOffset(10)] public byte Hpda;

    /// <summary>Digests the host asks for.</summary>
    [FieldOffset(11)] public DigestTypes Dgst;

    /// <summary>Maximum Number of Outstanding R2T per command, 0's based.</summary>
    [FieldOffset(12)] public uint Maxr2t;
}

/// <summary>Initialize Connection Response, 128 bytes (section 3.6.2.3).</summary>
[StructLayout(LayoutKind.Explicit, Size = 128, Pack = 1)]
public struct ICResp
{
    /// <summary>Length in bytes; HLEN and PLEN.</summary>
    public const int Size = 128;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>PDU Format Version; 0.</summary>
    [FieldOffset(8)] public ushort Pfv;

    /// <summary>Controller PDU Data Alignment, 0's based dwords, 0 to 31: alignment of data in H2CData and CapsuleCmd.</summary>
    [FieldOffset(10)] public byte Cpda;

    /// <summary>Digests in force on the connection.</summary>
    [FieldOffset(11)] public DigestTypes Dgst;

    /// <summary>Maximum Host to Controller Data length in one H2CData PDU, bytes; a multiple of 4, at least 4,096.</summary>
    [FieldOffset(12)] public uint Maxh2cdata;
}

/// <summary>H2CTermReq and C2HTermReq, 24 bytes of header and up to 128 bytes of the offending PDU's header (sections 3.6.2.4 and 3.6.2.5). Never with digests.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct TermReq
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 24;

    /// <summary>Largest PLEN.</summary>
    public const int MaxPlen = 152;

    /// <summary>Largest number of bytes of the offending header that may be returned.</summary>
    public const int MaxDataLength = MaxPlen - Size;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Fatal Error Status.</summary>
    [FieldOffset(8)] public FatalErrorStatus Fes;

    /// <summary>Fatal Error Information, by FES.</summary>
    [FieldOffset(10)] public uint Fei;
}

/// <summary>Header of a command capsule, 72 bytes (section 3.6.2.6); in-capsule data at PDO.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72, Pack = 1)]
public struct CapsuleCmd
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 72;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Command Capsule Submission Queue Entry (CCSQE).</summary>
    [FieldOffset(8)] public SubmissionQueueEntry Ccsqe;
}

/// <summary>Response capsule, 24 bytes (section 3.6.2.7).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct CapsuleResp
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 24;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Response Capsule Completion Queue Entry (RCCQE).</summary>
    [FieldOffset(8)] public CompletionQueueEntry Rccqe;
}

/// <summary>Header of a Host to Controller Data Transfer PDU, 24 bytes (section 3.6.2.8).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct H2CData
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 24;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Command Capsule Command ID (CCCID).</summary>
    [FieldOffset(8)] public ushort Cccid;

    /// <summary>Transfer Tag (TTAG) of the R2T.</summary>
    [FieldOffset(10)] public ushort Ttag;

    /// <summary>Data Offset (DATAO) from the start of the command's data, bytes; a multiple of 4.</summary>
    [FieldOffset(12)] public uint Datao;

    /// <summary>Data Length (DATAL), bytes; a multiple of 4.</summary>
    [FieldOffset(16)] public uint Datal;
}

/// <summary>Header of a Controller to Host Data Transfer PDU, 24 bytes (section 3.6.2.9).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct C2HData
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 24;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Command Capsule Command ID (CCCID).</summary>
    [FieldOffset(8)] public ushort Cccid;

    /// <summary>Data Offset (DATAO) from the start of the command's data, bytes; a multiple of 4.</summary>
    [FieldOffset(12)] public uint Datao;

    /// <summary>Data Length (DATAL), bytes; a multiple of 4.</summary>
    [FieldOffset(16)] public uint Datal;
}

/// <summary>Ready to Transfer PDU, 24 bytes (section 3.6.2.10).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24, Pack = 1)]
public struct R2T
{
    /// <summary>Length in bytes of the header; HLEN.</summary>
    public const int Size = 24;

    [FieldOffset(0)] public PduHeader Header;

    /// <summary>Command Capsule Command ID (CCCID).</summary>
    [FieldOffset(8)] public ushort Cccid;

    /// <summary>Transfer Tag (TTAG): the controller's name for this R2T.</summary>
    [FieldOffset(10)] public ushort Ttag;

    /// <summary>Requested Data Offset (R2TO), bytes; a multiple of 4.</summary>
    [FieldOffset(12)] public uint R2to;

    /// <summary>Requested Data Length (R2TL), bytes; a multiple of 4.</summary>
    [FieldOffset(16)] public uint R2tl;
}
