using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io.Zones;

/// <summary>The commands that the Zoned Namespace command set has beyond the NVM command set.</summary>
[DataPath]
internal static class ZonedCommands
{
    /// <summary>Begins a command to a zoned namespace, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        switch ((ZonedOpcode)request.Command.Opcode)
        {
            case ZonedOpcode.ZoneAppend when channel.CanAppend:
                ZoneAppendCommand.Carry(channel, request);
                break;
            case ZonedOpcode.ZoneManagementSend:
                ZoneManagementSend.Carry(channel, request);
                break;
            case ZonedOpcode.ZoneManagementReceive:
                ZoneManagementReceive.Carry(channel, request);
                break;
            default:
                request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
                break;
        }
    }

    /// <summary>Whether blocks that are to be written reach into another zone.</summary>
    public static bool CrossesZone(NamespaceChannel channel, ulong offset, ulong blocks) => channel.ZoneSize != 0 && blocks > channel.ZoneSize - offset % channel.ZoneSize;
}
