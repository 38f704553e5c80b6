using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class FeatureTests
{
    private static readonly FeatureIdentifier[] s_supported =
    [
        FeatureIdentifier.Arbitration, FeatureIdentifier.PowerManagement, FeatureIdentifier.TemperatureThreshold, FeatureIdentifier.ErrorRecovery,
        FeatureIdentifier.VolatileWriteCache, FeatureIdentifier.NumberOfQueues, FeatureIdentifier.WriteAtomicityNormal,
        FeatureIdentifier.AsynchronousEventConfiguration, FeatureIdentifier.KeepAliveTimer, FeatureIdentifier.HostIdentifier, FeatureIdentifier.HostBehaviorSupport,
    ];

    [Fact]
    public async Task Every_feature_identifier_is_either_supported_or_an_invalid_field()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        for (int id = 0; id <= byte.MaxValue; id++)
        {
            FeatureIdentifier feature = (FeatureIdentifier)id;
            uint cdw11 = feature == FeatureIdentifier.HostIdentifier ? 1u : 0;
            StatusField status = (await host.GetFeatureAsync(feature, cdw11, length: 512)).Status;
            Assert.True(s_supported.Contains(feature) ? status.IsSuccess : status.Is(GenericStatusCode.InvalidFieldInCommand), $"{feature}: {status}");
            if (!s_supported.Contains(feature)) Assert.True((await host.SetFeatureAsync(feature)).Status.Is(GenericStatusCode.InvalidFieldInCommand), $"set {feature}");
        }
    }

    [Theory]
    [InlineData(FeatureIdentifier.Arbitration, 0x0102_0304u, 0x0102_0304u)]
    [InlineData(FeatureIdentifier.PowerManagement, 0x40u, 0x40u)]
    [InlineData(FeatureIdentifier.ErrorRecovery, 0x1234u, 0x1234u)]
    [InlineData(FeatureIdentifier.VolatileWriteCache, 0u, 0u)]
    [InlineData(FeatureIdentifier.WriteAtomicityNormal, 1u, 1u)]
    [InlineData(FeatureIdentifier.AsynchronousEventConfiguration, 0x0000_0100u, 0x0000_0100u)]
    [InlineData(FeatureIdentifier.KeepAliveTimer, 12_000u, 20_000u)]
    public async Task A_value_that_was_set_is_what_is_got(FeatureIdentifier feature, uint set, uint got)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.True((await host.SetFeatureAsync(feature, set)).Status.IsSuccess);
        Assert.Equal(got, (await host.GetFeatureAsync(feature)).Completion.Cdw0);
    }

    public static TheoryData<FeatureIdentifier, uint, StatusField> Refusals => new()
    {
        { FeatureIdentifier.PowerManagement, 1, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.TemperatureThreshold, 0x0009_0000, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.TemperatureThreshold, 0x0020_0000, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.ErrorRecovery, 0x0001_0000, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.NumberOfQueues, 0x0000_FFFF, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.NumberOfQueues, 0xFFFF_0000, new StatusField(GenericStatusCode.InvalidFieldInCommand, true) },
        { FeatureIdentifier.KeepAliveTimer, 0, new StatusField(GenericStatusCode.KeepAliveTimeoutInvalid, true) },
        { FeatureIdentifier.HostIdentifier, 1, new StatusField(GenericStatusCode.CommandSequenceError, true) },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Values_that_cannot_be_are_refused(FeatureIdentifier feature, uint value, StatusField expected)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.Equal(expected, (await host.SetFeatureAsync(feature, value)).Status);
    }

    [Fact]
    public async Task Nothing_is_saved_and_only_current_values_are_told()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.Arbitration, 1, save: true)).Status.Is(CommandSpecificStatusCode.FeatureIdentifierNotSaveable));
        Assert.True((await host.GetFeatureAsync(FeatureIdentifier.Arbitration, select: FeatureSelect.Saved)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.Arbitration, 1, nsid: 1)).Status.Is(CommandSpecificStatusCode.FeatureNotNamespaceSpecific));
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.ErrorRecovery, 1, nsid: 99)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
    }

    [Fact]
    public async Task The_number_of_queues_is_the_transports_and_set_before_io_queues()
    {
        await using CoreBench bench = await CoreBench.StartAsync(o => o.MaxIoQueuePairsPerController = 5);
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.Equal(new NumberOfQueues(4, 4).Raw, (await host.SetFeatureAsync(FeatureIdentifier.NumberOfQueues, new NumberOfQueues(31, 31).Raw)).Completion.Cdw0);
        await host.AddIoQueueAsync(5);
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.NumberOfQueues)).Status.Is(GenericStatusCode.CommandSequenceError));
        FakeConnection sixth = await bench.Transport.AcceptAsync();
        Assert.True((await host.SendConnectAsync(sixth, 6)).Status.Is(CommandSpecificStatusCode.InvalidQueueIdentifier));
    }

    [Fact]
    public async Task The_host_identifier_is_connects()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Outcome outcome = await host.GetFeatureAsync(FeatureIdentifier.HostIdentifier, FeatureBits.EnableExtendedHostIdentifier, 16);
        Assert.Equal(host.HostId, new Guid(outcome.Data, bigEndian: true));
        Assert.True((await host.GetFeatureAsync(FeatureIdentifier.HostIdentifier, 0, 16)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.True((await host.GetFeatureAsync(FeatureIdentifier.HostIdentifier, 1, 8)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task Host_behavior_is_kept()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        byte[] data = new byte[512];
        data[HostBehaviorSupport.AcreOffset] = 1;
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.HostBehaviorSupport, data: data)).Status.IsSuccess);
        Assert.Equal(data, (await host.GetFeatureAsync(FeatureIdentifier.HostBehaviorSupport, length: 512)).Data);
        data[HostBehaviorSupport.LbafeeOffset] = 2;
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.HostBehaviorSupport, data: data)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.HostBehaviorSupport, data: new byte[500])).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task Every_admin_opcode_that_is_not_supported_is_invalid()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        AdminOpcode[] supported = [AdminOpcode.GetLogPage, AdminOpcode.Identify, AdminOpcode.Abort, AdminOpcode.SetFeatures, AdminOpcode.GetFeatures,
            AdminOpcode.AsynchronousEventRequest, AdminOpcode.KeepAlive, AdminOpcode.FabricsCommands];
        for (int opcode = 0; opcode <= byte.MaxValue; opcode++)
        {
            if (supported.Contains((AdminOpcode)opcode)) continue;
            StatusField status = (await host.AdminAsync((AdminOpcode)opcode)).Status;
            Assert.True(status.Is(GenericStatusCode.InvalidCommandOpcode), $"opcode {opcode:X2}: {status}");
        }
        Assert.True((await host.AdminAsync(AdminOpcode.KeepAlive, nsid: 1)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }
}
