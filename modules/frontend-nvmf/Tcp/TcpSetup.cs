using System.Runtime.CompilerServices;
using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>The PDUs that begin and end a connection. One of each in its life, so they are plain arrays.</summary>
internal static class TcpSetup
{
    /// <summary>Initialize Connection Response (NVMe TCP Transport Specification 1.0, section 3.6.2.3).</summary>
    public static byte[] BuildICResp(DigestTypes digests, byte cpda, uint maxH2CData)
    {
        var pdu = new ICResp
        {
            Header = PduLayout.Header(PduType.ICResp, PduFlags.None, headerDigest: false),
            Cpda = cpda,
            Dgst = digests,
            // A multiple of 4, at least 4,096.
            Maxh2cdata = Math.Max(PduLayout.MinMaxH2CData, maxH2CData / 4 * 4),
        };
        byte[] bytes = new byte[ICResp.Size];
        Unsafe.WriteUnaligned(ref bytes[0], pdu);
        return bytes;
    }

    /// <summary>Controller to Host Terminate Connection Request (section 3.6.2.5), with the header of the PDU that was wrong, as much of it as there may be.</summary>
    public static byte[] BuildTermReq(FatalErrorStatus fes, uint fei, ReadOnlySpan<byte> header)
    {
        int copied = Math.Min(header.Length, TermReq.MaxDataLength);
        var pdu = new TermReq
        {
            Header = PduLayout.Header(PduType.C2HTermReq, PduFlags.None, headerDigest: false),
            Fes = fes,
            Fei = fei,
        };
        pdu.Header.Plen = (uint)(TermReq.Size + copied);
        byte[] bytes = new byte[TermReq.Size + copied];
        Unsafe.WriteUnaligned(ref bytes[0], pdu);
        header[..copied].CopyTo(bytes.AsSpan(TermReq.Size));
        return bytes;
    }
}
