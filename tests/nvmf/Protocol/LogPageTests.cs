using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Get Log Page (NVMe Base Specification 2.0, section 5.16).</summary>
public class LogPageTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Health_counts_commands_and_data()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        SmartHealthInformationLogPage before = WireBuffer.Read<SmartHealthInformationLogPage>(await controller.GetLogPageAsync(LogPageIdentifier.SmartHealthInformation, 512));
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int i = 0; i < 20; i++)
        {
            await ns.ReadAsync(0, 256);
        }
        SmartHealthInformationLogPage after = WireBuffer.Read<SmartHealthInformationLogPage>(await controller.GetLogPageAsync(LogPageIdentifier.SmartHealthInformation, 512));
        Assert.Equal(CriticalWarning.None, after.CriticalWarning);
        Assert.True(after.HostReadCommands >= before.HostReadCommands);
        Assert.True(after.DataUnitsRead >= before.DataUnitsRead);
    }

    [Fact]
    public async Task Firmware_slot_names_the_revision_identify_names()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        FirmwareSlotInformationLogPage page = WireBuffer.Read<FirmwareSlotInformationLogPage>(await controller.GetLogPageAsync(LogPageIdentifier.FirmwareSlotInformation, 512));
        Assert.Equal(1, page.Afi & 7);
        IdentifyController identify = controller.Identify;
        Bytes8 first = page.Frs[0];
        Assert.Equal(AsciiField.Read(identify.Fr), AsciiField.Read(first));
    }

    [Fact]
    public async Task Effects_list_what_identify_promises()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CommandsSupportedAndEffectsLogPage page = WireBuffer.Read<CommandsSupportedAndEffectsLogPage>(await controller.GetLogPageAsync(LogPageIdentifier.CommandsSupportedAndEffects, 4096));
        foreach (AdminOpcode opcode in (AdminOpcode[])[AdminOpcode.GetLogPage, AdminOpcode.Identify, AdminOpcode.Abort, AdminOpcode.SetFeatures, AdminOpcode.GetFeatures, AdminOpcode.AsynchronousEventRequest, AdminOpcode.KeepAlive])
        {
            Assert.True((page.Acs[(byte)opcode] & CommandEffects.CommandSupported) != 0, $"{opcode}");
        }
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Flush, NvmOpcode.Read, NvmOpcode.Write, NvmOpcode.Compare, NvmOpcode.WriteZeroes, NvmOpcode.DatasetManagement])
        {
            Assert.True((page.Iocs[(byte)opcode] & CommandEffects.CommandSupported) != 0, $"{opcode}");
        }
        Assert.True((page.Iocs[(byte)NvmOpcode.Write] & CommandEffects.LogicalBlockContentChange) != 0);
        Assert.True((page.Iocs[(byte)NvmOpcode.Read] & CommandEffects.LogicalBlockContentChange) == 0);
    }

    [Fact]
    public async Task Ana_names_every_namespace_once_where_reported()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.GetLogPage(LogPageIdentifier.AsymmetricNamespaceAccess, 4096), dataIn: new byte[4096], shortDataAllowed: true);
        if ((controller.Identify.Cmic & ControllerMultiPathCapabilities.AsymmetricNamespaceAccessReporting) == 0)
        {
            Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || cqe.Status.Is(CommandSpecificStatusCode.InvalidLogPage), $"status is {cqe.Status}");
            return;
        }
        byte[] page = await controller.GetLogPageAsync(LogPageIdentifier.AsymmetricNamespaceAccess, 4096);
        AsymmetricNamespaceAccessLogHeader header = WireBuffer.Read<AsymmetricNamespaceAccessLogHeader>(page);
        List<uint> nsids = [];
        int offset = 16;
        for (int i = 0; i < header.NumberOfAnaGroupDescriptors; i++)
        {
            AnaGroupDescriptor group = WireBuffer.Read<AnaGroupDescriptor>(page.AsSpan(offset));
            Assert.Equal(AnaState.Optimized, group.AnaState);
            offset += 32;
            for (uint n = 0; n < group.NumberOfNsidValues; n++, offset += 4)
            {
                nsids.Add(BitConverter.ToUInt32(page, offset));
            }
        }
        Assert.Equal([1u, 2u], nsids.Order());
    }

    [Theory]
    [InlineData(LogPageIdentifier.SmartHealthInformation, 512)]
    [InlineData(LogPageIdentifier.FirmwareSlotInformation, 512)]
    [InlineData(LogPageIdentifier.CommandsSupportedAndEffects, 4096)]
    public async Task Part_of_a_page_is_the_same_as_in_the_whole(LogPageIdentifier lid, int length)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] whole = await controller.GetLogPageAsync(lid, length);
        foreach ((int offset, int part) in ((int, int)[])[(0, 4), (4, 64), (length - 4, 4), (length / 2, length / 2)])
        {
            Assert.Equal(whole.AsSpan(offset, part).ToArray(), await controller.GetLogPageAsync(lid, part, (ulong)offset));
        }
    }

    [Theory]
    [InlineData(1ul)]
    [InlineData(2ul)]
    [InlineData(1ul << 32 | 2)]
    public async Task Offset_that_is_not_a_dword_is_an_invalid_field(ulong offset)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.GetLogPage(LogPageIdentifier.SmartHealthInformation, 64, offset), dataIn: new byte[64]);
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }

    [Theory]
    [InlineData(LogPageIdentifier.ErrorInformation)]
    [InlineData(LogPageIdentifier.SmartHealthInformation)]
    [InlineData(LogPageIdentifier.FirmwareSlotInformation)]
    [InlineData(LogPageIdentifier.ChangedNamespaceList)]
    [InlineData(LogPageIdentifier.CommandsSupportedAndEffects)]
    [InlineData(LogPageIdentifier.Discovery)]
    public async Task Offsets_and_lengths_beyond_any_page_are_survived(LogPageIdentifier lid)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        foreach (ulong offset in (ulong[])[4096, 1ul << 20, 0xFFFF_FFFC, 1ul << 32, 0xFFFF_FFFF_FFFF_FFFC])
        {
            foreach (int length in (int[])[4, 4096, 131072])
            {
                CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.GetLogPage(lid, length, offset), dataIn: new byte[length]);
                Assert.True(cqe.Status.StatusCodeType is StatusCodeType.Generic or StatusCodeType.CommandSpecific, $"offset {offset}, length {length}: status is {cqe.Status}");
            }
        }
        // NUMD says more than the SGL has room for.
        SubmissionQueueEntry sqe = RawIoQueue.WithTransport(NvmeCommands.GetLogPage(lid, 1 << 20), 64);
        CompletionQueueEntry shorter = await controller.Admin.SubmitAsync(sqe, dataIn: new byte[64], keepSgl: true);
        Assert.False(shorter.Status.IsSuccess);
    }

    [Fact]
    public async Task Every_identifier_is_answered_or_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        for (int lid = 0; lid < 256; lid++)
        {
            CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.GetLogPage((LogPageIdentifier)lid, 64), dataIn: new byte[64]);
            Assert.True(cqe.Status.IsSuccess || cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || cqe.Status.Is(CommandSpecificStatusCode.InvalidLogPage), $"LID {lid:X2}h: status is {cqe.Status}");
        }
    }
}
