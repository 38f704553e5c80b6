using System.Runtime.CompilerServices;

namespace Spindle.Nvme.Tcp;

/// <summary>Lengths, offsets and digest placement of NVMe/TCP PDUs (NVMe TCP Transport Specification 1.0, section 3.6.2). No allocation.</summary>
public static class PduLayout
{
    /// <summary>Length in bytes of a header or data digest.</summary>
    public const int DigestLength = 4;

    /// <summary>Largest HPDA and CPDA.</summary>
    public const byte MaxPda = 31;

    /// <summary>Smallest MAXH2CDATA.</summary>
    public const uint MinMaxH2CData = 4096;

    /// <summary>TCP port of NVMe/TCP I/O controllers.</summary>
    public const int DefaultPort = 4420;

    /// <summary>TCP port of NVMe/TCP discovery controllers.</summary>
    public const int DefaultDiscoveryPort = 8009;

    /// <summary>In-capsule data that every controller takes on the Admin Queue, bytes (the command capsule of the Admin Queue is 8,256 bytes).</summary>
    public const int AdminInCapsuleDataSize = 8192;

    /// <summary>Largest PDO that alignment can call for: a command capsule with header digest (76 bytes), aligned to 72 bytes (PDA 17).</summary>
    public const int MaxDataOffset = 144;

    /// <summary>HLEN that the type must have; 0 for types that do not exist.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HeaderLength(PduType type) => type switch
    {
        PduType.ICReq or PduType.ICResp => ICReq.Size,
        PduType.CapsuleCmd => CapsuleCmd.Size,
        PduType.H2CTermReq or PduType.C2HTermReq or PduType.CapsuleResp or PduType.H2CData or PduType.C2HData or PduType.R2T => 24,
        _ => 0,
    };

    /// <summary>Whether the type may carry a header digest: all but connection set-up and termination.</summary>
    public static bool MayHaveHeaderDigest(PduType type) => type is PduType.CapsuleCmd or PduType.CapsuleResp or PduType.H2CData or PduType.C2HData or PduType.R2T;

    /// <summary>Whether the type may carry data with a data digest.</summary>
    public static bool MayHaveDataDigest(PduType type) => type is PduType.CapsuleCmd or PduType.H2CData or PduType.C2HData;

    /// <summary>
    /// PDO for a PDU with data: header, header digest, then padding up to the alignment the receiver asked for.
    /// <paramref name="pda"/> is the receiver's HPDA or CPDA: 0's based dwords, 0 to 31.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int DataOffset(int hlen, bool headerDigest, byte pda)
    {
        int offset = hlen + (headerDigest ? DigestLength : 0);
        int alignment = (pda + 1) * 4;
        // 1 to 32 dwords, not only powers of two.
        return (offset + alignment - 1) / alignment * alignment;
    }

    /// <summary>PLEN of a PDU of this header with <paramref name="dataLength"/> bytes of data at <paramref name="pdo"/>; without data, PDO counts for nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Plen(int hlen, bool headerDigest, int pdo, uint dataLength, bool dataDigest) => dataLength == 0
        ? (uint)(hlen + (headerDigest ? DigestLength : 0))
        : (uint)pdo + dataLength + (dataDigest ? (uint)DigestLength : 0);

    /// <summary>Fills a common header for a PDU without data.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PduHeader Header(PduType type, PduFlags flags, bool headerDigest)
    {
        int hlen = HeaderLength(type);
        return new PduHeader
        {
            PduType = type,
            Flags = flags | (headerDigest ? PduFlags.Hdgstf : 0),
            Hlen = (byte)hlen,
            Plen = (uint)(hlen + (headerDigest ? DigestLength : 0)),
        };
    }

    /// <summary>Fills a common header for a PDU with data (<paramref name="dataLength"/> above 0) aligned as the receiver asked with <paramref name="pda"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PduHeader HeaderWithData(PduType type, PduFlags flags, bool headerDigest, bool dataDigest, byte pda, uint dataLength)
    {
        int hlen = HeaderLength(type);
        int pdo = DataOffset(hlen, headerDigest, pda);
        return new PduHeader
        {
            PduType = type,
            Flags = flags | (headerDigest ? PduFlags.Hdgstf : 0) | (dataDigest ? PduFlags.Ddgstf : 0),
            Hlen = (byte)hlen,
            Pdo = (byte)pdo,
            Plen = Plen(hlen, headerDigest, pdo, dataLength, dataDigest),
        };
    }

    /// <summary>Length in bytes of what comes before the data of a validated PDU, header digest and padding included; the whole PDU where it has no data.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PreludeLength(in PduHeader header, bool headerDigest) =>
        header.Pdo != 0 ? header.Pdo : header.Hlen + (headerDigest && MayHaveHeaderDigest(header.PduType) ? DigestLength : 0);
}
