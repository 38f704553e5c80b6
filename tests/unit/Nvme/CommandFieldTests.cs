using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Registers;

namespace Spindle.UnitTests.Nvme;

/// <summary>Bit fields of commands, completions, descriptors and registers.</summary>
public class CommandFieldTests
{
    [Fact]
    public void Fuse_and_psdt_share_a_byte_without_touching_each_other()
    {
        SubmissionQueueEntry sqe = default;
        sqe.Fuse = FusedOperation.SecondCommand;
        sqe.Psdt = PrpOrSgl.SglMptrContiguous;
        Assert.Equal(0x42, sqe.Flags);
        sqe.Psdt = PrpOrSgl.SglMptrSgl;
        sqe.Fuse = FusedOperation.FirstCommand;
        Assert.Equal(0x81, sqe.Flags);
        Assert.Equal(PrpOrSgl.SglMptrSgl, sqe.Psdt);
        Assert.Equal(FusedOperation.FirstCommand, sqe.Fuse);
    }

    [Theory]
    [InlineData((byte)NvmOpcode.Flush, 0, DataTransferDirection.None)]
    [InlineData((byte)NvmOpcode.Write, 0, DataTransferDirection.HostToController)]
    [InlineData((byte)NvmOpcode.Read, 0, DataTransferDirection.ControllerToHost)]
    [InlineData((byte)NvmOpcode.Compare, 0, DataTransferDirection.HostToController)]
    [InlineData((byte)NvmOpcode.WriteZeroes, 0, DataTransferDirection.None)]
    [InlineData((byte)NvmOpcode.DatasetManagement, 0, DataTransferDirection.HostToController)]
    [InlineData((byte)AdminOpcode.Identify, 0, DataTransferDirection.ControllerToHost)]
    [InlineData(0x7F, (byte)FabricsCommandType.Connect, DataTransferDirection.HostToController)]
    [InlineData(0x7F, (byte)FabricsCommandType.PropertyGet, DataTransferDirection.None)]
    [InlineData(0x7F, (byte)FabricsCommandType.AuthenticationReceive, DataTransferDirection.ControllerToHost)]
    public void Data_direction_comes_from_opcode_or_fctype(byte opcode, byte fctype, DataTransferDirection expected)
    {
        SubmissionQueueEntry sqe = new() { Opcode = opcode, Fctype = (FabricsCommandType)fctype };
        Assert.Equal(expected, sqe.DataTransfer);
    }

    [Fact]
    public void Overlays_write_through_to_the_entry()
    {
        SubmissionQueueEntry sqe = default;
        ref NvmIoCommand io = ref sqe.As<NvmIoCommand>();
        io.Slba = 0x1122_3344_5566_7788;
        io.BlockCount = 65536;
        io.Flags = NvmIoFlags.ForceUnitAccess;
        Assert.Equal(0x5566_7788u, sqe.Cdw10);
        Assert.Equal(0x1122_3344u, sqe.Cdw11);
        Assert.Equal(0x4000_FFFFu, sqe.Cdw12);
        Assert.Equal(65536u, io.BlockCount);

        sqe = default;
        ref GetLogPageCommand log = ref sqe.As<GetLogPageCommand>();
        log.Lid = LogPageIdentifier.Discovery;
        log.LengthInBytes = 0x5_0000;
        log.RetainAsynchronousEvent = true;
        log.Lsp = 0x0F;
        log.Lpo = 0x1_0000_0400;
        Assert.Equal(0x3FFF_8F70u, sqe.Cdw10);
        Assert.Equal(1u, sqe.Cdw11);
        Assert.Equal(0x400u, sqe.Cdw12);
        Assert.Equal(1u, sqe.Cdw13);
        Assert.Equal(0x5_0000ul, log.LengthInBytes);
        Assert.Equal(0x1_0000_0400ul, log.Lpo);
    }

    [Fact]
    public void Largest_numd_does_not_overflow()
    {
        SubmissionQueueEntry sqe = new() { Cdw10 = 0xFFFF_0000, Cdw11 = 0x0000_FFFF };
        Assert.Equal(1ul << 34, sqe.As<GetLogPageCommand>().LengthInBytes);
        sqe.Cdw10 = uint.MaxValue;
        Assert.Equal(1ul << 34, sqe.As<ReservationCommand>().ReportLengthInBytes);
    }

    [Fact]
    public void Feature_commands_keep_fid_apart_from_sel_and_sv()
    {
        SubmissionQueueEntry sqe = default;
        ref GetFeaturesCommand get = ref sqe.As<GetFeaturesCommand>();
        get.Fid = FeatureIdentifier.HostIdentifier;
        get.Sel = FeatureSelect.SupportedCapabilities;
        Assert.Equal(0x381u, sqe.Cdw10);
        sqe = default;
        ref SetFeaturesCommand set = ref sqe.As<SetFeaturesCommand>();
        set.Fid = FeatureIdentifier.NumberOfQueues;
        set.Sv = true;
        Assert.Equal(0x8000_0007u, sqe.Cdw10);
        set.Sv = false;
        Assert.Equal(7u, sqe.Cdw10);
    }

