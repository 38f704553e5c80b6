using Spindle.Frontend.Nvmf.Commands.Admin;
using Spindle.Frontend.Nvmf.Commands.Io.Zones;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>I/O commands: what holds for all of them, then the one of the opcode. On the queue's thread.</summary>
[DataPath]
internal static class IoCommands
{
    /// <summary>Carries out an I/O command.</summary>
    public static void Execute(NvmfQueuePair queuePair, NvmfRequest request)
    {
        NvmfController controller = queuePair.Controller!;
        if (!controller.Registers.IsEnabled)
        {
            request.Complete(new StatusField(GenericStatusCode.CommandSequenceError, dnr: true));
            return;
        }
        NamespaceChannel? channel = queuePair.Namespaces?.Find(request.Command.Nsid);
        if (channel is null || (channel.ZoneSize != 0 && !controller.Registers.AllCommandSets))
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidNamespaceOrFormat, dnr: true));
            return;
        }
        if (controller.Subsystem.Options.AnaReporting)
        {
            StatusField path = FeatureScope.AnaStatus(controller.GetAnaState(channel.AnaGroupId));
            if (!path.IsSuccess)
            {
                request.Complete(path);
                return;
            }
        }
        if (request.Command.Fuse != FusedOperation.Normal)
        {
            FusedCompareAndWrite.Execute(request);
            return;
        }
        request.Namespace = channel;
        channel.OnRequestBegun();
        Carry(channel, request);
    }

    /// <summary>Looks for the blocks of a plain read in the bdev's memory.</summary>
    /// <returns>The namespace that lends them; null when the command has to be executed, which also finds out what is wrong with it.</returns>
    public static NamespaceChannel? TryReadInPlace(NvmfQueuePair queuePair, NvmfRequest request, out IoVec data)
    {
        data = default;
        return FindPlain(queuePair, request, NvmOpcode.Read, out ulong offset, out uint blocks) is { } channel && channel.TryReadInPlace(offset, blocks, out data) ? channel : null;
    }

    /// <summary>Has the bdev take the data of a plain write at once.</summary>
    /// <returns>False when the command has to be executed, which also finds out what is wrong with it.</returns>
    public static bool TryWriteAtOnce(NvmfQueuePair queuePair, NvmfRequest request, ReadOnlySpan<byte> data) =>
        FindPlain(queuePair, request, NvmOpcode.Write, out ulong offset, out _) is { ZoneSize: 0 } channel && !ReadWriteCommands.MustBeDurable(channel, request)
        && channel.TryWriteAtOnce(offset, data);

    /// <summary>The namespace of a read or write about which there is nothing special and nothing wrong; else null.</summary>
    private static NamespaceChannel? FindPlain(NvmfQueuePair queuePair, NvmfRequest request, NvmOpcode opcode, out ulong offset, out uint blocks)
    {
        offset = blocks = 0;
        if ((NvmOpcode)request.Command.Opcode != opcode || request.Command.Fuse != FusedOperation.Normal
            || queuePair.Controller is not { Registers.IsEnabled: true } controller
            || queuePair.Namespaces?.Find(request.Command.Nsid) is not { } channel
            || (channel.ZoneSize != 0 && !controller.Registers.AllCommandSets)
            || (controller.Subsystem.Options.AnaReporting && !FeatureScope.AnaStatus(controller.GetAnaState(channel.AnaGroupId)).IsSuccess)
            || (channel.HasProtection && ReadWriteCommands.Inserts(request))) return null;
        return ReadWriteCommands.Check(channel, request, out offset, out blocks).IsSuccess ? channel : null;
    }

    /// <summary>Begins a command, or carries it on after it waited: its namespace is set and counted.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        switch ((NvmOpcode)request.Command.Opcode)
        {
            case NvmOpcode.Read:
            case NvmOpcode.Write:
            case NvmOpcode.Compare:
                ReadWriteCommands.Carry(channel, request);
                break;
            case NvmOpcode.Flush:
                FlushCommand.Carry(channel, request);
                break;
            case NvmOpcode.WriteZeroes:
                WriteZeroesCommand.Carry(channel, request);
                break;
            case NvmOpcode.DatasetManagement when channel.CanUnmap:
                DatasetManagement.Carry(channel, request);
                break;
            case var _ when channel.ZoneSize != 0:
                ZonedCommands.Carry(channel, request);
                break;
            default:
                // Among them the reservation commands, which ONCS does not announce.
                request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
                break;
        }
    }
}
