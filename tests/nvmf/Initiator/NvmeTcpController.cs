using System.Net;
using System.Runtime.InteropServices;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Registers;

namespace Spindle.NvmfTests.Initiator;

/// <summary>Whom a host says it is, and how it connects.</summary>
public sealed record HostOptions
{
    public string Hostnqn { get; init; } = Nqn.FromUuid(Guid.NewGuid());
    public Guid Hostid { get; init; } = Guid.NewGuid();

    /// <summary>Keep Alive Timeout in ms; 0 disables. No command is sent by itself.</summary>
    public uint Kato { get; init; }

    public ushort Cntlid { get; init; } = NvmeConstants.DynamicControllerId;
    public QueueOptions AdminQueue { get; init; } = new() { QueueSize = 32 };
    public QueueOptions IoQueue { get; init; } = new();

    /// <summary>I/O queues to connect.</summary>
    public int IoQueues { get; init; } = 1;
}

/// <summary>An association with one controller, brought up as NVMe Base Specification 2.0, section 3.5.2 says: connect, check CAP, enable, identify, connect I/O queues.</summary>
public sealed class NvmeTcpController : IAsyncDisposable
{
    private readonly EndPoint endpoint;
    private readonly List<NvmeTcpQueue> ioQueues = [];

    private NvmeTcpController(EndPoint endpoint, string subnqn, HostOptions options, NvmeTcpQueue admin)
    {
        this.endpoint = endpoint;
        Subnqn = subnqn;
        Options = options;
        Admin = admin;
    }

    public string Subnqn { get; }
    public HostOptions Options { get; }
    public NvmeTcpQueue Admin { get; }
    public IReadOnlyList<NvmeTcpQueue> IoQueues => ioQueues;

    /// <summary>First I/O queue.</summary>
    public NvmeTcpQueue Io => ioQueues[0];

    public ushort Cntlid { get; private set; }
    public ControllerCapabilities Cap { get; private set; }
    public IdentifyController Identify { get; private set; }

    /// <summary>Largest data of one command, bytes.</summary>
    public long MaxTransfer => Identify.Mdts == 0 ? long.MaxValue : 1L << (12 + Cap.Mpsmin + Identify.Mdts);

    /// <summary>Connects the Admin Queue, enables the controller, and connects the I/O queues asked for.</summary>
    public static async Task<NvmeTcpController> ConnectAsync(EndPoint endpoint, string subnqn, HostOptions? options = null)
    {
        options ??= new HostOptions();
        NvmeTcpQueue admin = await NvmeTcpQueue.OpenAsync(endpoint, 0, options.AdminQueue);
        NvmeTcpController controller = new(endpoint, subnqn, options, admin);
        try
        {
            await controller.BringUpAsync();
            for (int i = 1; i <= options.IoQueues; i++)
            {
                await controller.AddIoQueueAsync((ushort)i);
            }
            return controller;
        }
        catch
        {
            await controller.DisposeAsync();
            throw;
        }
    }

