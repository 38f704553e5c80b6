using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <content>I/O to zones.</content>
internal sealed unsafe partial class BdevQueue
{
    /// <summary>Starts a zone append that has been checked. It is never split, so one that must be copied has to fit a buffer.</summary>
    [DataPath]
    internal int StartAppend(ReadOnlySpan<IoVec> buffers, ulong zoneStart, ulong blocks, BdevIoCallback callback, object? state, nint metadata)
    {
        if (Limits.FitsAppend(buffers)) return Issue(BdevIoType.ZoneAppend, buffers, [], zoneStart, blocks, callback, state, (byte*)metadata, 0, null);
        if (blocks > Limits.BounceBlocks) return -Errno.EINVAL;
        return StartJob(BdevIoType.ZoneAppend, buffers, zoneStart, 0, blocks, callback, state, (byte*)metadata, null);
    }

    [DataPath]
    internal int StartZoneManagement(ulong zoneStart, BdevZoneAction action, BdevIoCallback callback, object? state)
    {
        var io = TakeForZones(BdevIoType.ZoneManagement, zoneStart, 1, callback, state);
        if (io is null) return -Errno.ENOMEM;
        io.ZoneAction = action;
        Dispatch(io);
        return 0;
    }

    [DataPath]
    internal int StartZoneInfo(ulong zoneStart, Memory<BdevZoneInfo> zones, BdevIoCallback callback, object? state)
    {
        var io = TakeForZones(BdevIoType.GetZoneInfo, zoneStart, (ulong)zones.Length, callback, state);
        if (io is null) return -Errno.ENOMEM;
        io.Zones = zones;
        Dispatch(io);
        return 0;
    }

    [DataPath]
    private BdevIo? TakeForZones(BdevIoType type, ulong zoneStart, ulong count, BdevIoCallback callback, object? state)
    {
        var io = Take();
        if (io is null) return null;
        io.Type = type;
        io.OffsetBlocks = zoneStart;
        io.NumBlocks = count * Limits.ZoneSize;
        io.SetIovs([], []);
        io.Metadata = null;
        SetCaller(io, callback, state);
        io.HostState = null;
        return io;
    }
}
