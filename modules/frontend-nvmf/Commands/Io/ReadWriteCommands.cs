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
        int result = channel.HasProtection && Inserts(request) ? CarryInserting(channel, request, offset, blocks) : (NvmOpcode)request.Command.Opcode switch
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
        if (channel.HasProtection && Inserts(request)) return CheckInserting(channel, request, offset, blocks);
        // SGLs longer than the data are not announced (SGLS bit 18), so that the lengths are equal.
        if ((ulong)blocks * channel.BlockSize != request.Length) return new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true);
        return StatusField.Success;
    }

    /// <summary>Protection information is to be inserted or stripped (PRACT).</summary>
    public static bool Inserts(NvmfRequest request) => (request.Command.As<NvmIoCommand>().Flags & NvmIoFlags.Pract) != 0;

    // NVM Command Set Specification 1.0, 5.2.2.1 and 5.2.3: only reads and writes have it, and the reference tags are the block addresses.
    private static StatusField CheckInserting(NamespaceChannel channel, NvmfRequest request, ulong offset, uint blocks)
    {
        ref NvmIoCommand command = ref request.Command.As<NvmIoCommand>();
        bool writes = (NvmOpcode)request.Command.Opcode == NvmOpcode.Write;
        if (channel.Inserting is null || (!writes && (NvmOpcode)request.Command.Opcode != NvmOpcode.Read) || request.Command.Fuse != FusedOperation.Normal)
            return new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
        if (channel.Bdev.DifType != DifType.Type3 && (writes || (command.Flags & NvmIoFlags.PrchkReferenceTag) != 0) && command.ReferenceTag != (uint)offset)
            return new StatusField(CommandSpecificStatusCode.InvalidProtectionInformation, dnr: true);
        return (ulong)blocks * channel.Namespace.DataBlockSize == request.Length ? StatusField.Success : new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true);
    }

    private static int CarryInserting(NamespaceChannel channel, NvmfRequest request, ulong offset, uint blocks) => (NvmOpcode)request.Command.Opcode == NvmOpcode.Read
        ? channel.Inserting!.Read(request.Buffers, offset, blocks, s_done, request)
        : channel.Inserting!.Write(request.Buffers, offset, blocks, MustBeDurable(channel, request) ? s_forcedWriteDone : s_done, request);

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
