using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Commands.Io.Zones;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>Write Zeroes (NVM Command Set Specification 1.0, section 3.2.8).</summary>
[DataPath]
internal static class WriteZeroesCommand
{
    private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => BdevOutcome.Complete((NvmfRequest)state!, in result);

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        ref NvmIoCommand command = ref request.Command.As<NvmIoCommand>();
        uint blocks = command.BlockCount;
        ulong limit = request.QueuePair.Controller!.Subsystem.Options.MaxWriteZeroesSizeKib;
        // Deallocation is not announced (DLFEAT bit 3), and a size limit is in WZSL.
        if ((command.Flags & NvmIoFlags.Deallocate) != 0 || (limit != 0 && (ulong)blocks * channel.BlockSize > limit << 10))
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true));
        }
        else if (!ReadWriteCommands.IsInRange(channel, command.Slba, blocks))
        {
            request.Complete(new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true));
        }
        else if (ZonedCommands.CrossesZone(channel, command.Slba, blocks))
        {
            request.Complete(new StatusField(CommandSpecificStatusCode.ZonedBoundaryError, dnr: true));
        }
        else
        {
            BdevOutcome.Submitted(channel, request, channel.Channel.WriteZeroes(command.Slba, blocks, s_done, request));
        }
    }
}
