using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Digests;
using Spindle.Nvme.Tcp;

namespace Spindle.UnitTests.Nvme;

/// <summary>What runs per command or PDU allocates nothing.</summary>
public class AllocationTests
{
    [Fact]
    public void Checks_fields_and_digests_allocate_nothing()
    {
        byte[] buffer = new byte[8192];
        PduRules rules = new() { Receiver = PduReceiver.Controller, Phase = ConnectionPhase.Established, DataDigest = true, HeaderDigest = true, MaxInCapsuleData = 4096, MaxData = 131072 };
        Run(buffer, rules);
        long before = GC.GetAllocatedBytesForCurrentThread();
        uint sum = 0;
        for (int i = 0; i < 1000; i++)
        {
            sum += Run(buffer, rules);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.NotEqual(0u, sum);
    }

    private static uint Run(byte[] buffer, in PduRules rules)
    {
        PduHeader header = PduLayout.HeaderWithData(PduType.H2CData, PduFlags.LastPdu, true, true, 0, 4096);
        H2CData data = new() { Header = header, Datal = 4096 };
        WireBuffer.Write(buffer, data);
        ref H2CData inPlace = ref WireBuffer.Ref<H2CData>(buffer);
        SubmissionQueueEntry sqe = new() { Opcode = (byte)NvmOpcode.Read, Sgl1 = SglDescriptor.TransportDataBlock(4096) };
        sqe.As<NvmIoCommand>().BlockCount = 8;
        bool valid = PduValidator.CheckHeader(inPlace.Header, rules).IsValid && PduValidator.CheckH2CData(inPlace, 0, 4096, rules).IsValid;
        return (valid ? Crc32C.Compute(buffer) | 1 : 0) + sqe.As<NvmIoCommand>().Nlb + new StatusField(GenericStatusCode.InternalError).Raw;
    }
}
