using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>The discovery subsystem, its log page, and its change notices.</summary>
public class DiscoveryTests(SharedTarget shared) : ProtocolTest(shared)
{
    private Task<NvmeTcpController> DiscoverAsync(string? hostnqn = null, uint kato = 0) =>
        NvmeTcpController.ConnectAsync(Target.Endpoint, Nqn.Discovery, hostnqn is null ? new HostOptions { IoQueues = 0, Kato = kato } : new HostOptions { IoQueues = 0, Hostnqn = hostnqn, Kato = kato });

    private static string NameOf(DiscoveryLogPageEntry entry) => Nqn.TryRead(entry.Subnqn, out string nqn) ? nqn : throw new ProtocolViolationException("a discovery entry has no SUBNQN");

    [Fact]
    public async Task Log_lists_what_the_host_may_connect_to()
    {
        await using NvmeTcpController stranger = await DiscoverAsync();
        Assert.Equal(ControllerType.Discovery, stranger.Identify.Cntrltype);
        (DiscoveryLogPageHeader header, List<DiscoveryLogPageEntry> entries) = await stranger.GetDiscoveryLogAsync();
        Assert.Equal(0, header.Recfmt);
        DiscoveryLogPageEntry open = Assert.Single(entries, e => NameOf(e) == Target.Subnqn);
        Assert.DoesNotContain(entries, e => NameOf(e) == Target.RestrictedSubnqn);
        Assert.Equal(TransportType.Tcp, open.Trtype);
        Assert.Equal(Spindle.Nvme.LogPages.AddressFamily.Ipv4, open.Adrfam);
        Assert.Equal(SubsystemType.NvmSubsystem, open.Subtype);
        Assert.Equal(NvmeConstants.DynamicControllerId, open.Cntlid);
        Assert.True(open.Asqsz >= 32);
        Assert.Equal(TcpSecurityType.None, open.Sectype);
        Assert.Equal(Target.Endpoint.Port.ToString(), AsciiField.Read(open.Trsvcid));
        Assert.Equal(Target.Endpoint.Address.ToString(), AsciiField.Read(open.Traddr));

        await using NvmeTcpController known = await DiscoverAsync(Target.AllowedHostnqn);
        (_, entries) = await known.GetDiscoveryLogAsync();
        Assert.Contains(entries, e => NameOf(e) == Target.RestrictedSubnqn);
    }

    [Fact]
    public async Task Io_queues_and_io_commands_are_refused()
    {
        await using NvmeTcpController controller = await DiscoverAsync();
        await Assert.ThrowsAsync<NvmeStatusException>(() => controller.AddIoQueueAsync(1));
        foreach (AdminOpcode opcode in (AdminOpcode[])[AdminOpcode.Abort, AdminOpcode.NamespaceManagement, AdminOpcode.FormatNvm, (AdminOpcode)0xFF])
        {
            CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(NvmeCommands.Admin(opcode));
            Assert.True(opcode == AdminOpcode.Abort || cqe.Status.Is(GenericStatusCode.InvalidCommandOpcode), $"{opcode}: status is {cqe.Status}");
        }
    }

    [Fact]
    public async Task Parts_of_the_log_make_the_whole()
    {
        await using NvmeTcpController controller = await DiscoverAsync();
        DiscoveryLogPageHeader header = WireBuffer.Read<DiscoveryLogPageHeader>(await controller.GetLogPageAsync(LogPageIdentifier.Discovery, 1024, nsid: 0));
        int length = 1024 * (1 + (int)header.Numrec);
        byte[] whole = await controller.GetLogPageAsync(LogPageIdentifier.Discovery, length, nsid: 0);
        for (int offset = 0; offset < length; offset += 700)
        {
            int part = Math.Min(700, length - offset);
            Assert.Equal(whole.AsSpan(offset, part).ToArray(), await controller.GetLogPageAsync(LogPageIdentifier.Discovery, part, (ulong)offset, nsid: 0));
        }
        // Reading past the end, as hosts with fixed buffers do.
        byte[] longer = await controller.GetLogPageAsync(LogPageIdentifier.Discovery, length + 4096, nsid: 0);
        Assert.Equal(whole, longer.AsSpan(0, length).ToArray());
        Assert.All(longer.AsSpan(length).ToArray(), b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task Change_of_subsystems_moves_genctr_and_is_noticed()
    {
        await using NvmeTcpController controller = await DiscoverAsync(kato: 30_000);
        await controller.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, unchecked((uint)AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification));
        (DiscoveryLogPageHeader before, List<DiscoveryLogPageEntry> old) = await controller.GetDiscoveryLogAsync();
        Task<AsynchronousEvent> change = await controller.RequestEventAsync();
        const string nqn = "nqn.2026-11.io.spindle:newcomer";
        await Target.RpcAsync("nvmf_create_subsystem", new { nqn, allow_any_host = true });
        try
        {
            await Target.RpcAsync("nvmf_subsystem_add_listener", new { nqn, listen_address = Target.ListenAddress() });
            Assert.Equal(AsynchronousEvent.DiscoveryLogPageChange.Raw, (await change.WaitAsync(TimeSpan.FromSeconds(5))).Raw);
            (DiscoveryLogPageHeader after, List<DiscoveryLogPageEntry> entries) = await controller.GetDiscoveryLogAsync();
            Assert.True(after.Genctr > before.Genctr);
            Assert.Equal(old.Count + 1, entries.Count);
            Assert.Contains(entries, e => NameOf(e) == nqn);
            change = await controller.RequestEventAsync();
        }
        finally
        {
            await Target.RpcAsync("nvmf_delete_subsystem", new { nqn });
        }
        await change.WaitAsync(TimeSpan.FromSeconds(5));
        (_, List<DiscoveryLogPageEntry> last) = await controller.GetDiscoveryLogAsync();
        Assert.DoesNotContain(last, e => NameOf(e) == nqn);
    }
}
