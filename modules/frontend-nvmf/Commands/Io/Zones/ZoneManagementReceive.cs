using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Zoned;

namespace Spindle.Frontend.Nvmf.Commands.Io.Zones;

/// <summary>Zone Management Receive (ZNS Command Set Specification 1.1, section 3.4.2): reports zones. There are no descriptor extensions, and so no extended report.</summary>
[DataPath]
internal static class ZoneManagementReceive
{
    private static readonly BdevIoCallback s_answered = OnAnswered;

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        ref ZoneManagementReceiveCommand command = ref request.Command.As<ZoneManagementReceiveCommand>();
        if (request.Context is null)
        {
            StatusField status = Check(channel, request, ref command);
            if (!status.IsSuccess)
            {
                request.Complete(status);
                return;
            }
            // The buffers were others' before.
            RequestData.Clear(request);
        }
        ZoneWalk walk = ZoneWalk.Of(channel, request, command.Slba - command.Slba % channel.ZoneSize);
        int result = walk.Ask(channel, request, s_answered);
        if (result == 0 || (result == -Errno.ENOMEM && BdevOutcome.Wait(channel, request))) return;
        End(channel, request, walk, BdevOutcome.Refused(result));
    }

    private static StatusField Check(NamespaceChannel channel, NvmfRequest request, ref ZoneManagementReceiveCommand command)
    {
        if (command.Action != ZoneReceiveAction.ReportZones || command.Filter > ZoneReportFilter.Offline || command.LengthInBytes < ZoneReportHeader.Size)
            return new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
        if (command.Slba >= channel.Bdev.BlockCount) return new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true);
        return command.LengthInBytes > request.Length ? new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true) : StatusField.Success;
    }

    private static void OnAnswered(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        NamespaceChannel channel = request.Namespace!;
        ZoneWalk walk = (ZoneWalk)request.Context!;
        if (!result.IsSuccess || ZoneWalk.IsPointless(request))
        {
            End(channel, request, walk, result.IsSuccess ? ZoneWalk.Ended : BdevOutcome.Status(in result));
            return;
        }
        ref ZoneManagementReceiveCommand command = ref request.Command.As<ZoneManagementReceiveCommand>();
        ulong room = (command.LengthInBytes - ZoneReportHeader.Size) / ZoneDescriptor.Size;
        foreach (ref readonly BdevZoneInfo zone in walk.Zones.AsSpan(0, walk.Count))
        {
            ZoneDescriptor descriptor = Describe(in zone);
            if (command.Filter != ZoneReportFilter.All && descriptor.State != Wanted(command.Filter)) continue;
            if (walk.Matches < room) Write(request, ref descriptor, ZoneReportHeader.Size + walk.Matches * ZoneDescriptor.Size);
            else if (command.Partial) break;
            walk.Matches++;
        }
        walk.Advance(channel.ZoneSize);
        bool full = walk.Matches >= room;
        // Of all zones, each that is left counts: they need not be looked at.
        if (full && !command.Partial && command.Filter == ZoneReportFilter.All)
        {
            walk.Matches += (channel.Bdev.BlockCount - walk.Start) / channel.ZoneSize;
            walk.Start = channel.Bdev.BlockCount;
        }
        if (walk.Start >= channel.Bdev.BlockCount || (full && command.Partial)) Finish(channel, request, walk);
        else Carry(channel, request);
    }

    private static void Finish(NamespaceChannel channel, NvmfRequest request, ZoneWalk walk)
    {
        ZoneReportHeader header = new() { ZoneCount = walk.Matches };
        Write(request, ref header, 0);
        End(channel, request, walk, StatusField.Success);
    }

    private static void End(NamespaceChannel channel, NvmfRequest request, ZoneWalk walk, StatusField status)
    {
        request.Context = null;
        channel.ReturnWalk(walk);
        request.Complete(status);
    }

    private static ZoneDescriptor Describe(in BdevZoneInfo zone)
    {
        ZoneDescriptor descriptor = default;
        descriptor.Type = ZoneDescriptorType.SequentialWriteRequired;
        descriptor.State = zone.State switch
        {
            BdevZoneState.Empty => ZoneDescriptorState.Empty,
            BdevZoneState.ImplicitlyOpen => ZoneDescriptorState.ImplicitlyOpened,
            BdevZoneState.ExplicitlyOpen => ZoneDescriptorState.ExplicitlyOpened,
            BdevZoneState.Closed => ZoneDescriptorState.Closed,
            BdevZoneState.Full => ZoneDescriptorState.Full,
            BdevZoneState.ReadOnly => ZoneDescriptorState.ReadOnly,
            // The command set knows no zone without a write pointer: nothing is to be done to one.
            _ => ZoneDescriptorState.Offline,
        };
        descriptor.Capacity = zone.Capacity;
        descriptor.StartLba = zone.Start;
        descriptor.WritePointer = descriptor.State is ZoneDescriptorState.Full or ZoneDescriptorState.ReadOnly or ZoneDescriptorState.Offline ? ulong.MaxValue : zone.WritePointer;
        return descriptor;
    }

    private static ZoneDescriptorState Wanted(ZoneReportFilter filter) => filter switch
    {
        ZoneReportFilter.Empty => ZoneDescriptorState.Empty,
        ZoneReportFilter.ImplicitlyOpened => ZoneDescriptorState.ImplicitlyOpened,
        ZoneReportFilter.ExplicitlyOpened => ZoneDescriptorState.ExplicitlyOpened,
        ZoneReportFilter.Closed => ZoneDescriptorState.Closed,
        ZoneReportFilter.Full => ZoneDescriptorState.Full,
        ZoneReportFilter.ReadOnly => ZoneDescriptorState.ReadOnly,
        _ => ZoneDescriptorState.Offline,
    };

    private static void Write<T>(NvmfRequest request, ref T data, ulong offset) where T : unmanaged =>
        RequestData.Write(request, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref data)), offset);
}
