using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>Commands and what comes back, for tests on bytes.</summary>
internal static class Pdus
{
    public static SubmissionQueueEntry Write(ushort cid, uint block, SglDescriptor sgl) => Io(NvmOpcode.Write, cid, block, sgl);

    public static SubmissionQueueEntry Read(ushort cid, uint block, uint length) => Io(NvmOpcode.Read, cid, block, SglDescriptor.TransportDataBlock(length));

    public static SubmissionQueueEntry Io(NvmOpcode opcode, ushort cid, uint block, SglDescriptor sgl) => new()
    {
        Opcode = (byte)opcode,
        Cid = cid,
        Nsid = 1,
        Psdt = PrpOrSgl.SglMptrContiguous,
        Sgl1 = sgl,
        Cdw10 = block,
    };

    public static byte[] InCapsuleWrite(ushort cid, uint block, ReadOnlySpan<byte> data, DigestTypes digests = DigestTypes.None, byte cpda = 0) =>
        PduBuilder.CapsuleCmd(Write(cid, block, SglDescriptor.InCapsule(0, (uint)data.Length)), data, digests, cpda);

    public static byte[] Data(int length, int seed)
    {
        byte[] data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }

    /// <summary>Cuts what the target sent into PDUs, checking framing and digests.</summary>
    public static List<ReceivedPdu> Parse(ReadOnlySpan<byte> output, DigestTypes digests = DigestTypes.None, byte hpda = 0)
    {
        List<ReceivedPdu> pdus = [];
        while (!output.IsEmpty)
        {
            Assert.True(output.Length >= PduHeader.Size, "half a header");
            PduHeader header = WireBuffer.Read<PduHeader>(output);
            var rules = new PduRules
            {
                Receiver = PduReceiver.Host,
                Phase = header.PduType == PduType.ICResp ? ConnectionPhase.Initializing : ConnectionPhase.Established,
                HeaderDigest = (digests & DigestTypes.HeaderDigest) != 0,
                DataDigest = (digests & DigestTypes.DataDigest) != 0,
                Pda = hpda,
                MaxData = 64 << 20,
            };
            PduCheck check = PduValidator.CheckHeader(header, rules);
            Assert.True(check.IsValid, $"{header.PduType}: {check}");
            Assert.True(output.Length >= header.Plen, "half a PDU");
            byte[] pdu = output[..(int)header.Plen].ToArray();
            output = output[(int)header.Plen..];
            int length = (int)PduValidator.DataLength(header, rules);
            int offset = header.PduType == PduType.C2HTermReq ? TermReq.Size : length == 0 ? 0 : header.Pdo;
            if (rules.HeaderDigest && PduLayout.MayHaveHeaderDigest(header.PduType))
                Assert.Equal(Spindle.Nvme.Digests.Crc32C.Compute(pdu.AsSpan(0, header.Hlen)), BitConverter.ToUInt32(pdu, header.Hlen));
            if (rules.DataDigest && length > 0 && PduLayout.MayHaveDataDigest(header.PduType))
                Assert.Equal(Spindle.Nvme.Digests.Crc32C.Compute(pdu.AsSpan(offset, length)), BitConverter.ToUInt32(pdu, offset + length));
            pdus.Add(new ReceivedPdu(pdu, offset, length));
        }
        return pdus;
    }

    /// <summary>What the target has sent.</summary>
    public static List<ReceivedPdu> Take(this TestConnection connection, DigestTypes digests = DigestTypes.None, byte hpda = 0) =>
        Parse(connection.MemorySocket.TakeOutput(), digests, hpda);

    /// <summary>The one response capsule that the target has sent.</summary>
    public static CompletionQueueEntry TakeResponse(this TestConnection connection, DigestTypes digests = DigestTypes.None)
    {
        ReceivedPdu pdu = Assert.Single(connection.Take(digests));
        Assert.Equal(PduType.CapsuleResp, pdu.Type);
        return pdu.As<CapsuleResp>().Rccqe;
    }
}
