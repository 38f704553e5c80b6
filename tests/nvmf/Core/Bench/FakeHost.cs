using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Registers;

namespace Spindle.NvmfTests.Core.Bench;

/// <summary>A host on <see cref="FakeTransport"/>: an association with a controller.</summary>
internal sealed class FakeHost(CoreBench bench)
{
    public string HostNqn { get; init; } = "nqn.2026-11.io.spindle:host";
    public Guid HostId { get; init; } = Guid.Parse("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
    public string SubNqn { get; init; } = CoreBench.Subsystem;
    public NvmfTransportAddress? Address { get; init; }
    public uint Kato { get; init; }
    public CommandSetSelected CommandSets { get; init; }
    public FakeConnection Admin { get; private set; } = null!;
    public List<FakeConnection> Io { get; } = [];
    public ushort Cntlid { get; set; } = NvmeConstants.DynamicControllerId;

    /// <summary>Connects the admin queue, enables the controller, connects I/O queues.</summary>
    public async Task<FakeHost> ConnectAsync(int ioQueues = 1)
    {
        Admin = await bench.Transport.AcceptAsync(Address);
        Outcome connected = await SendConnectAsync(Admin, 0);
        Assert.True(connected.Status.IsSuccess, connected.Status.ToString());
        Cntlid = ConnectResponse.Cntlid(connected.Completion.Cdw0);
        await SetConfigurationAsync(new ControllerConfiguration { En = true, Css = CommandSets, Iosqes = 6, Iocqes = 4 });
        for (int i = 1; i <= ioQueues; i++) await AddIoQueueAsync((ushort)i);
        return this;
    }

    public async Task<FakeConnection> AddIoQueueAsync(ushort qid)
    {
        FakeConnection connection = await bench.Transport.AcceptAsync(Address);
        Outcome connected = await SendConnectAsync(connection, qid);
        Assert.True(connected.Status.IsSuccess, connected.Status.ToString());
        Io.Add(connection);
        return connection;
    }

    public delegate void ConnectEdit(ref ConnectCommand command, ref ConnectData data);

    public Task<Outcome> SendConnectAsync(FakeConnection connection, ushort qid, ConnectEdit? edit = null)
    {
        SubmissionQueueEntry sqe = default;
        sqe.Opcode = (byte)AdminOpcode.FabricsCommands;
        sqe.Fctype = FabricsCommandType.Connect;
        ref ConnectCommand command = ref sqe.As<ConnectCommand>();
        command.Qid = qid;
        command.Sqsize = 31;
        command.Kato = qid == 0 ? Kato : 0;
        ConnectData data = default;
        data.Hostid = UuidBytes.FromGuid(HostId);
        data.Cntlid = Cntlid;
        Nqn.Write(data.Subnqn, SubNqn);
        Nqn.Write(data.Hostnqn, HostNqn);
        edit?.Invoke(ref command, ref data);
        return connection.SendAsync(sqe, MemoryMarshal.AsBytes(new Span<ConnectData>(ref data)).ToArray());
    }

    public static SubmissionQueueEntry Fabrics(FabricsCommandType type) => new() { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = type };

    public Task<Outcome> GetPropertyAsync(PropertyOffset offset, PropertySize size = PropertySize.FourBytes)
    {
        SubmissionQueueEntry sqe = Fabrics(FabricsCommandType.PropertyGet);
        sqe.As<PropertyGetCommand>().Ofst = offset;
        sqe.As<PropertyGetCommand>().Attrib = (byte)size;
        return Admin.SendAsync(sqe);
    }

    public Task<Outcome> SetPropertyAsync(PropertyOffset offset, ulong value, PropertySize size = PropertySize.FourBytes)
    {
        SubmissionQueueEntry sqe = Fabrics(FabricsCommandType.PropertySet);
        sqe.As<PropertySetCommand>().Ofst = offset;
        sqe.As<PropertySetCommand>().Value = value;
        sqe.As<PropertySetCommand>().Attrib = (byte)size;
        return Admin.SendAsync(sqe);
    }

    public async Task SetConfigurationAsync(ControllerConfiguration configuration) =>
        Assert.True((await SetPropertyAsync(PropertyOffset.Cc, configuration.Raw)).Status.IsSuccess);

    public async Task<ControllerStatus> StatusAsync() => new((uint)(await GetPropertyAsync(PropertyOffset.Csts)).Completion.Result);

    public async Task<ControllerStatus> WaitForStatusAsync(Func<ControllerStatus, bool> wanted)
    {
        for (int i = 0; i < 500; i++)
        {
            ControllerStatus status = await StatusAsync();
            if (wanted(status)) return status;
            await Task.Delay(10);
        }
        throw new TimeoutException("CSTS did not become as wanted.");
    }

    public Task<Outcome> IdentifyAsync(IdentifyCns cns, uint nsid = 0, CommandSetIdentifier csi = CommandSetIdentifier.Nvm, int length = 4096, ushort cntid = 0)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)AdminOpcode.Identify, Nsid = nsid };
        sqe.As<IdentifyCommand>().Cns = cns;
        sqe.As<IdentifyCommand>().Csi = csi;
        sqe.As<IdentifyCommand>().Cntid = cntid;
        return Admin.SendAsync(sqe, toHost: length);
    }

    public async Task<T> IdentifyAsync<T>(IdentifyCns cns, uint nsid = 0, CommandSetIdentifier csi = CommandSetIdentifier.Nvm) where T : unmanaged
    {
        Outcome outcome = await IdentifyAsync(cns, nsid, csi);
        Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());
        return WireBuffer.Read<T>(outcome.Data);
    }

    public Task<Outcome> LogAsync(LogPageIdentifier page, int length, ulong offset = 0, bool retain = false, byte parameter = 0, uint nsid = 0, int? buffer = null,
        CommandSetIdentifier csi = CommandSetIdentifier.Nvm)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)AdminOpcode.GetLogPage, Nsid = nsid };
        ref GetLogPageCommand command = ref sqe.As<GetLogPageCommand>();
        command.Lid = page;
        command.LengthInBytes = (ulong)length;
        command.Lpo = offset;
        command.RetainAsynchronousEvent = retain;
        command.Lsp = parameter;
        command.Csi = csi;
        return Admin.SendAsync(sqe, toHost: buffer ?? length);
    }

    public Task<Outcome> GetFeatureAsync(FeatureIdentifier feature, uint cdw11 = 0, int length = 0, uint nsid = 0, FeatureSelect select = FeatureSelect.Current)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)AdminOpcode.GetFeatures, Nsid = nsid, Cdw11 = cdw11 };
        sqe.As<GetFeaturesCommand>().Fid = feature;
        sqe.As<GetFeaturesCommand>().Sel = select;
        return Admin.SendAsync(sqe, toHost: length);
    }

    public Task<Outcome> SetFeatureAsync(FeatureIdentifier feature, uint cdw11 = 0, byte[]? data = null, uint nsid = 0, bool save = false)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)AdminOpcode.SetFeatures, Nsid = nsid, Cdw11 = cdw11 };
        sqe.As<SetFeaturesCommand>().Fid = feature;
        sqe.As<SetFeaturesCommand>().Sv = save;
        return Admin.SendAsync(sqe, data);
    }

    public Task<Outcome> AdminAsync(AdminOpcode opcode, uint nsid = 0) => Admin.SendAsync(new SubmissionQueueEntry { Opcode = (byte)opcode, Nsid = nsid });

    public Task<Outcome> EventAsync() => AdminAsync(AdminOpcode.AsynchronousEventRequest);

    public async Task<uint[]> ActiveNamespacesAsync() =>
        [.. MemoryMarshal.Cast<byte, uint>((await IdentifyAsync(IdentifyCns.ActiveNamespaceIdList)).Data).ToArray().TakeWhile(nsid => nsid != 0)];

    public static SubmissionQueueEntry Nvm(NvmOpcode opcode, uint nsid, ulong lba, uint blocks, NvmIoFlags flags = NvmIoFlags.None, FusedOperation fuse = FusedOperation.Normal)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)opcode, Nsid = nsid, Fuse = fuse };
        sqe.As<NvmIoCommand>().Slba = lba;
        sqe.As<NvmIoCommand>().BlockCount = blocks;
        sqe.As<NvmIoCommand>().Flags = flags;
        return sqe;
    }

    public Task<Outcome> ReadAsync(ulong lba, uint blocks, uint nsid = 1, int? bytes = null) =>
        Io[0].SendAsync(Nvm(NvmOpcode.Read, nsid, lba, blocks), toHost: bytes ?? (int)blocks * 512);

    public Task<Outcome> WriteAsync(ulong lba, byte[] data, uint nsid = 1, NvmIoFlags flags = NvmIoFlags.None, int blockSize = 512) =>
        Io[0].SendAsync(Nvm(NvmOpcode.Write, nsid, lba, (uint)(data.Length / blockSize), flags), data);
}
