using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io.Zones;

/// <summary>Zone Append (ZNS Command Set Specification 1.1, section 3.4.1): its fields lie where those of a write do; the completion says where it wrote.</summary>
[DataPath]
internal static class ZoneAppendCommand
{
    private static readonly BdevIoCallback s_appended = OnAppended;
    private static readonly BdevIoCallback s_flushed = OnFlushed;

    /// <summary>The data was appended, and a flush is what remains.</summary>
    private const uint FlushRemains = 1;

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        if (request.Progress == FlushRemains)
        {
            Flush(channel, request);
            return;
        }
        // Protection information is not inserted (PRACT): it is made for a block, which is not known yet.
        StatusField status = ReadWriteCommands.Check(channel, request, out ulong zone, out uint blocks);
        if (status.IsSuccess && (zone % channel.ZoneSize != 0 || blocks > channel.LongestAppend || (channel.HasProtection && ReadWriteCommands.Inserts(request)))) status = new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
        if (status.IsSuccess && blocks > channel.ZoneSize) status = new StatusField(CommandSpecificStatusCode.ZonedBoundaryError, dnr: true);
        if (!status.IsSuccess)
        {
            request.Complete(status);
            return;
        }
        BdevOutcome.Submitted(channel, request, channel.Channel.ZoneAppend(request.Buffers, zone, blocks, s_appended, request));
    }

    private static void OnAppended(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        if (!result.IsSuccess)
        {
            BdevOutcome.Complete(request, in result);
            return;
        }
        request.Completion.Result = result.Value;
        if (!ReadWriteCommands.MustBeDurable(request.Namespace!, request))
        {
            request.Complete(StatusField.Success);
            return;
        }
        request.Progress = FlushRemains;
        Flush(request.Namespace!, request);
    }

    private static void Flush(NamespaceChannel channel, NvmfRequest request) => BdevOutcome.Submitted(channel, request,
        channel.Channel.Flush(request.Completion.Result, request.Command.As<NvmIoCommand>().BlockCount, s_flushed, request));

    private static void OnFlushed(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        // The result says where it was written.
        if (result.IsSuccess) request.Complete(StatusField.Success);
        else BdevOutcome.Complete(request, in result);
    }
}
