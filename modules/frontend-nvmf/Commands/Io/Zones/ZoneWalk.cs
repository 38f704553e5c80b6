using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io.Zones;

/// <summary>Where a command is on its way over the zones of a namespace. Kept by the namespace's channel and used again; one for each such command under way.</summary>
internal sealed class ZoneWalk
{
    /// <summary>Zones that the bdev is asked about at a time.</summary>
    public const int Stretch = 64;

    /// <summary>What the bdev said of the latest stretch.</summary>
    public readonly BdevZoneInfo[] Zones = new BdevZoneInfo[Stretch];

    /// <summary>How many zones the stretch has; 0 while the next one has to be asked for.</summary>
    public int Count;

    /// <summary>Which of them is next.</summary>
    public int At;

    /// <summary>The first block of the stretch's first zone.</summary>
    public ulong Start;

    /// <summary>Zones that matched so far.</summary>
    public ulong Matches;

    /// <summary>The command's walk; a new one, that begins at a zone, when it has none.</summary>
    [DataPath]
    public static ZoneWalk Of(NamespaceChannel channel, NvmfRequest request, ulong start)
    {
        if (request.Context is ZoneWalk under) return under;
        ZoneWalk walk = channel.TakeWalk();
        (walk.Count, walk.At, walk.Start, walk.Matches) = (0, 0, start, 0);
        request.Context = walk;
        return walk;
    }

    /// <summary>Nobody waits for the command any more: its connection is going.</summary>
    [DataPath]
    public static bool IsPointless(NvmfRequest request) => request.QueuePair.State == NvmfQueuePairState.Disconnecting;

    /// <summary>What a command ends with then.</summary>
    public static StatusField Ended => new(GenericStatusCode.CommandAbortedDueToSqDeletion);

    /// <summary>Asks the bdev about the next stretch. Its answer is due when this returns 0.</summary>
    [DataPath]
    public int Ask(NamespaceChannel channel, NvmfRequest request, BdevIoCallback answered)
    {
        ulong left = (channel.Bdev.BlockCount - Start) / channel.ZoneSize;
        Count = (int)Math.Min(left, Stretch);
        At = 0;
        int result = channel.Channel.GetZoneInfo(Start, Zones.AsMemory(0, Count), answered, request);
        if (result != 0) Count = 0;
        return result;
    }

    /// <summary>The stretch is done with.</summary>
    [DataPath]
    public void Advance(ulong zoneSize)
    {
        Start += (ulong)Count * zoneSize;
        Count = 0;
    }
}
