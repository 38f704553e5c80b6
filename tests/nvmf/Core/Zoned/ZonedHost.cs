using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Registers;
using Spindle.Nvme.Zoned;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core.Zoned;

/// <summary>The zoned commands of a host.</summary>
internal static class ZonedHost
{
    /// <summary>Connects a host that enables all command sets.</summary>
    public static Task<FakeHost> ConnectAsync(CoreBench bench) => new FakeHost(bench) { CommandSets = CommandSetSelected.AllSupportedIoCommandSets }.ConnectAsync();

    public static Task<Outcome> SendAsync(this FakeHost host, ZoneSendAction action, ulong slba, bool all = false, uint nsid = 1, byte options = 0)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)ZonedOpcode.ZoneManagementSend, Nsid = nsid };
        ref ZoneManagementSendCommand command = ref sqe.As<ZoneManagementSendCommand>();
        command.Slba = slba;
        command.Action = action;
        command.Options = options;
        command.SelectAll = all;
        return host.Io[0].SendAsync(sqe);
    }

    public static Task<Outcome> ReceiveAsync(this FakeHost host, ulong slba, int length, ZoneReportFilter filter = ZoneReportFilter.All, bool partial = false,
        ZoneReceiveAction action = ZoneReceiveAction.ReportZones, int? buffer = null, uint nsid = 1)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)ZonedOpcode.ZoneManagementReceive, Nsid = nsid };
        ref ZoneManagementReceiveCommand command = ref sqe.As<ZoneManagementReceiveCommand>();
        command.Slba = slba;
        command.LengthInBytes = (ulong)length;
        command.Action = action;
        command.Filter = filter;
        command.Partial = partial;
        return host.Io[0].SendAsync(sqe, toHost: buffer ?? length);
    }

    /// <summary>A report: how many zones it says there are, and the descriptors that it has.</summary>
    public static async Task<(ulong Count, ZoneDescriptor[] Zones)> ReportAsync(this FakeHost host, ulong slba, int room, ZoneReportFilter filter = ZoneReportFilter.All, bool partial = false)
    {
        Outcome outcome = await host.ReceiveAsync(slba, ZoneReportHeader.Size + room * ZoneDescriptor.Size, filter, partial);
        Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());
        ulong count = MemoryMarshal.Read<ZoneReportHeader>(outcome.Data).ZoneCount;
        var zones = MemoryMarshal.Cast<byte, ZoneDescriptor>(outcome.Data.AsSpan(ZoneReportHeader.Size)).ToArray();
        return (count, [.. zones.TakeWhile(zone => zone.Type != 0)]);
    }

    public static Task<Outcome> AppendAsync(this FakeHost host, ulong zone, byte[] data, uint nsid = 1, NvmIoFlags flags = NvmIoFlags.None, int blockSize = 512)
    {
        SubmissionQueueEntry sqe = FakeHost.Nvm((NvmOpcode)ZonedOpcode.ZoneAppend, nsid, zone, (uint)(data.Length / blockSize), flags);
        return host.Io[0].SendAsync(sqe, data);
    }
}
