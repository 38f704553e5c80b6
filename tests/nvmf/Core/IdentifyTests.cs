using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class IdentifyTests
{
    [Fact]
    public async Task Identify_controller_tells_what_the_subsystem_was_made_with()
    {
        await using CoreBench bench = await CoreBench.StartAsync(o => o.InCapsuleDataSize = 8192,
            new SubsystemOptions { SerialNumber = "SN42", ModelNumber = "A model", MaxNamespaces = 17 });
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        IdentifyController data = await host.IdentifyAsync<IdentifyController>(IdentifyCns.Controller);
        Assert.Equal("SN42", AsciiField.Read(data.Sn));
        Assert.Equal("A model", AsciiField.Read(data.Mn));
        Assert.True(Nqn.TryRead(data.Subnqn, out string nqn));
        Assert.Equal(CoreBench.Subsystem, nqn);
        Assert.Equal((17u, host.Cntlid, ControllerType.Io), (data.Nn, data.Cntlid, data.Cntrltype));
        Assert.Equal((byte)5, data.Mdts);
        Assert.Equal((64u + 8192) / 16, data.Ioccsz);
        Assert.Equal((0x66, 0x44), (data.Sqes, data.Cqes));
        Assert.Equal((ushort)128, data.Maxcmd);
        Assert.Equal((ushort)100, data.Kas);
        Assert.Equal(OptionalNvmCommandSupport.None, data.Oncs & OptionalNvmCommandSupport.Reservations);
        Assert.Equal(FusedOperationSupport.CompareAndWrite, data.Fuses);
    }

    [Fact]
    public async Task Dataset_management_is_announced_only_when_all_bdevs_can()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("Can"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.NotEqual(OptionalNvmCommandSupport.None, (await host.IdentifyAsync<IdentifyController>(IdentifyCns.Controller)).Oncs & OptionalNvmCommandSupport.DatasetManagement);
        await bench.AddNamespaceAsync(new TestBdev("Cannot", types: [BdevIoType.Read, BdevIoType.Write]));
        Assert.Equal(OptionalNvmCommandSupport.None, (await host.IdentifyAsync<IdentifyController>(IdentifyCns.Controller)).Oncs & OptionalNvmCommandSupport.DatasetManagement);
    }

    [Fact]
    public async Task Identify_namespace_tells_the_bdevs_geometry()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0", blocks: 100, blockSize: 4096), nsid: 3);
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        IdentifyNamespace data = await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 3);
        Assert.Equal((100ul, 100ul, 100ul), (data.Nsze, data.Ncap, data.Nuse));
        Assert.Equal((12, 0, 0), (data.Lbaf[0].Lbads, data.Lbaf[0].Ms, data.Flbas));
        Assert.Equal(bdev.Uuid, data.Nguid.ToGuid());
        Assert.Equal(NamespaceSharing.Shared, data.Nmic);
    }

    [Fact]
    public async Task Interleaved_metadata_is_an_extended_format()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("Dif", blockSize: 520, metadata: 8, dif: DifType.Type1));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        IdentifyNamespace data = await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 1);
        Assert.Equal((9, 8, 1 << 4), (data.Lbaf[0].Lbads, data.Lbaf[0].Ms, data.Flbas));
        Assert.Equal(DataProtectionCapabilities.Type1 | DataProtectionCapabilities.LastBytesOfMetadata, data.Dpc);
        Assert.Equal(1, data.Dps & 7);
        Assert.True((await host.ReadAsync(0, 2, bytes: 1040)).Status.IsSuccess);
    }

    [Theory]
    [InlineData(DifFormat.Guard16, 0, 0)]
    [InlineData(DifFormat.Guard32, 5, 16)]
    [InlineData(DifFormat.Guard64, 5, 0)]
    public async Task The_command_set_tells_the_format_of_protection_information(DifFormat format, int capabilities, int storageTagBits)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("Dif", blockSize: 4096 + 16, metadata: 16, dif: DifType.Type1, format: format));
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        IdentifyNamespaceNvm data = await host.IdentifyAsync<IdentifyNamespaceNvm>(IdentifyCns.IoCommandSetSpecificNamespace, 1);
        Assert.Equal((capabilities, (uint)(storageTagBits | (int)format << 7)), ((int)data.Pic, data.Elbaf0));
    }

    [Theory]
    [InlineData(IdentifyCns.Namespace)]
    [InlineData(IdentifyCns.NamespaceIdentificationDescriptorList)]
    [InlineData(IdentifyCns.IoCommandSetSpecificNamespace)]
    [InlineData(IdentifyCns.IoCommandSetIndependentNamespace)]
    public async Task Nsids_that_cannot_be_are_invalid(IdentifyCns cns)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        foreach (uint nsid in new[] { 0u, 33u, NvmeConstants.BroadcastNsid })
            Assert.True((await host.IdentifyAsync(cns, nsid)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
    }

    [Fact]
    public async Task An_inactive_namespace_is_all_zeroes()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Outcome outcome = await host.IdentifyAsync(IdentifyCns.Namespace, 5);
        Assert.True(outcome.Status.IsSuccess);
        Assert.DoesNotContain(outcome.Data, b => b != 0);
        Assert.True((await host.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, 5)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task Descriptors_name_a_namespace()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        Bytes8 eui64 = default;
        ((Span<byte>)eui64).Fill(0xAB);
        Guid uuid = Guid.NewGuid();
        await bench.RunAsync(async () =>
        {
            bench.Bdevs.Register(new TestBdev("T0"));
            await bench.Target.Namespaces.AddAsync(bench.Target.FindSubsystem(CoreBench.Subsystem)!, new NamespaceParameters("T0", 1, Eui64: eui64, Uuid: uuid));
        });
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Outcome outcome = await host.IdentifyAsync(IdentifyCns.NamespaceIdentificationDescriptorList, 1);
        NamespaceIdentificationDescriptorReader reader = new(outcome.Data);
        List<(NamespaceIdentifierType, string)> found = [];
        while (reader.TryRead(out NamespaceIdentifierType type, out ReadOnlySpan<byte> id)) found.Add((type, Convert.ToHexString(id)));
        string uuidHex = Convert.ToHexString(uuid.ToByteArray(bigEndian: true));
        Assert.Equal([(NamespaceIdentifierType.Eui64, "ABABABABABABABAB"), (NamespaceIdentifierType.Nguid, uuidHex), (NamespaceIdentifierType.Uuid, uuidHex), (NamespaceIdentifierType.Csi, "00")], found);
    }

    [Fact]
    public async Task The_active_list_starts_after_the_nsid_given()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        foreach (uint nsid in new[] { 2u, 5u, 9u }) await bench.AddNamespaceAsync(new TestBdev($"T{nsid}"), nsid);
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.Equal(new uint[] { 2, 5, 9 }, await host.ActiveNamespacesAsync());
        uint[] after = MemoryMarshal.Cast<byte, uint>((await host.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, 5)).Data).ToArray();
        Assert.Equal([9u, 0u], after[..2]);
        Assert.True((await host.IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, 0xFFFF_FFFE)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificActiveNamespaceIdList, 0, CommandSetIdentifier.ZonedNamespace)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Theory]
    [InlineData(IdentifyCns.AllocatedNamespaceIdList)]
    [InlineData(IdentifyCns.UuidList)]
    [InlineData(IdentifyCns.NvmSetList)]
    [InlineData((IdentifyCns)0xFE)]
    public async Task Structures_not_supported_are_invalid_fields(IdentifyCns cns)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Assert.True((await host.IdentifyAsync(cns, 1)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
    }

    [Fact]
    public async Task Data_over_several_buffers_is_whole_and_too_little_room_is_refused()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        byte[] whole = (await host.IdentifyAsync(IdentifyCns.Controller)).Data;
        host.Admin.BufferSize = 1000;
        Assert.Equal(whole, (await host.IdentifyAsync(IdentifyCns.Controller)).Data);
        Assert.True((await host.IdentifyAsync(IdentifyCns.Controller, length: 4092)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        byte[] longer = (await host.IdentifyAsync(IdentifyCns.Controller, length: 6000)).Data;
        Assert.DoesNotContain(longer[4096..], b => b != 0);
    }

    [Fact]
    public async Task Command_set_structures_are_those_of_command_sets_that_there_are()
    {
        await using CoreBench bench = await CoreBench.StartAsync(subsystem: new SubsystemOptions { MaxWriteZeroesSizeKib = 64, MaxDiscardSizeKib = 100 });
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        IdentifyControllerNvm data = await host.IdentifyAsync<IdentifyControllerNvm>(IdentifyCns.IoCommandSetSpecificController);
        Assert.Equal((4, 200u), (data.Wzsl, data.Dmrsl));
        Assert.True((await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificNamespace, 1)).Status.IsSuccess);
        Assert.True((await host.IdentifyAsync(IdentifyCns.IoCommandSetSpecificController, csi: CommandSetIdentifier.KeyValue)).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        IdentifyNamespaceIndependent independent = await host.IdentifyAsync<IdentifyNamespaceIndependent>(IdentifyCns.IoCommandSetIndependentNamespace, 1);
        Assert.Equal(1, independent.Nstat);
        Assert.Equal(1ul, BitConverter.ToUInt64((await host.IdentifyAsync(IdentifyCns.IoCommandSet, cntid: ushort.MaxValue)).Data));
    }
}
