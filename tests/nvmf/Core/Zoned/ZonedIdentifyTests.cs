using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.ContractTests.Broken;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Registers;
using Spindle.Nvme.Zoned;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core.Zoned;

/// <summary>What hosts are told of zoned namespaces: those that have enabled all command sets, and those that have not.</summary>
public class ZonedIdentifyTests
{
    private static uint[] List(Outcome outcome)
    {
        Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());
        return [.. MemoryMarshal.Cast<byte, uint>(outcome.Data).ToArray().TakeWhile(nsid => nsid != 0)];
    }

    private static async Task<CoreBench> StartAsync()
    {
        CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new BrokenZonedDisk("Z0", ZoneDefect.None));
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        return bench;
    }

    [Fact]
    public async Task A_host_that_has_enabled_all_command_sets_is_told_of_zones()
    {
        await using CoreBench bench = await StartAsync();
        FakeHost host = await ZonedHost.ConnectAsync(bench);
        uint[] active = await host.ActiveNamespacesAsync();
        Assert.Equal([1u, 2], active);
        uint[] zoned = List(await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificActiveNamespaceIdList, csi: CommandSetIdentifier.ZonedNamespace));
        uint[] others = List(await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificActiveNamespaceIdList));
        Assert.Equal([1u], zoned);
        Assert.Equal([2u], others);
        foreach (var (nsid, csi) in new[] { (1u, CommandSetIdentifier.ZonedNamespace), (2u, CommandSetIdentifier.Nvm) })
        {
            var reader = new NamespaceIdentificationDescriptorReader((await host.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, nsid)).Data);
            bool found = false;
            while (reader.TryRead(out var type, out var identifier))
                if (type == NamespaceIdentifierType.Csi) found = identifier[0] == (byte)csi;
            Assert.True(found, $"namespace {nsid} is not told to be {csi}");
        }
        var data = await host.IdentifyAsync<IdentifyNamespaceZoned>(IdentifyCns.IoCommandSetSpecificNamespace, 1, CommandSetIdentifier.ZonedNamespace);
        Assert.Equal((64ul, 0, 7u, 9u, 0), (data.Lbafe[0].Zsze, data.Lbafe[0].Zdes, data.Mor, data.Mar, data.Zoc));
        Assert.Equal(OptionalZonedCommandSupport.ReadAcrossZoneBoundaries, data.Ozcs);
        Assert.Equal((1024ul, 0), ((await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 1)).Nsze, (await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 1)).Noiob));
        // 16 blocks of 512 bytes are two pages: 2^1.
        Assert.Equal(1, (await host.IdentifyAsync<IdentifyControllerZoned>(IdentifyCns.IoCommandSetSpecificController, csi: CommandSetIdentifier.ZonedNamespace)).Zasl);
        Outcome sets = await host.IdentifyAsync(IdentifyCns.IoCommandSet, cntid: ushort.MaxValue);
        Assert.Equal(IoCommandSetVector.Nvm | IoCommandSetVector.ZonedNamespace, MemoryMarshal.Read<IoCommandSetVector>(sets.Data));
        StatusField other = (await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificNamespace, 2, CommandSetIdentifier.ZonedNamespace)).Status;
        Assert.True(other.Is(CommandSpecificStatusCode.InvalidIoCommandSet), other.ToString());
        Assert.True((await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificNamespace, 1)).Status.IsSuccess);
    }

    [Fact]
    public async Task A_host_of_the_NVM_command_set_has_no_zoned_namespaces()
    {
        await using CoreBench bench = await StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        uint[] active = await host.ActiveNamespacesAsync();
        Assert.Equal([2u], active);
        Assert.Equal(0ul, (await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 1)).Nsze);
        foreach (IdentifyCns cns in new[] { IdentifyCns.IoCommandSetSpecificNamespace, IdentifyCns.IoCommandSetSpecificController, IdentifyCns.IoCommandSetSpecificActiveNamespaceIdList })
            Assert.True((await host.IdentifyAsync(cns, 1, CommandSetIdentifier.ZonedNamespace)).Status.Is(GenericStatusCode.InvalidFieldInCommand), cns.ToString());
        Assert.True((await host.ReadAsync(0, 1)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.WriteAsync(0, new byte[512])).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.SendAsync(ZoneSendAction.Reset, 0)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.ReceiveAsync(0, 4096)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.WriteAsync(0, new byte[512], nsid: 2)).Status.IsSuccess);
        // Nor does another namespace take the zoned commands.
        Assert.True((await host.SendAsync(ZoneSendAction.Reset, 0, nsid: 2)).Status.Is(GenericStatusCode.InvalidCommandOpcode));
    }

    [Fact]
    public async Task Command_sets_are_chosen_while_the_controller_is_disabled()
    {
        await using CoreBench bench = await StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        ControllerCapabilities capabilities = new((await host.GetPropertyAsync(PropertyOffset.Cap, Spindle.Nvme.Fabrics.PropertySize.EightBytes)).Completion.Result);
        Assert.Equal(CommandSetsSupported.NvmCommandSet | CommandSetsSupported.IoCommandSets, capabilities.Css);
        ControllerConfiguration all = new() { En = true, Css = CommandSetSelected.AllSupportedIoCommandSets, Iosqes = 6, Iocqes = 4 };
        Assert.False((await host.SetPropertyAsync(PropertyOffset.Cc, all.Raw)).Status.IsSuccess);
        Assert.Equal(CommandSetSelected.Nvm, new ControllerConfiguration((uint)(await host.GetPropertyAsync(PropertyOffset.Cc)).Completion.Result).Css);
        Assert.False((await host.SetPropertyAsync(PropertyOffset.Cc, new ControllerConfiguration { Css = CommandSetSelected.AdminOnly }.Raw)).Status.IsSuccess);
        await host.SetConfigurationAsync(new ControllerConfiguration { Iosqes = 6, Iocqes = 4 });
        await host.WaitForStatusAsync(status => !status.Rdy);
        // As Linux does it: in two steps, with a look between them.
        await host.SetConfigurationAsync(new ControllerConfiguration(all.Raw) { En = false });
        Assert.Equal(CommandSetSelected.AllSupportedIoCommandSets, new ControllerConfiguration((uint)(await host.GetPropertyAsync(PropertyOffset.Cc)).Completion.Result).Css);
        await host.SetConfigurationAsync(all);
        Assert.Equal(CommandSetSelected.AllSupportedIoCommandSets, new ControllerConfiguration((uint)(await host.GetPropertyAsync(PropertyOffset.Cc)).Completion.Result).Css);
        uint[] active = await host.ActiveNamespacesAsync();
        Assert.Equal([1u, 2], active);
    }

    [Fact]
    public async Task The_effects_log_has_the_commands_of_the_set_that_is_asked_for()
    {
        await using CoreBench bench = await StartAsync();
        FakeHost host = await ZonedHost.ConnectAsync(bench);
        async Task<(bool Read, bool Send, bool Receive, bool Append)> LogAsync(CommandSetIdentifier csi)
        {
            Outcome outcome = await host.LogAsync(LogPageIdentifier.CommandsSupportedAndEffects, 4096, csi: csi);
            Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());
            var log = WireBuffer.Read<CommandsSupportedAndEffectsLogPage>(outcome.Data);
            bool Has(byte opcode) => (log.Iocs[opcode] & CommandEffects.CommandSupported) != 0;
            return (Has((byte)NvmOpcode.Read), Has((byte)ZonedOpcode.ZoneManagementSend), Has((byte)ZonedOpcode.ZoneManagementReceive), Has((byte)ZonedOpcode.ZoneAppend));
        }
        Assert.Equal((true, true, true, true), await LogAsync(CommandSetIdentifier.ZonedNamespace));
        Assert.Equal((true, false, false, false), await LogAsync(CommandSetIdentifier.Nvm));
        Assert.True((await host.LogAsync(LogPageIdentifier.CommandsSupportedAndEffects, 4096, csi: CommandSetIdentifier.KeyValue)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        // One namespace that cannot append, and a host is told of none that can.
        await bench.AddNamespaceAsync(new ManyZones("Z1", 4, appends: false));
        Assert.Equal((true, true, true, false), await LogAsync(CommandSetIdentifier.ZonedNamespace));
        FakeHost other = await new FakeHost(bench) { HostNqn = "nqn.2026-11.io.spindle:other" }.ConnectAsync(0);
        Outcome ignored = await other.LogAsync(LogPageIdentifier.CommandsSupportedAndEffects, 4096, csi: CommandSetIdentifier.ZonedNamespace);
        Assert.Equal(CommandEffects.None, WireBuffer.Read<CommandsSupportedAndEffectsLogPage>(ignored.Data).Iocs[(byte)ZonedOpcode.ZoneManagementSend]);
    }

    [Fact]
    public async Task Limits_that_there_are_none_of_are_all_ones_and_appends_go_up_to_MDTS()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new ManyZones("Z0", 4));
        FakeHost host = await ZonedHost.ConnectAsync(bench);
        var data = await host.IdentifyAsync<IdentifyNamespaceZoned>(IdentifyCns.IoCommandSetSpecificNamespace, 1, CommandSetIdentifier.ZonedNamespace);
        Assert.Equal((uint.MaxValue, uint.MaxValue), (data.Mor, data.Mar));
        Assert.Equal(0, (await host.IdentifyAsync<IdentifyControllerZoned>(IdentifyCns.IoCommandSetSpecificController, csi: CommandSetIdentifier.ZonedNamespace)).Zasl);
    }

    [Fact]
    public void Structures_have_the_sizes_and_places_of_the_specification()
    {
        Assert.Equal((4096, 4096, 64, 64, 16), (Marshal.SizeOf<IdentifyNamespaceZoned>(), Marshal.SizeOf<IdentifyControllerZoned>(), Marshal.SizeOf<ZoneReportHeader>(), Marshal.SizeOf<ZoneDescriptor>(),
            Marshal.SizeOf<LbaFormatExtension>()));
        Assert.Equal(2816, (int)Marshal.OffsetOf<IdentifyNamespaceZoned>(nameof(IdentifyNamespaceZoned.Lbafe)));
    }

    [Fact]
    public async Task Appends_that_NVMe_has_no_value_for_are_refused_with_the_namespace()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        var refused = await Assert.ThrowsAsync<Spindle.Rpc.RpcException>(() => bench.AddNamespaceAsync(new SmallAppends()));
        Assert.Contains("8192", refused.Message);
    }

    private sealed class SmallAppends : Bdev
    {
        public SmallAppends() : base("S0", "Small appends", 512, 64) => (ZoneSizeBlocks, MaxZoneAppendBlocks) = (32, 8);

        public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement or BdevIoType.ZoneAppend;

        protected override Spindle.Threading.IoChannel CreateChannel(Spindle.Threading.IStorageThread thread) => throw new NotSupportedException();

        public override void Submit(Spindle.Threading.IoChannel channel, BdevIo io) => throw new NotSupportedException();
    }
}
