using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.Fabrics;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Get and Set Features (NVMe Base Specification 2.0, sections 5.15 and 5.27).</summary>
public class FeatureTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Number_of_queues_is_granted_up_to_the_limit()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 0 });
        NumberOfQueues granted = await controller.SetNumberOfQueuesAsync(4);
        Assert.True(granted.SubmissionQueues >= 3);
        Assert.Equal(granted.SubmissionQueues, granted.CompletionQueues);
        Assert.Equal(granted.Raw, await controller.GetFeatureAsync(FeatureIdentifier.NumberOfQueues));
        await controller.AddIoQueueAsync((ushort)(granted.SubmissionQueues + 1));
        await Assert.ThrowsAsync<NvmeStatusException>(() => controller.AddIoQueueAsync((ushort)(granted.SubmissionQueues + 2)));
    }

    [Theory]
    [InlineData(0x0000_FFFFu)]
    [InlineData(0xFFFF_0000u)]
    public async Task Number_of_queues_of_65536_is_an_invalid_field(uint cdw11)
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 0 });
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.SetFeatures(FeatureIdentifier.NumberOfQueues, cdw11));
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Number_of_queues_cannot_change_once_there_are_queues()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.SetFeatures(FeatureIdentifier.NumberOfQueues, 0));
        Assert.True(cqe.Status.Is(GenericStatusCode.CommandSequenceError), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Asynchronous_event_configuration_is_kept_per_controller()
    {
        await using NvmeTcpController a = await ConnectAsync();
        await using NvmeTcpController b = await ConnectAsync();
        uint initial = await b.GetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration);
        await a.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, (uint)AsynchronousEventConfiguration.NamespaceAttributeNotices);
        Assert.Equal((uint)AsynchronousEventConfiguration.NamespaceAttributeNotices, await a.GetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration));
        Assert.Equal(initial, await b.GetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration));
    }

    [Fact]
    public async Task Host_identifier_is_the_one_of_connect_and_cannot_be_set()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] id = new byte[16];
        await controller.Admin.ExecuteAsync("Get Features Host Identifier", NvmeCommands.GetFeatures(FeatureIdentifier.HostIdentifier, FeatureBits.EnableExtendedHostIdentifier), dataIn: id);
        Assert.Equal(controller.Options.Hostid, new Guid(id, bigEndian: true));
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.SetFeatures(FeatureIdentifier.HostIdentifier, 1), new byte[16]);
        // Fabrics: NVMe Base Specification 2.0, section 5.27.1.25.
        Assert.True(cqe.Status.Is(GenericStatusCode.CommandSequenceError) || cqe.Status.Is(CommandSpecificStatusCode.FeatureNotChangeable), $"status is {cqe.Status}");
    }

    [Theory]
    [InlineData(FeatureIdentifier.Arbitration)]
    [InlineData(FeatureIdentifier.PowerManagement)]
    [InlineData(FeatureIdentifier.TemperatureThreshold)]
    [InlineData(FeatureIdentifier.ErrorRecovery)]
    [InlineData(FeatureIdentifier.NumberOfQueues)]
    [InlineData(FeatureIdentifier.AsynchronousEventConfiguration)]
    [InlineData(FeatureIdentifier.KeepAliveTimer)]
    public async Task Mandatory_features_can_be_read(FeatureIdentifier fid)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        await controller.GetFeatureAsync(fid);
    }

    [Fact]
    public async Task Every_identifier_is_answered_or_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        for (int fid = 0; fid < 256; fid++)
        {
            byte[] data = new byte[4096];
            CompletionQueueEntry get = await controller.Admin.SubmitAsync(NvmeCommands.GetFeatures((FeatureIdentifier)fid, nsid: 1), dataIn: data, shortDataAllowed: true);
            Assert.True(get.Status.IsSuccess || get.Status.StatusCodeType is StatusCodeType.Generic or StatusCodeType.CommandSpecific, $"Get Features {fid:X2}h: {get.Status}");
            if (fid is 0 or 0x1B or 0x1C or 0x85 or 0xFF)
            {
                Assert.True(get.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"Get Features {fid:X2}h: {get.Status}");
                CompletionQueueEntry set = await controller.Admin.SubmitAsync(NvmeCommands.SetFeatures((FeatureIdentifier)fid, 0));
                Assert.True(set.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"Set Features {fid:X2}h: {set.Status}");
            }
        }
    }

    [Fact]
    public async Task Saving_is_refused_where_nothing_is_saveable()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.SetFeatures(FeatureIdentifier.AsynchronousEventConfiguration, 0, save: true));
        Assert.True(cqe.Status.Is(CommandSpecificStatusCode.FeatureIdentifierNotSaveable) || cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }
}
