using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Tcp;

namespace Spindle.UnitTests.Nvme;

/// <summary>Sizes of structures and offsets of fields, against the figures of the specifications.</summary>
public class StructureLayoutTests
{
    public static TheoryData<string, int, int> Sizes() => new()
    {
        { nameof(SubmissionQueueEntry), Unsafe.SizeOf<SubmissionQueueEntry>(), 64 },
        { nameof(CompletionQueueEntry), Unsafe.SizeOf<CompletionQueueEntry>(), 16 },
        { nameof(StatusField), Unsafe.SizeOf<StatusField>(), 2 },
        { nameof(SglDescriptor), Unsafe.SizeOf<SglDescriptor>(), 16 },
        { nameof(IdentifyCommand), Unsafe.SizeOf<IdentifyCommand>(), 64 },
        { nameof(GetLogPageCommand), Unsafe.SizeOf<GetLogPageCommand>(), 64 },
        { nameof(GetFeaturesCommand), Unsafe.SizeOf<GetFeaturesCommand>(), 64 },
        { nameof(SetFeaturesCommand), Unsafe.SizeOf<SetFeaturesCommand>(), 64 },
        { nameof(AbortCommand), Unsafe.SizeOf<AbortCommand>(), 64 },
        { nameof(CreateIoSubmissionQueueCommand), Unsafe.SizeOf<CreateIoSubmissionQueueCommand>(), 64 },
        { nameof(CreateIoCompletionQueueCommand), Unsafe.SizeOf<CreateIoCompletionQueueCommand>(), 64 },
        { nameof(DeleteIoQueueCommand), Unsafe.SizeOf<DeleteIoQueueCommand>(), 64 },
        { nameof(NvmIoCommand), Unsafe.SizeOf<NvmIoCommand>(), 64 },
        { nameof(DatasetManagementCommand), Unsafe.SizeOf<DatasetManagementCommand>(), 64 },
        { nameof(DatasetManagementRange), Unsafe.SizeOf<DatasetManagementRange>(), 16 },
        { nameof(CopyCommand), Unsafe.SizeOf<CopyCommand>(), 64 },
        { nameof(CopySourceRange), Unsafe.SizeOf<CopySourceRange>(), 32 },
        { nameof(ReservationCommand), Unsafe.SizeOf<ReservationCommand>(), 64 },
        { nameof(ReservationKeys), Unsafe.SizeOf<ReservationKeys>(), 16 },
        { nameof(ReservationStatusHeader), Unsafe.SizeOf<ReservationStatusHeader>(), 24 },
        { nameof(RegisteredController), Unsafe.SizeOf<RegisteredController>(), 24 },
        { nameof(RegisteredControllerExtended), Unsafe.SizeOf<RegisteredControllerExtended>(), 64 },
        { nameof(ConnectCommand), Unsafe.SizeOf<ConnectCommand>(), 64 },
        { nameof(ConnectData), Unsafe.SizeOf<ConnectData>(), 1024 },
        { nameof(PropertyGetCommand), Unsafe.SizeOf<PropertyGetCommand>(), 64 },
        { nameof(PropertySetCommand), Unsafe.SizeOf<PropertySetCommand>(), 64 },
        { nameof(DisconnectCommand), Unsafe.SizeOf<DisconnectCommand>(), 64 },
        { nameof(AuthenticationCommand), Unsafe.SizeOf<AuthenticationCommand>(), 64 },
        { nameof(IdentifyController), Unsafe.SizeOf<IdentifyController>(), 4096 },
        { nameof(PowerStateDescriptor), Unsafe.SizeOf<PowerStateDescriptor>(), 32 },
        { nameof(IdentifyNamespace), Unsafe.SizeOf<IdentifyNamespace>(), 4096 },
        { nameof(LbaFormat), Unsafe.SizeOf<LbaFormat>(), 4 },
        { nameof(IdentifyNamespaceIndependent), Unsafe.SizeOf<IdentifyNamespaceIndependent>(), 4096 },
        { nameof(IdentifyControllerNvm), Unsafe.SizeOf<IdentifyControllerNvm>(), 4096 },
        { nameof(IdentifyNamespaceNvm), Unsafe.SizeOf<IdentifyNamespaceNvm>(), 4096 },
        { nameof(ErrorInformationLogEntry), Unsafe.SizeOf<ErrorInformationLogEntry>(), 64 },
        { nameof(SmartHealthInformationLogPage), Unsafe.SizeOf<SmartHealthInformationLogPage>(), 512 },
        { nameof(FirmwareSlotInformationLogPage), Unsafe.SizeOf<FirmwareSlotInformationLogPage>(), 512 },
        { nameof(CommandsSupportedAndEffectsLogPage), Unsafe.SizeOf<CommandsSupportedAndEffectsLogPage>(), 4096 },
        { nameof(SupportedLogPagesLogPage), Unsafe.SizeOf<SupportedLogPagesLogPage>(), 1024 },
        { nameof(FeatureIdentifiersEffectsLogPage), Unsafe.SizeOf<FeatureIdentifiersEffectsLogPage>(), 1024 },
        { nameof(AsymmetricNamespaceAccessLogHeader), Unsafe.SizeOf<AsymmetricNamespaceAccessLogHeader>(), 16 },
        { nameof(AnaGroupDescriptor), Unsafe.SizeOf<AnaGroupDescriptor>(), 32 },
        { nameof(ReservationNotificationLogPage), Unsafe.SizeOf<ReservationNotificationLogPage>(), 64 },
        { nameof(DiscoveryLogPageHeader), Unsafe.SizeOf<DiscoveryLogPageHeader>(), 1024 },
        { nameof(DiscoveryLogPageEntry), Unsafe.SizeOf<DiscoveryLogPageEntry>(), 1024 },
        { nameof(PduHeader), Unsafe.SizeOf<PduHeader>(), 8 },
        { nameof(ICReq), Unsafe.SizeOf<ICReq>(), 128 },
        { nameof(ICResp), Unsafe.SizeOf<ICResp>(), 128 },
        { nameof(TermReq), Unsafe.SizeOf<TermReq>(), 24 },
        { nameof(CapsuleCmd), Unsafe.SizeOf<CapsuleCmd>(), 72 },
        { nameof(CapsuleResp), Unsafe.SizeOf<CapsuleResp>(), 24 },
        { nameof(H2CData), Unsafe.SizeOf<H2CData>(), 24 },
        { nameof(C2HData), Unsafe.SizeOf<C2HData>(), 24 },
        { nameof(R2T), Unsafe.SizeOf<R2T>(), 24 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Structure_has_the_size_of_its_figure(string name, int actual, int expected)
    {
        Assert.True(actual == expected, $"{name} is {actual} bytes, the specification says {expected}");
    }

    public static TheoryData<Type, string, int> Offsets()
    {
        TheoryData<Type, string, int> data = [];
        void Add(Type type, params (string Field, int Offset)[] fields)
        {
            foreach ((string field, int offset) in fields)
            {
                data.Add(type, field, offset);
            }
        }

        Add(typeof(SubmissionQueueEntry), ("Opcode", 0), ("Flags", 1), ("Cid", 2), ("Nsid", 4), ("Fctype", 4), ("Cdw2", 8), ("Mptr", 16), ("Sgl1", 24),
            ("Prp1", 24), ("Prp2", 32), ("Cdw10", 40), ("Cdw11", 44), ("Cdw12", 48), ("Cdw13", 52), ("Cdw14", 56), ("Cdw15", 60));
        Add(typeof(CompletionQueueEntry), ("Cdw0", 0), ("Cdw1", 4), ("Result", 0), ("Sqhd", 8), ("Sqid", 10), ("Cid", 12), ("Status", 14));
        Add(typeof(SglDescriptor), ("Address", 0), ("Length", 8), ("SglIdentifier", 15));
        Add(typeof(IdentifyCommand), ("Cns", 40), ("Cntid", 42), ("CnsSpecificIdentifier", 44), ("Csi", 47));
        Add(typeof(GetLogPageCommand), ("Lid", 40), ("LspAndRae", 41), ("Numdl", 42), ("Numdu", 44), ("Lsi", 46), ("Lpol", 48), ("Lpou", 52), ("Csi", 59));
        Add(typeof(AbortCommand), ("AbortSqid", 40), ("AbortCid", 42));
        Add(typeof(NvmIoCommand), ("Slba", 40), ("Nlb", 48), ("Flags", 50), ("ReferenceTag", 56), ("ApplicationTag", 60), ("ApplicationTagMask", 62));
        Add(typeof(DatasetManagementCommand), ("Nr", 40), ("Attributes", 44));
        Add(typeof(DatasetManagementRange), ("ContextAttributes", 0), ("LengthInLogicalBlocks", 4), ("StartingLba", 8));
        Add(typeof(CopySourceRange), ("Slba", 8), ("Nlb", 16), ("Eilbrt", 24), ("Elbat", 28), ("Elbatm", 30));
        Add(typeof(ConnectCommand), ("Recfmt", 40), ("Qid", 42), ("Sqsize", 44), ("Cattr", 46), ("Kato", 48));
        Add(typeof(ConnectData), ("Hostid", 0), ("Cntlid", 16), ("Subnqn", 256), ("Hostnqn", 512));
        Add(typeof(PropertyGetCommand), ("Attrib", 40), ("Ofst", 44));
        Add(typeof(PropertySetCommand), ("Attrib", 40), ("Ofst", 44), ("Value", 48));
        Add(typeof(IdentifyController), ("Vid", 0), ("Ssvid", 2), ("Sn", 4), ("Mn", 24), ("Fr", 64), ("Rab", 72), ("Ieee0", 73), ("Cmic", 76), ("Mdts", 77), ("Cntlid", 78),
            ("Ver", 80), ("Rtd3r", 84), ("Rtd3e", 88), ("Oaes", 92), ("Ctratt", 96), ("Rrls", 100), ("Cntrltype", 111), ("Fguid", 112), ("Crdt1", 128), ("Crdt3", 132),
            ("Nvmsr", 253), ("Oacs", 256), ("Acl", 258), ("Aerl", 259), ("Frmw", 260), ("Lpa", 261), ("Elpe", 262), ("Npss", 263), ("Avscc", 264), ("Apsta", 265),
            ("Wctemp", 266), ("Cctemp", 268), ("Mtfa", 270), ("Hmpre", 272), ("Hmmin", 276), ("Tnvmcap", 280), ("Unvmcap", 296), ("Rpmbs", 312), ("Edstt", 316),
            ("Dsto", 318), ("Fwug", 319), ("Kas", 320), ("Hctma", 322), ("Sanicap", 328), ("Hmminds", 332), ("Nsetidmax", 338), ("Endgidmax", 340), ("Anatt", 342),
            ("Anacap", 343), ("Anagrpmax", 344), ("Nanagrpid", 348), ("Pels", 352), ("DomainIdentifier", 356), ("Megcap", 368), ("Sqes", 512), ("Cqes", 513),
            ("Maxcmd", 514), ("Nn", 516), ("Oncs", 520), ("Fuses", 522), ("Fna", 524), ("Vwc", 525), ("Awun", 526), ("Awupf", 528), ("Icsvscc", 530), ("Nwpc", 531),
            ("Acwu", 532), ("Ocfs", 534), ("Sgls", 536), ("Mnan", 540), ("Maxdna", 544), ("Maxcna", 560), ("Subnqn", 768), ("Ioccsz", 1792), ("Iorcsz", 1796),
            ("Icdoff", 1800), ("Fcatt", 1802), ("Msdbd", 1803), ("Ofcs", 1804), ("Psd", 2048));
        Add(typeof(IdentifyNamespace), ("Nsze", 0), ("Ncap", 8), ("Nuse", 16), ("Nsfeat", 24), ("Nlbaf", 25), ("Flbas", 26), ("Mc", 27), ("Dpc", 28), ("Dps", 29), ("Nmic", 30),
            ("Rescap", 31), ("Fpi", 32), ("Dlfeat", 33), ("Nawun", 34), ("Nawupf", 36), ("Nacwu", 38), ("Nabsn", 40), ("Nabo", 42), ("Nabspf", 44), ("Noiob", 46),
            ("Nvmcap", 48), ("Npwg", 64), ("Npwa", 66), ("Npdg", 68), ("Npda", 70), ("Nows", 72), ("Mssrl", 74), ("Mcl", 76), ("Msrc", 80), ("Anagrpid", 92),
            ("Nsattr", 99), ("Nvmsetid", 100), ("Endgid", 102), ("Nguid", 104), ("Eui64", 120), ("Lbaf", 128));
        Add(typeof(LbaFormat), ("Ms", 0), ("Lbads", 2), ("Rp", 3));
        Add(typeof(IdentifyNamespaceIndependent), ("Nsfeat", 0), ("Nmic", 1), ("Rescap", 2), ("Anagrpid", 4), ("Nsattr", 8), ("Nvmsetid", 10), ("Endgid", 12), ("Nstat", 14));
        Add(typeof(IdentifyControllerNvm), ("Vsl", 0), ("Wzsl", 1), ("Wusl", 2), ("Dmrl", 3), ("Dmrsl", 4), ("Dmsl", 8));
        Add(typeof(ErrorInformationLogEntry), ("ErrorCount", 0), ("SubmissionQueueId", 8), ("CommandId", 10), ("Status", 12), ("ParameterErrorLocation", 14), ("Lba", 16),
            ("Namespace", 24), ("VendorSpecificInformationAvailable", 28), ("Trtype", 29), ("CommandSpecificInformation", 32), ("TransportTypeSpecificInformation", 40));
        Add(typeof(SmartHealthInformationLogPage), ("CriticalWarning", 0), ("CompositeTemperature", 1), ("AvailableSpare", 3), ("AvailableSpareThreshold", 4), ("PercentageUsed", 5),
            ("DataUnitsRead", 32), ("DataUnitsWritten", 48), ("HostReadCommands", 64), ("HostWriteCommands", 80), ("ControllerBusyTime", 96), ("PowerCycles", 112),
            ("PowerOnHours", 128), ("UnsafeShutdowns", 144), ("MediaAndDataIntegrityErrors", 160), ("NumberOfErrorInformationLogEntries", 176),
            ("WarningCompositeTemperatureTime", 192), ("CriticalCompositeTemperatureTime", 196), ("TemperatureSensor1", 200));
        Add(typeof(FirmwareSlotInformationLogPage), ("Afi", 0), ("Frs", 8));
        Add(typeof(CommandsSupportedAndEffectsLogPage), ("Acs", 0), ("Iocs", 1024));
        Add(typeof(AsymmetricNamespaceAccessLogHeader), ("ChangeCount", 0), ("NumberOfAnaGroupDescriptors", 8));
        Add(typeof(AnaGroupDescriptor), ("AnaGroupId", 0), ("NumberOfNsidValues", 4), ("ChangeCount", 8), ("AnaStateField", 16));
        Add(typeof(DiscoveryLogPageHeader), ("Genctr", 0), ("Numrec", 8), ("Recfmt", 16));
        Add(typeof(DiscoveryLogPageEntry), ("Trtype", 0), ("Adrfam", 1), ("Subtype", 2), ("Treq", 3), ("Portid", 4), ("Cntlid", 6), ("Asqsz", 8), ("Eflags", 10),
            ("Trsvcid", 32), ("Subnqn", 256), ("Traddr", 512), ("Tsas", 768), ("Sectype", 768));
        Add(typeof(ReservationStatusHeader), ("Gen", 0), ("Rtype", 4), ("Regctl", 5), ("Ptpls", 9));
        Add(typeof(RegisteredController), ("Cntlid", 0), ("Rcsts", 2), ("Hostid", 8), ("Rkey", 16));
        Add(typeof(RegisteredControllerExtended), ("Cntlid", 0), ("Rcsts", 2), ("Rkey", 8), ("Hostid", 16));
        Add(typeof(PduHeader), ("PduType", 0), ("Flags", 1), ("Hlen", 2), ("Pdo", 3), ("Plen", 4));
        Add(typeof(ICReq), ("Pfv", 8), ("Hpda", 10), ("Dgst", 11), ("Maxr2t", 12));
        Add(typeof(ICResp), ("Pfv", 8), ("Cpda", 10), ("Dgst", 11), ("Maxh2cdata", 12));
        Add(typeof(TermReq), ("Fes", 8), ("Fei", 10));
        Add(typeof(CapsuleCmd), ("Ccsqe", 8));
        Add(typeof(CapsuleResp), ("Rccqe", 8));
        Add(typeof(H2CData), ("Cccid", 8), ("Ttag", 10), ("Datao", 12), ("Datal", 16));
        Add(typeof(C2HData), ("Cccid", 8), ("Datao", 12), ("Datal", 16));
        Add(typeof(R2T), ("Cccid", 8), ("Ttag", 10), ("R2to", 12), ("R2tl", 16));
        return data;
    }

    [Theory]
    [MemberData(nameof(Offsets))]
    public void Field_is_where_its_figure_says(Type structure, string field, int offset)
    {
        FieldOffsetAttribute? attribute = structure.GetField(field)!.GetCustomAttributes(typeof(FieldOffsetAttribute), false).Cast<FieldOffsetAttribute>().SingleOrDefault();
        // FieldOffset is a pseudo attribute that reflection rebuilds from metadata.
        Assert.Equal(offset, attribute!.Value);
    }

    [Fact]
    public void Wide_fields_land_where_declared_in_memory()
    {
        // Offsets are metadata; that the runtime honours them, packed, for 128-bit fields and inline arrays is seen in bytes.
        IdentifyController controller = default;
        controller.Tnvmcap = (UInt128)1 << 127;
        controller.Maxdna = 1;
        ((Span<byte>)controller.Subnqn)[0] = (byte)'n';
        controller.Psd[1].Mp = 0xBEEF;
        Span<byte> bytes = Spindle.Nvme.WireBuffer.AsBytes(ref controller);
        Assert.Equal(0x80, bytes[280 + 15]);
        Assert.Equal(1, bytes[544]);
        Assert.Equal((byte)'n', bytes[768]);
        Assert.Equal(0xEF, bytes[2048 + 32]);

        SmartHealthInformationLogPage health = default;
        health.CompositeTemperature = 0x0142;
        health.HostReadCommands = 0x55;
        bytes = Spindle.Nvme.WireBuffer.AsBytes(ref health);
        Assert.Equal(0x42, bytes[1]);
        Assert.Equal(0x01, bytes[2]);
        Assert.Equal(0x55, bytes[64]);
    }
}
