using System.Buffers.Binary;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.Initiator;

/// <summary>
/// Makes correct PDUs as bytes. A test that wants a wrong one changes the bytes afterwards, and calls
/// <see cref="FixHeaderDigest"/> where the digest shall be right for the changed header.
/// </summary>
public static class PduBuilder
{
    public static byte[] ICReq(DigestTypes digests = DigestTypes.None, uint maxr2t = 0, byte hpda = 0, ushort pfv = 0)
    {
        byte[] pdu = new byte[Spindle.Nvme.Tcp.ICReq.Size];
        WireBuffer.Write(pdu, new ICReq
        {
            Header = PduLayout.Header(PduType.ICReq, PduFlags.None, headerDigest: false),
            Pfv = pfv,
            Hpda = hpda,
            Dgst = digests,
            Maxr2t = maxr2t,
        });
        return pdu;
    }

    public static byte[] CapsuleCmd(in SubmissionQueueEntry sqe, ReadOnlySpan<byte> inCapsuleData = default, DigestTypes digests = DigestTypes.None, byte cpda = 0)
    {
        CapsuleCmd header = new() { Ccsqe = sqe };
        return Build(PduType.CapsuleCmd, PduFlags.None, ref header, inCapsuleData, digests, cpda);
    }

    public static byte[] H2CData(ushort cccid, ushort ttag, uint datao, ReadOnlySpan<byte> data, bool last, DigestTypes digests = DigestTypes.None, byte cpda = 0)
    {
        H2CData header = new() { Cccid = cccid, Ttag = ttag, Datao = datao, Datal = (uint)data.Length };
        return Build(PduType.H2CData, last ? PduFlags.LastPdu : PduFlags.None, ref header, data, digests, cpda);
    }

    public static byte[] H2CTermReq(FatalErrorStatus fes, uint fei, ReadOnlySpan<byte> offendingHeader = default)
    {
        byte[] pdu = new byte[TermReq.Size + offendingHeader.Length];
        WireBuffer.Write(pdu, new TermReq
        {
            Header = new PduHeader { PduType = PduType.H2CTermReq, Hlen = TermReq.Size, Plen = (uint)pdu.Length },
            Fes = fes,
            Fei = fei,
        });
        offendingHeader.CopyTo(pdu.AsSpan(TermReq.Size));
        return pdu;
    }

    /// <summary>Computes the header digest of a PDU anew, at HLEN as it stands in the bytes.</summary>
    public static byte[] FixHeaderDigest(byte[] pdu)
    {
        int hlen = pdu[2];
        BinaryPrimitives.WriteUInt32LittleEndian(pdu.AsSpan(hlen), Crc32C.Compute(pdu.AsSpan(0, hlen)));
        return pdu;
    }

    /// <summary>A PDU of any of the three types with data; without data, PDO is 0 and no data digest is added.</summary>
    public static byte[] Build<T>(PduType type, PduFlags flags, ref T header, ReadOnlySpan<byte> data, DigestTypes digests, byte pda) where T : unmanaged
    {
        bool hdgst = (digests & DigestTypes.HeaderDigest) != 0, ddgst = (digests & DigestTypes.DataDigest) != 0;
        PduHeader common = data.IsEmpty
            ? PduLayout.Header(type, flags, hdgst)
            : PduLayout.HeaderWithData(type, flags, hdgst, ddgst, pda, (uint)data.Length);
        byte[] pdu = new byte[common.Plen];
        WireBuffer.Write(pdu, header);
        WireBuffer.Write(pdu, common);
        if (!data.IsEmpty)
        {
            data.CopyTo(pdu.AsSpan(common.Pdo));
            if (ddgst)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(pdu.AsSpan(common.Pdo + data.Length), Crc32C.Compute(data));
            }
        }
        return hdgst ? FixHeaderDigest(pdu) : pdu;
    }
}
