using System.Runtime.InteropServices;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Identify (NVMe Base Specification 2.0, section 5.17).</summary>
public class IdentifyTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Controller_says_what_was_configured()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        IdentifyController id = controller.Identify;
        Assert.Equal("SPINDLE0001", AsciiField.Read(id.Sn));
        Assert.Equal("Spindle test", AsciiField.Read(id.Mn));
        Assert.True(Nqn.TryRead(id.Subnqn, out string subnqn));
        Assert.Equal(Target.Subnqn, subnqn);
        Assert.Equal(ControllerType.Io, id.Cntrltype);
        Assert.Equal(0x66, id.Sqes);
        Assert.Equal(0x44, id.Cqes);
        Assert.Equal(32u, id.Nn);
        Assert.Equal(128, id.Maxcmd);
        Assert.True(id.Ver >= 0x0001_0300);
        Assert.True((id.Ctratt & ControllerAttributes.HostIdentifier128Bit) != 0);
        Assert.True((id.Cmic & ControllerMultiPathCapabilities.MultipleControllers) != 0);
        Assert.Equal(64u + 4096, id.Ioccsz * 16);
        Assert.Equal(16u, id.Iorcsz * 16);
        OptionalNvmCommandSupport oncs = OptionalNvmCommandSupport.Compare | OptionalNvmCommandSupport.DatasetManagement | OptionalNvmCommandSupport.WriteZeroes;
        Assert.Equal(oncs, id.Oncs & oncs);
        Assert.Equal(OptionalAdminCommandSupport.None, id.Oacs & (OptionalAdminCommandSupport.FirmwareCommitAndDownload | OptionalAdminCommandSupport.NamespaceManagement));
        Assert.InRange(id.Aerl, 0, 15);
    }

    [Fact]
    public async Task Namespace_says_its_size_and_format()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        IdentifyNamespace one = await controller.IdentifyNamespaceAsync(1), two = await controller.IdentifyNamespaceAsync(2);
        Assert.Equal(131072ul, one.Nsze);
        Assert.True(one.Ncap <= one.Nsze && one.Nuse <= one.Ncap);
        Assert.Equal(9, one.Lbaf[one.FormatIndex].Lbads);
        Assert.Equal(0, one.Lbaf[one.FormatIndex].Ms);
        Assert.Equal(4096ul, two.Nsze);
        Assert.Equal(12, two.Lbaf[two.FormatIndex].Lbads);
        Assert.Equal(NamespaceSharing.Shared, one.Nmic & NamespaceSharing.Shared);
    }

    [Fact]
    public async Task Active_namespaces_are_listed_from_any_start()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.Equal([1u, 2u], await controller.ActiveNamespacesAsync());
        uint[] afterOne = MemoryMarshal.Cast<byte, uint>(await controller.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, 1)).ToArray();
        Assert.Equal(2u, afterOne[0]);
        Assert.Equal(0u, afterOne[1]);
        Assert.All(await controller.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, 2), b => Assert.Equal(0, b));
        Assert.All(await controller.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, 0xFFFF_FFFD), b => Assert.Equal(0, b));
        foreach (uint nsid in (uint[])[0xFFFF_FFFE, 0xFFFF_FFFF])
        {
            CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Identify(IdentifyCns.ActiveNamespaceIdList, nsid), dataIn: new byte[4096]);
            Assert.True(cqe.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), $"NSID {nsid:X}h: status is {cqe.Status}");
        }
    }

    [Fact]
    public async Task Identification_descriptors_are_well_formed_and_stay_the_same()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] list = await controller.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, 1);
        Dictionary<NamespaceIdentifierType, byte[]> found = [];
        NamespaceIdentificationDescriptorReader reader = new(list);
        while (reader.TryRead(out NamespaceIdentifierType type, out ReadOnlySpan<byte> id))
        {
            Assert.Equal(NamespaceIdentificationDescriptor.LengthOf(type), id.Length);
            Assert.True(found.TryAdd(type, id.ToArray()), $"{type} comes twice");
        }
        Assert.True(found.ContainsKey(NamespaceIdentifierType.Uuid));
        Assert.True(found.TryGetValue(NamespaceIdentifierType.Csi, out byte[]? csi) && csi[0] == 0);
        Assert.Contains(found[NamespaceIdentifierType.Uuid], b => b != 0);
        await using NvmeTcpController again = await ConnectAsync();
        Assert.Equal(list, await again.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, 1));
        Assert.NotEqual(list, await controller.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, 2));
    }

    [Fact]
    public async Task Inactive_namespace_identifies_as_zeroes_and_an_invalid_one_is_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.All(await controller.IdentifyAsync(IdentifyCns.Namespace, 5), b => Assert.Equal(0, b));
        foreach (uint nsid in (uint[])[0, 33, 0xFFFF_FFFE])
        {
            CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Identify(IdentifyCns.Namespace, nsid), dataIn: new byte[4096]);
            Assert.True(cqe.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), $"NSID {nsid:X}h: status is {cqe.Status}");
        }
    }

    [Fact]
    public async Task Command_set_specific_structures_are_there_for_nvm_and_refused_for_others()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        await controller.IdentifyAsync(IdentifyCns.IoCommandSetSpecificController, csi: CommandSetIdentifier.Nvm);
        await controller.IdentifyAsync(IdentifyCns.IoCommandSetSpecificNamespace, 1, CommandSetIdentifier.Nvm);
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Identify(IdentifyCns.IoCommandSetSpecificNamespace, 1, csi: CommandSetIdentifier.ZonedNamespace), dataIn: new byte[4096]);
        Assert.False(cqe.Status.IsSuccess);
    }

    [Fact]
    public async Task Every_cns_is_answered_or_refused_as_an_invalid_field()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        for (int cns = 0; cns < 256; cns++)
        {
            foreach (uint nsid in (uint[])[0, 1])
            {
                CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Identify((IdentifyCns)cns, nsid), dataIn: new byte[4096]);
                Assert.True(cqe.Status.IsSuccess || cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || cqe.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat) || cqe.Status.Is(CommandSpecificStatusCode.InvalidControllerIdentifier), $"CNS {cns:X2}h of NSID {nsid}: status is {cqe.Status}");
                Assert.False(cns is > 0x1C && cqe.Status.IsSuccess, $"CNS {cns:X2}h succeeded");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(4092)]
    public async Task Buffer_shorter_than_the_structure_is_filled_or_refused_but_never_overrun(int length)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Identify(IdentifyCns.Controller), dataIn: new byte[length]);
        Assert.True(cqe.Status.IsSuccess || cqe.Status.StatusCodeType == StatusCodeType.Generic, $"status is {cqe.Status}");
    }
}
