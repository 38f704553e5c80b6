using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Zoned;

namespace Spindle.Frontend.Nvmf.Commands.Io.Zones;

/// <summary>Zone Management Send (ZNS Command Set Specification 1.1, section 3.4.3): an action on one zone, or on each zone whose state it applies to.</summary>
[DataPath]
internal static class ZoneManagementSend
{
    private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => BdevOutcome.Complete((NvmfRequest)state!, in result);
    private static readonly BdevIoCallback s_answered = OnAnswered;
    private static readonly BdevIoCallback s_oneDone = OnOneDone;

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        ref ZoneManagementSendCommand command = ref request.Command.As<ZoneManagementSendCommand>();
        if (command.Action is < ZoneSendAction.Close or > ZoneSendAction.Offline || (command.Options & ~1) != 0)
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true));
        }
        else if (command.SelectAll)
        {
            CarryAll(channel, request, command.Action);
        }
        else if (command.Slba >= channel.Bdev.BlockCount)
        {
            request.Complete(new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true));
        }
        else if (command.Slba % channel.ZoneSize != 0)
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true));
        }
        else
        {
            BdevOutcome.Submitted(channel, request, channel.Channel.ZoneManagement(command.Slba, (BdevZoneAction)command.Action, s_done, request));
        }
    }

    /// <summary>Goes on to the next zone that the action applies to: in the stretch that was asked for, else in the next one.</summary>
    private static void CarryAll(NamespaceChannel channel, NvmfRequest request, ZoneSendAction action)
    {
        ZoneWalk walk = ZoneWalk.Of(channel, request, 0);
        while (walk.At < walk.Count && !Applies(action, walk.Zones[walk.At].State)) walk.At++;
        int result;
        if (walk.At < walk.Count)
        {
            result = channel.Channel.ZoneManagement(walk.Zones[walk.At].Start, (BdevZoneAction)action, s_oneDone, request);
        }
        else
        {
            walk.Advance(channel.ZoneSize);
            if (walk.Start >= channel.Bdev.BlockCount)
            {
                End(channel, request, walk, StatusField.Success);
                return;
            }
            result = walk.Ask(channel, request, s_answered);
        }
        if (result == 0 || (result == -Errno.ENOMEM && BdevOutcome.Wait(channel, request))) return;
        End(channel, request, walk, BdevOutcome.Refused(result));
    }

    private static void OnAnswered(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        GoOn(request, result.IsSuccess ? StatusField.Success : BdevOutcome.Status(in result));
    }

    private static void OnOneDone(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        ((ZoneWalk)request.Context!).At++;
        StatusField status = result.IsSuccess ? StatusField.Success : BdevOutcome.Status(in result);
        // Its state was another one by then, which the action does not apply to.
        if (status.Is(CommandSpecificStatusCode.InvalidZoneStateTransition)) status = StatusField.Success;
        GoOn(request, status);
    }

    private static void GoOn(NvmfRequest request, StatusField status)
    {
        NamespaceChannel channel = request.Namespace!;
        if (status.IsSuccess && ZoneWalk.IsPointless(request)) status = ZoneWalk.Ended;
        if (status.IsSuccess) CarryAll(channel, request, request.Command.As<ZoneManagementSendCommand>().Action);
        else End(channel, request, (ZoneWalk)request.Context!, status);
    }

    private static void End(NamespaceChannel channel, NvmfRequest request, ZoneWalk walk, StatusField status)
    {
        request.Context = null;
        channel.ReturnWalk(walk);
        request.Complete(status);
    }

    private static bool Applies(ZoneSendAction action, BdevZoneState state) => action switch
    {
        ZoneSendAction.Close => state is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen,
        ZoneSendAction.Finish => state is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen or BdevZoneState.Closed,
        ZoneSendAction.Open => state == BdevZoneState.Closed,
        ZoneSendAction.Reset => state is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen or BdevZoneState.Closed or BdevZoneState.Full,
        _ => state == BdevZoneState.ReadOnly,
    };
}
