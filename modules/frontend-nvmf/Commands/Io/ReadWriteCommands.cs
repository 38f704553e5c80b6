using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Commands.Io.Zones;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>Read, Write and Compare (NVM Command Set Specification 1.0, section 3.2).</summary>
[DataPath]
internal static class ReadWriteCommands
{
    private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => BdevOutcome.Complete((NvmfRequest)state!, in result);
    private static readonly BdevIoCallback s_forcedWriteDone = OnForcedWriteDone;

    /// <summary>A write was made and its flush is what remains.</summary>
    private const uint FlushRemains = 1;

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        if (request.Progress == FlushRemains)
        {
            FlushWritten(channel, request);
            return;
        }
        StatusField status = Check(channel, request, out ulong offset, out uint blocks);
        if (status.IsSuccess && channel.ZoneSize != 0 && (NvmOpcode)request.Command.Opcode == NvmOpcode.Write && ZonedCommands.CrossesZone(channel, offset, blocks))
            status = new StatusField(CommandSpecificStatusCode.ZonedBoundaryError, dnr: true);
        if (!status.IsSuccess)
        {
            request.Complete(status);
            return;
        }
        int result = (NvmOpcode)request.Command.Opcode switch
        {
            NvmOpcode.Read => channel.Read(request.Buffers, offset, blocks, s_done, request),
            NvmOpcode.Write => channel.Write(request.Buffers, offset, blocks, MustBeDurable(channel, request) ? s_forcedWriteDone : s_done, request),
            _ => channel.Channel.Compare(request.Buffers, offset, blocks, s_done, request),
        };
        BdevOutcome.Submitted(channel, request, result);
    }

    /// <summary>Checks a command's blocks against the namespace, and its data against the blocks.</summary>
    public static StatusField Check(NamespaceChannel channel, NvmfRequest request, out ulong offset, out uint blocks)
    {
        ref NvmIoCommand command = ref request.Command.As<NvmIoCommand>();
        offset = command.Slba;
        blocks = command.BlockCount;
        if (!IsInRange(channel, offset, blocks)) return new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true);
        // SGLs longer than the data are not announced (SGLS bit 18), so that the lengths are equal.
        if ((ulong)blocks * channel.BlockSize != request.Length) return new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true);
        return StatusField.Success;
    }

    /// <summary>True when the blocks lie inside the namespace.</summary>
    public static bool IsInRange(NamespaceChannel channel, ulong offset, ulong blocks)
    {
        ulong size = channel.Bdev.BlockCount;
        return offset <= size && blocks <= size - offset;
    }

    /// <summary>True when the command is to be durable when it completes, and is not so yet.</summary>
    public static bool MustBeDurable(NamespaceChannel channel, NvmfRequest request) => channel.FlushAfterForcedWrite
        && ((request.Command.As<NvmIoCommand>().Flags & NvmIoFlags.ForceUnitAccess) != 0 || !request.QueuePair.Controller!.Features.WriteCacheEnabled);

    private static void OnForcedWriteDone(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        if (!result.IsSuccess)
        {
            BdevOutcome.Complete(request, in result);
            return;
        }
        request.Progress = FlushRemains;
        FlushWritten(request.Namespace!, request);
    }

    private static void FlushWritten(NamespaceChannel channel, NvmfRequest request)
    {
        ref NvmIoCommand command = ref request.Command.As<NvmIoCommand>();
        BdevOutcome.Submitted(channel, request, channel.Channel.Flush(command.Slba, command.BlockCount, s_done, request));
    }
}
