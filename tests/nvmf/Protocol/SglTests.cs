using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Data pointers: which descriptors a controller takes, and MDTS.</summary>
public class SglTests(SharedTarget shared) : ProtocolTest(shared)
{
    public static TheoryData<byte, string> IdentifiersThatTcpDoesNotKnow() => new()
    {
        { 0x00, "data block with an address" },
        { 0x10, "bit bucket" },
        { 0x20, "segment" },
        { 0x21, "segment with an offset" },
        { 0x30, "last segment" },
        { 0x31, "last segment with an offset" },
        { 0x40, "keyed data block" },
        { 0x4F, "keyed data block with invalidation" },
        { 0x50, "transport data block without its sub type" },
        { 0x60, "reserved" },
        { 0xF0, "vendor specific" },
        { 0xFF, "vendor specific" },
    };

    [Theory]
    [MemberData(nameof(IdentifiersThatTcpDoesNotKnow))]
    public async Task Descriptor_of_another_type_is_refused_and_the_queue_lives(byte identifier, string what)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Read, NvmOpcode.Write])
        {
            SubmissionQueueEntry sqe = NvmeCommands.Io(opcode, 1, 0, 1);
            sqe.Psdt = PrpOrSgl.SglMptrContiguous;
            sqe.Sgl1 = new SglDescriptor { Length = 512, SglIdentifier = identifier };
            CompletionQueueEntry cqe = await controller.Io.SubmitAsync(sqe, keepSgl: true);
            Assert.True(cqe.Status.StatusCodeType == StatusCodeType.Generic && cqe.Status.StatusCode is (byte)GenericStatusCode.SglDescriptorTypeInvalid
                or (byte)GenericStatusCode.InvalidFieldInCommand or (byte)GenericStatusCode.InvalidSglSegmentDescriptor or (byte)GenericStatusCode.InvalidNumberOfSglDescriptors,
                $"{opcode} with {what}: status is {cqe.Status}");
        }
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
    }

    [Theory]
    [InlineData(PrpOrSgl.Prp)]
    [InlineData(PrpOrSgl.Reserved)]
    public async Task Prps_are_refused(PrpOrSgl psdt)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        SubmissionQueueEntry sqe = NvmeCommands.Io(NvmOpcode.Read, 1, 0, 1);
        sqe.Psdt = psdt;
        sqe.Sgl1 = SglDescriptor.TransportDataBlock(512);
        CompletionQueueEntry cqe = await controller.Io.SubmitAsync(sqe, keepSgl: true);
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(511u)]
    public async Task Transport_block_shorter_than_the_data_is_refused(uint length)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Read, NvmOpcode.Write, NvmOpcode.Compare])
        {
            SubmissionQueueEntry sqe = RawIoQueue.WithTransport(NvmeCommands.Io(opcode, 1, 0, 1), length);
            byte[] data = new byte[length];
            // The target may ask for the data before it looks at what it is for.
            CompletionQueueEntry cqe = opcode == NvmOpcode.Read ? await controller.Io.SubmitAsync(sqe, dataIn: data, keepSgl: true) : await controller.Io.SubmitAsync(sqe, data, keepSgl: true, noInCapsule: true);
            Assert.True(cqe.Status.Is(GenericStatusCode.DataSglLengthInvalid), $"{opcode}: status is {cqe.Status}");
        }
    }

    [Theory]
    [InlineData(131072u + 512)]
    [InlineData(1u << 24)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public async Task More_than_mdts_is_refused(uint length)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.Equal(131072, controller.MaxTransfer);
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Read, NvmOpcode.Write])
        {
            SubmissionQueueEntry sqe = RawIoQueue.WithTransport(NvmeCommands.Io(opcode, 1, 0, Math.Min(65536, length / 512)), length);
            CompletionQueueEntry cqe = await controller.Io.SubmitAsync(sqe, keepSgl: true);
            Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || cqe.Status.Is(GenericStatusCode.DataSglLengthInvalid), $"{opcode}: status is {cqe.Status}");
        }
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 256);
    }

    [Fact]
    public async Task Sgl_support_says_what_is_taken()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        SglSupport sgls = controller.Identify.Sgls;
        Assert.NotEqual(0u, (uint)sgls & 3);
        Assert.True((sgls & SglSupport.OffsetAddress) != 0, $"SGLS is {sgls}");
        Assert.True((sgls & SglSupport.TransportDataBlockDescriptor) != 0, $"SGLS is {sgls}");
        Assert.Equal(1, controller.Identify.Msdbd);
    }

    [Fact]
    public async Task In_capsule_data_for_a_read_is_refused()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendAsync(RawIoQueue.WithInCapsule(NvmeCommands.Io(NvmOpcode.Read, 1, 0, 1) with { Cid = 4 }, 512), new byte[512]);
        CompletionQueueEntry cqe = await queue.ExpectCompletionAsync(4);
        Assert.False(cqe.Status.IsSuccess);
    }
}