    [Fact]
    public void Status_packs_every_field_into_its_bits()
    {
        StatusField status = new(StatusCodeType.MediaAndDataIntegrity, (byte)MediaStatusCode.CompareFailure, dnr: true, more: true, crd: 2);
        Assert.Equal((0x85 << 1) | (2 << 9) | (2 << 12) | (1 << 14) | (1 << 15), status.Raw);
        Assert.Equal(0x85, status.StatusCode);
        Assert.Equal(StatusCodeType.MediaAndDataIntegrity, status.StatusCodeType);
        Assert.Equal(2, status.CommandRetryDelay);
        Assert.True(status.More);
        Assert.True(status.DoNotRetry);
        Assert.False(status.PhaseTag);
        Assert.False(status.IsSuccess);
        Assert.True(status.Is(MediaStatusCode.CompareFailure));
        Assert.False(status.Is((GenericStatusCode)0x85));
        Assert.True(status.WithPhase(true).PhaseTag);
        Assert.Equal(status, status.WithPhase(true).WithPhase(false));
    }

    [Fact]
    public void Success_ignores_phase_and_hints()
    {
        Assert.True(StatusField.Success.IsSuccess);
        Assert.True(new StatusField(1).IsSuccess);
        Assert.True(new StatusField(StatusCodeType.Generic, 0, dnr: true).IsSuccess);
        Assert.False(new StatusField(StatusCodeType.PathRelated, 0).IsSuccess);
        Assert.Contains("InvalidFieldInCommand", new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true).ToString());
    }

    [Fact]
    public void Sgl_descriptors_decode_by_type_and_subtype()
    {
        SglDescriptor inCapsule = SglDescriptor.InCapsule(512, 4096);
        Assert.Equal(0x01, inCapsule.SglIdentifier);
        Assert.True(inCapsule.IsInCapsule);
        Assert.False(inCapsule.IsTransportDataBlock);
        Assert.Equal(512ul, inCapsule.Address);

        SglDescriptor transport = SglDescriptor.TransportDataBlock(131072);
        Assert.Equal(0x5A, transport.SglIdentifier);
        Assert.True(transport.IsTransportDataBlock);
        Assert.Equal(SglDescriptorType.TransportDataBlock, transport.Type);
        Assert.Equal(SglDescriptorSubType.TransportSpecific, transport.SubType);
        Assert.Equal(131072u, transport.Length);

        SglDescriptor keyed = SglDescriptor.KeyedDataBlock(0x1000, 0x00AB_CDEF, 0x1234_5678);
        Assert.Equal(0x40, keyed.SglIdentifier);
        Assert.Equal(0x00AB_CDEFu, keyed.KeyedLength);
        Assert.Equal(0x1234_5678u, keyed.Key);

        Assert.True(default(SglDescriptor).IsEmpty);
        Assert.False(default(SglDescriptor).IsInCapsule);
    }

    [Fact]
    public void Connect_response_carries_cntlid_or_the_place_of_the_error()
    {
        Assert.Equal(0x0002_0007u, ConnectResponse.Success(7, authreq: 2));
        Assert.Equal(7, ConnectResponse.Cntlid(0x0002_0007));
        Assert.Equal(2, ConnectResponse.Authreq(0x0002_0007));
        uint inData = ConnectResponse.InvalidParameters(ConnectResponse.IpoSubnqn, inData: true);
        Assert.Equal(0x0001_0100u, inData);
        Assert.Equal(256, ConnectResponse.InvalidParameterOffset(inData));
        Assert.True(ConnectResponse.IsInData(inData));
        Assert.False(ConnectResponse.IsInData(ConnectResponse.InvalidParameters(ConnectResponse.IpoSqsize, inData: false)));
    }

    [Fact]
    public void Cap_fields_do_not_overlap()
    {
        ControllerCapabilities cap = new(0)
        {
            Mqes = 1023,
            Cqr = true,
            To = 30,
            Css = CommandSetsSupported.NvmCommandSet,
            Mpsmax = 4,
            Crms = 1,
        };
        Assert.Equal(1023ul | 1ul << 16 | 30ul << 24 | 1ul << 37 | 4ul << 52 | 1ul << 59, cap.Raw);
        cap.Mqes = 0xFFFF;
        cap.Mqes = 127;
        Assert.Equal(127, cap.Mqes);
        Assert.Equal(30, cap.To);
        Assert.Equal(CommandSetsSupported.NvmCommandSet, cap.Css);
    }

    [Fact]
    public void Cc_and_csts_decode_what_linux_writes()
    {
        // IOSQES 6, IOCQES 4, 4 KiB pages, NVM command set, enabled.
        ControllerConfiguration cc = new(0x0046_0001);
        Assert.True(cc.En);
        Assert.Equal(6, cc.Iosqes);
        Assert.Equal(4, cc.Iocqes);
        Assert.Equal(0, cc.Mps);
        Assert.Equal(CommandSetSelected.Nvm, cc.Css);
        cc.Shn = ShutdownNotification.Normal;
        Assert.Equal(0x0046_4001u, cc.Raw);
        Assert.Equal(0u, cc.Raw & ControllerConfiguration.ReservedMask);

        ControllerStatus csts = new(0) { Rdy = true, Shst = ShutdownStatus.Complete };
        Assert.Equal(0x9u, csts.Raw);
        csts.Cfs = true;
        csts.Shst = ShutdownStatus.Normal;
        Assert.Equal(0x3u, csts.Raw);
        Assert.Equal(0x0001_0400u, new NvmeVersion(1, 4, 0).Raw);
        Assert.Equal("2.0.0", new NvmeVersion(0x0002_0000).ToString());
        AdminQueueAttributes aqa = new(0x001F_003F);
        Assert.Equal(0x3F, aqa.Asqs);
        Assert.Equal(0x1F, aqa.Acqs);
    }

    [Fact]
    public void Asynchronous_events_have_type_information_and_log_page()
    {
        Assert.Equal(0x0004_0002u, AsynchronousEvent.NamespaceAttributeChanged.Raw);
        Assert.Equal(0x000C_0302u, AsynchronousEvent.AsymmetricNamespaceAccessChange.Raw);
        Assert.Equal(0x0070_F002u, AsynchronousEvent.DiscoveryLogPageChange.Raw);
        AsynchronousEvent received = new(0x0070_F002);
        Assert.Equal(AsynchronousEventType.Notice, received.Type);
        Assert.Equal(NoticeEvent.DiscoveryLogPageChange, (NoticeEvent)received.Information);
        Assert.Equal(LogPageIdentifier.Discovery, received.LogPage);
    }

    [Fact]
    public void Format_index_takes_its_upper_bits_from_bits_6_and_5()
    {
        Assert.Equal(0x3F, new IdentifyNamespace { Flbas = 0x7F }.FormatIndex);
        Assert.Equal(0x0F, new IdentifyNamespace { Flbas = 0x1F }.FormatIndex);
        Assert.Equal(0x10, new IdentifyNamespace { Flbas = 0x20 }.FormatIndex);
    }

    [Fact]
    public void Identification_descriptors_round_trip()
    {
        byte[] list = new byte[4096];
        Guid uuid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        NamespaceIdentificationDescriptorWriter writer = new(list);
        Assert.True(writer.TryAdd(NamespaceIdentifierType.Eui64, [1, 2, 3, 4, 5, 6, 7, 8]));
        Assert.True(writer.TryAdd(uuid));
        Assert.True(writer.TryAdd(CommandSetIdentifier.Nvm));
        Assert.False(writer.TryAdd(NamespaceIdentifierType.Nguid, [1, 2]));
        Assert.Equal(12 + 20 + 5, writer.Length);
        Assert.Equal(0x00, list[16]);
        Assert.Equal(0x11, list[17]);

        NamespaceIdentificationDescriptorReader reader = new(list);
        Assert.True(reader.TryRead(out NamespaceIdentifierType type, out ReadOnlySpan<byte> id));
        Assert.Equal(NamespaceIdentifierType.Eui64, type);
        Assert.Equal(8, id.Length);
        Assert.True(reader.TryRead(out type, out id));
        Assert.Equal(uuid, new Guid(id, bigEndian: true));
        Assert.True(reader.TryRead(out type, out id));
        Assert.Equal(NamespaceIdentifierType.Csi, type);
        Assert.False(reader.TryRead(out _, out _));
    }

    [Fact]
    public void Identification_descriptor_past_the_end_is_not_read()
    {
        NamespaceIdentificationDescriptorReader reader = new([3, 16, 0, 0, 1, 2, 3]);
        Assert.False(reader.TryRead(out _, out _));
        reader = new NamespaceIdentificationDescriptorReader([3, 16, 0]);
        Assert.False(reader.TryRead(out _, out _));
        NamespaceIdentificationDescriptorWriter writer = new(new byte[19]);
        Assert.False(writer.TryAdd(Guid.NewGuid()));
        Assert.Equal(0, writer.Length);
    }

    [Fact]
    public void Uuid_bytes_are_big_endian()
    {
        Guid uuid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        UuidBytes bytes = UuidBytes.FromGuid(uuid);
        Assert.Equal("00112233445566778899AABBCCDDEEFF", Convert.ToHexString(bytes));
        Assert.Equal(uuid, bytes.ToGuid());
    }
}