    private async Task BringUpAsync()
    {
        CompletionQueueEntry connected = await Admin.ConnectAsync(Options.Hostnqn, Subnqn, Options.Hostid, Options.Cntlid, Options.Kato);
        if (!connected.Status.IsSuccess)
        {
            throw new NvmeStatusException("Connect of the Admin Queue", connected);
        }
        Cntlid = ConnectResponse.Cntlid(connected.Cdw0);
        Require(Cntlid <= NvmeConstants.MaxControllerId, $"CNTLID {Cntlid:X4}h is reserved");
        Cap = new ControllerCapabilities(await GetPropertyAsync(PropertyOffset.Cap, PropertySize.EightBytes));
        Require(Cap.Mqes >= 1, "CAP.MQES is 0");
        Require((Cap.Css & CommandSetsSupported.NvmCommandSet) != 0 || (Cap.Css & CommandSetsSupported.NoIoCommandSet) != 0, $"CAP.CSS is {Cap.Css}");
        ControllerStatus csts = new((uint)await GetPropertyAsync(PropertyOffset.Csts, PropertySize.FourBytes));
        Require(!csts.Rdy, "CSTS.RDY is 1 before CC.EN");
        ControllerConfiguration cc = new(0) { En = true, Iosqes = 6, Iocqes = 4 };
        await SetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes, cc.Raw);
        await WaitForStatusAsync(s => s.Rdy);
        byte[] data = await IdentifyAsync(IdentifyCns.Controller);
        Identify = WireBuffer.Read<IdentifyController>(data);
        Require(Identify.Cntlid == Cntlid, $"Identify Controller says CNTLID {Identify.Cntlid}, Connect said {Cntlid}");
        Require(Identify.Ioccsz >= 4 || Identify.Cntrltype == ControllerType.Discovery, $"IOCCSZ is {Identify.Ioccsz}");
        Require(Identify.Icdoff == 0, $"ICDOFF is {Identify.Icdoff}");
    }

    /// <summary>Connects one more I/O queue.</summary>
    public async Task<NvmeTcpQueue> AddIoQueueAsync(ushort qid, QueueOptions? options = null)
    {
        NvmeTcpQueue queue = await NvmeTcpQueue.OpenAsync(endpoint, qid, options ?? Options.IoQueue);
        try
        {
            CompletionQueueEntry connected = await queue.ConnectAsync(Options.Hostnqn, Subnqn, Options.Hostid, Cntlid, 0);
            if (!connected.Status.IsSuccess)
            {
                throw new NvmeStatusException($"Connect of I/O queue {qid}", connected);
            }
            Require(ConnectResponse.Cntlid(connected.Cdw0) == Cntlid, $"Connect of I/O queue {qid} says CNTLID {ConnectResponse.Cntlid(connected.Cdw0)}");
            queue.MaxInCapsuleData = checked((int)(Identify.Ioccsz * 16 - NvmeConstants.SubmissionQueueEntrySize));
            ioQueues.Add(queue);
            return queue;
        }
        catch
        {
            await queue.DisposeAsync();
            throw;
        }
    }

    public async Task<ulong> GetPropertyAsync(PropertyOffset offset, PropertySize size)
    {
        CompletionQueueEntry cqe = await Admin.ExecuteAsync($"Property Get {offset}", FabricsCommands.PropertyGet(offset, size));
        Require(size == PropertySize.EightBytes || cqe.Cdw1 == 0, $"Property Get {offset}: upper half of a 4-byte property is {cqe.Cdw1:X8}h");
        return cqe.Result;
    }

    public Task<CompletionQueueEntry> SetPropertyAsync(PropertyOffset offset, PropertySize size, ulong value) =>
        Admin.ExecuteAsync($"Property Set {offset}", FabricsCommands.PropertySet(offset, size, value));

    /// <summary>Polls CSTS until it is as wanted; CAP.TO at most.</summary>
    public async Task<ControllerStatus> WaitForStatusAsync(Func<ControllerStatus, bool> wanted)
    {
        DateTime end = DateTime.UtcNow + TimeSpan.FromMilliseconds(Math.Max(500, 500 * Cap.To));
        while (true)
        {
            ControllerStatus csts = new((uint)await GetPropertyAsync(PropertyOffset.Csts, PropertySize.FourBytes));
            if (wanted(csts))
            {
                return csts;
            }
            Require(!csts.Cfs, "CSTS.CFS is set");
            Require(DateTime.UtcNow < end, $"CSTS stayed {csts.Raw:X8}h for CAP.TO");
            await Task.Delay(5);
        }
    }

    public async Task<byte[]> IdentifyAsync(IdentifyCns cns, uint nsid = 0, CommandSetIdentifier csi = CommandSetIdentifier.Nvm)
    {
        byte[] data = new byte[NvmeConstants.IdentifyDataSize];
        await Admin.ExecuteAsync($"Identify {cns} of NSID {nsid}", NvmeCommands.Identify(cns, nsid, csi: csi), dataIn: data);
        return data;
    }

    public async Task<IdentifyNamespace> IdentifyNamespaceAsync(uint nsid) => WireBuffer.Read<IdentifyNamespace>(await IdentifyAsync(IdentifyCns.Namespace, nsid));

    /// <summary>All active NSIDs, with as many commands as it takes.</summary>
    public async Task<List<uint>> ActiveNamespacesAsync()
    {
        List<uint> all = [];
        while (true)
        {
            uint[] page = MemoryMarshal.Cast<byte, uint>(await IdentifyAsync(IdentifyCns.ActiveNamespaceIdList, all.Count == 0 ? 0 : all[^1])).ToArray();
            foreach (uint nsid in page.TakeWhile(n => n != 0))
            {
                Require(all.Count == 0 || nsid > all[^1], $"active namespace list is not ascending at {nsid}");
                all.Add(nsid);
            }
            if (page[^1] == 0)
            {
                return all;
            }
        }
    }

    public async Task<byte[]> GetLogPageAsync(LogPageIdentifier lid, int length, ulong offset = 0, uint nsid = NvmeConstants.BroadcastNsid, bool retain = false, byte lsp = 0)
    {
        byte[] data = new byte[length];
        await Admin.ExecuteAsync($"Get Log Page {lid}", NvmeCommands.GetLogPage(lid, length, offset, nsid, retain, lsp), dataIn: data);
        return data;
    }

    /// <summary>The discovery log page, read until GENCTR stays the same (NVMe Base Specification 2.0, section 5.16.1.23).</summary>
    public async Task<(DiscoveryLogPageHeader Header, List<DiscoveryLogPageEntry> Entries)> GetDiscoveryLogAsync(bool retain = false)
    {
        while (true)
        {
            DiscoveryLogPageHeader header = WireBuffer.Read<DiscoveryLogPageHeader>(await GetLogPageAsync(LogPageIdentifier.Discovery, 1024, nsid: 0, retain: true));
            List<DiscoveryLogPageEntry> entries = [];
            for (ulong i = 0; i < header.Numrec; i++)
            {
                entries.Add(WireBuffer.Read<DiscoveryLogPageEntry>(await GetLogPageAsync(LogPageIdentifier.Discovery, 1024, 1024 + i * 1024, nsid: 0, retain: true)));
            }
            DiscoveryLogPageHeader again = WireBuffer.Read<DiscoveryLogPageHeader>(await GetLogPageAsync(LogPageIdentifier.Discovery, 1024, nsid: 0, retain: retain));
            if (again.Genctr == header.Genctr)
            {
                return (header, entries);
            }
        }
    }

    public async Task<uint> GetFeatureAsync(FeatureIdentifier fid, uint cdw11 = 0, uint nsid = 0, FeatureSelect select = FeatureSelect.Current) =>
        (await Admin.ExecuteAsync($"Get Features {fid}", NvmeCommands.GetFeatures(fid, cdw11, nsid, select))).Cdw0;

    public async Task<uint> SetFeatureAsync(FeatureIdentifier fid, uint cdw11, uint nsid = 0) =>
        (await Admin.ExecuteAsync($"Set Features {fid}", NvmeCommands.SetFeatures(fid, cdw11, nsid))).Cdw0;

    public async Task<NumberOfQueues> SetNumberOfQueuesAsync(ushort queues) =>
        new(await SetFeatureAsync(FeatureIdentifier.NumberOfQueues, new NumberOfQueues((ushort)(queues - 1), (ushort)(queues - 1)).Raw));

    public Task KeepAliveAsync() => Admin.ExecuteAsync("Keep Alive", NvmeCommands.Admin(AdminOpcode.KeepAlive));

    /// <summary>Sends an Asynchronous Event Request; its completion comes with the event.</summary>
    public async Task<Task<AsynchronousEvent>> RequestEventAsync()
    {
        (_, Task<CompletionQueueEntry> completion) = await Admin.StartAsync(NvmeCommands.Admin(AdminOpcode.AsynchronousEventRequest), timeout: Timeout.InfiniteTimeSpan);
        return EventAsync(completion);

        static async Task<AsynchronousEvent> EventAsync(Task<CompletionQueueEntry> completion)
        {
            CompletionQueueEntry cqe = await completion;
            return cqe.Status.IsSuccess ? new AsynchronousEvent(cqe.Cdw0) : throw new NvmeStatusException("Asynchronous Event Request", cqe);
        }
    }

    /// <summary>Aborts; whether the command was aborted (completion dword 0, bit 0 is 0).</summary>
    public async Task<bool> AbortAsync(ushort sqid, ushort cid) => ((await Admin.ExecuteAsync("Abort", NvmeCommands.Abort(sqid, cid))).Cdw0 & 1) == 0;

    /// <summary>Shuts down normally: CC.SHN, and waits for CSTS.SHST.</summary>
    public async Task ShutdownAsync()
    {
        ControllerConfiguration cc = new((uint)await GetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes)) { Shn = ShutdownNotification.Normal };
        await SetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes, cc.Raw);
        await WaitForStatusAsync(s => s.Shst == ShutdownStatus.Complete);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (NvmeTcpQueue queue in ioQueues)
        {
            await queue.DisposeAsync();
        }
        await Admin.DisposeAsync();
    }

    private static void Require(bool condition, string violation)
    {
        if (!condition)
        {
            throw new ProtocolViolationException(violation + ".");
        }
    }
}
