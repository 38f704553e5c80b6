using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Reservations: not offered, and then refused.</summary>
public class ReservationTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Theory]
    [InlineData(NvmOpcode.ReservationRegister)]
    [InlineData(NvmOpcode.ReservationReport)]
    [InlineData(NvmOpcode.ReservationAcquire)]
    [InlineData(NvmOpcode.ReservationRelease)]
    public async Task Commands_are_invalid_opcodes_where_oncs_does_not_offer_them(NvmOpcode opcode)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.SkipWhen((controller.Identify.Oncs & OptionalNvmCommandSupport.Reservations) != 0, "the controller offers reservations");
        IdentifyNamespace ns = await controller.IdentifyNamespaceAsync(1);
        Assert.Equal(ReservationCapabilities.None, ns.Rescap);
        byte[] data = new byte[16];
        SubmissionQueueEntry sqe = new() { Opcode = (byte)opcode, Nsid = 1, Cdw10 = opcode == NvmOpcode.ReservationReport ? 3u : 0 };
        CompletionQueueEntry cqe = opcode == NvmOpcode.ReservationReport ? await controller.Io.SubmitAsync(sqe, dataIn: data) : await controller.Io.SubmitAsync(sqe, data);
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidCommandOpcode), $"status is {cqe.Status}");
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
    }
}
