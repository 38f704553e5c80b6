using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class LogPageTests
{
    [Fact]
    public async Task Exactly_the_supported_pages_can_be_read()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        SupportedLogPagesLogPage supported = WireBuffer.Read<SupportedLogPagesLogPage>((await host.LogAsync(LogPageIdentifier.SupportedLogPages, 1024)).Data);
        for (int id = 0; id <= byte.MaxValue; id++)
        {
            StatusField status = (await host.LogAsync((LogPageIdentifier)id, 64)).Status;
            Assert.True((supported[id] & LogPageSupport.Supported) != 0 ? status.IsSuccess : status.Is(CommandSpecificStatusCode.InvalidLogPage), $"{id:X2}: {status}");
        }
    }

    [Fact]
    public async Task Commands_and_effects_agree_with_what_is_announced()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        CommandsSupportedAndEffectsLogPage log = WireBuffer.Read<CommandsSupportedAndEffectsLogPage>((await host.LogAsync(LogPageIdentifier.CommandsSupportedAndEffects, 4096)).Data);
        Assert.NotEqual(CommandEffects.None, log.Iocs[(int)NvmOpcode.Write] & CommandEffects.LogicalBlockContentChange);
        Assert.Equal(CommandEffects.None, log.Iocs[(int)NvmOpcode.ReservationRegister]);
        Assert.Equal(CommandEffects.None, log.Acs[(int)AdminOpcode.FormatNvm]);
        Assert.NotEqual(CommandEffects.None, log.Acs[(int)AdminOpcode.Identify]);
    }

    [Fact]
    public async Task Parts_of_a_page_are_the_same_as_the_whole()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        byte[] whole = (await host.LogAsync(LogPageIdentifier.FirmwareSlotInformation, 512)).Data;
        Assert.Equal(1, whole[0]);
        Assert.Equal(whole[8..16], (await host.LogAsync(LogPageIdentifier.FirmwareSlotInformation, 8, offset: 8)).Data);
        byte[] pastTheEnd = (await host.LogAsync(LogPageIdentifier.FirmwareSlotInformation, 24, offset: 500)).Data;
        Assert.Equal(whole[500..], pastTheEnd[..12]);
        Assert.DoesNotContain(pastTheEnd[12..], b => b != 0);
    }

    [Theory]
    [InlineData(4, 2ul, 4, 0u)]
    [InlineData(8, 0ul, 4, 0u)]
    [InlineData(4, 512ul, 4, 0u)]
    [InlineData(4, ulong.MaxValue - 3, 4, 0u)]
    [InlineData(4, 0ul, 4, 1u)]
    public async Task Bad_offsets_lengths_and_namespaces_are_invalid_fields(int length, ulong offset, int buffer, uint nsid)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.True((await host.LogAsync(LogPageIdentifier.SmartHealthInformation, length, offset, nsid: nsid, buffer: buffer)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task The_discovery_log_shows_what_a_host_may_see()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.RunAsync(async () =>
        {
            NvmfSubsystem closed = await bench.Target.CreateSubsystemAsync("nqn.2026-11.io.spindle:closed", false, new SubsystemOptions());
            closed.AddHost("nqn.2026-11.io.spindle:friend");
            await bench.Target.AddListenerAsync(closed, FakeTransport.Address with { ServiceId = "4499" }, AnaState.Optimized);
        });
        FakeHost stranger = await new FakeHost(bench) { SubNqn = Nqn.Discovery }.ConnectAsync(0);
        FakeHost friend = await new FakeHost(bench) { SubNqn = Nqn.Discovery, HostNqn = "nqn.2026-11.io.spindle:friend" }.ConnectAsync(0);
        Assert.Equal([Nqn.Discovery, CoreBench.Subsystem], await NamesAsync(stranger));
        Assert.Equal([Nqn.Discovery, CoreBench.Subsystem, "nqn.2026-11.io.spindle:closed"], await NamesAsync(friend));

        DiscoveryLogPageEntry entry = WireBuffer.Read<DiscoveryLogPageEntry>((await friend.LogAsync(LogPageIdentifier.Discovery, 1024, offset: 3072)).Data);
        Assert.Equal((TransportType.Tcp, AddressFamily.Ipv4, SubsystemType.NvmSubsystem), (entry.Trtype, entry.Adrfam, entry.Subtype));
        Assert.Equal((NvmeConstants.DynamicControllerId, (ushort)128), (entry.Cntlid, entry.Asqsz));
        Assert.Equal(("192.0.2.1", "4499"), (AsciiField.Read(entry.Traddr), AsciiField.Read(entry.Trsvcid)));
        byte[] whole = (await friend.LogAsync(LogPageIdentifier.Discovery, 4096)).Data;
        Assert.Equal(whole[1000..1200], (await friend.LogAsync(LogPageIdentifier.Discovery, 200, offset: 1000)).Data);
        Assert.True((await friend.LogAsync(LogPageIdentifier.Discovery, 4, offset: 4096)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task The_discovery_filter_hides_other_addresses()
    {
        await using CoreBench bench = await CoreBench.StartAsync(configure: c => c.DiscoveryFilter = DiscoveryFilter.Address | DiscoveryFilter.ServiceId);
        await bench.RunAsync(() => bench.Target.AddListenerAsync(bench.Target.FindSubsystem(CoreBench.Subsystem)!, FakeTransport.Address with { ServiceId = "4421" }, AnaState.Optimized));
        FakeHost host = await new FakeHost(bench) { SubNqn = Nqn.Discovery }.ConnectAsync(0);
        Assert.Equal([Nqn.Discovery, CoreBench.Subsystem], await NamesAsync(host));
    }

    [Fact]
    public async Task Discovery_changes_are_told_to_hosts_that_keep_alive()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost persistent = await new FakeHost(bench) { SubNqn = Nqn.Discovery, Kato = 30_000 }.ConnectAsync(0);
        FakeHost passing = await new FakeHost(bench) { SubNqn = Nqn.Discovery }.ConnectAsync(0);
        Task<Outcome> told = persistent.EventAsync(), silent = passing.EventAsync();
        ulong before = await GenerationAsync(persistent);
        await bench.RunAsync(() => bench.Target.CreateSubsystemAsync("nqn.2026-11.io.spindle:more", false, new SubsystemOptions()));
        Assert.Equal(AsynchronousEvent.DiscoveryLogPageChange.Raw, (await told.WaitAsync(TimeSpan.FromSeconds(10))).Completion.Cdw0);
        Assert.True(await GenerationAsync(persistent) > before);
        Assert.False(silent.IsCompleted);
    }

    [Fact]
    public async Task Discovery_controllers_have_few_commands()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench) { SubNqn = Nqn.Discovery }.ConnectAsync(0);
        IdentifyController data = await host.IdentifyAsync<IdentifyController>(IdentifyCns.Controller);
        Assert.Equal((ControllerType.Discovery, 0u), (data.Cntrltype, data.Nn));
        Assert.True((await host.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.True((await host.AdminAsync(AdminOpcode.Abort)).Status.Is(GenericStatusCode.InvalidCommandOpcode));
        Assert.True((await host.LogAsync(LogPageIdentifier.SmartHealthInformation, 512)).Status.Is(CommandSpecificStatusCode.InvalidLogPage));
        Assert.True((await host.GetFeatureAsync(Spindle.Nvme.Features.FeatureIdentifier.NumberOfQueues)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.Equal(KeepAlive.DiscoveryTimeout, (await host.GetFeatureAsync(Spindle.Nvme.Features.FeatureIdentifier.KeepAliveTimer)).Completion.Cdw0);
        FakeConnection io = await bench.Transport.AcceptAsync();
        Assert.True((await host.SendConnectAsync(io, 1)).Status.Is(Spindle.Nvme.Commands.FabricsStatusCode.ConnectInvalidParameters));
    }

    private static async Task<ulong> GenerationAsync(FakeHost host) =>
        WireBuffer.Read<DiscoveryLogPageHeader>((await host.LogAsync(LogPageIdentifier.Discovery, 1024)).Data).Genctr;

    private static async Task<List<string>> NamesAsync(FakeHost host)
    {
        byte[] page = (await host.LogAsync(LogPageIdentifier.Discovery, 16 * 1024)).Data;
        int count = (int)WireBuffer.Read<DiscoveryLogPageHeader>(page).Numrec;
        List<string> names = [];
        for (int i = 1; i <= count; i++)
        {
            DiscoveryLogPageEntry entry = WireBuffer.Read<DiscoveryLogPageEntry>(page.AsSpan(i * 1024));
            Assert.True(Nqn.TryRead(entry.Subnqn, out string name));
            names.Add(name);
        }
        return names;
    }
}
