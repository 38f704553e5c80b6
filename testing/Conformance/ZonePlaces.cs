using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Where in a zoned bdev the next write may go: one zone after the other, each reset before it is written.</summary>
internal sealed class ZonePlaces(Bdev bdev)
{
    private readonly ulong _size = bdev.ZoneSizeBlocks;
    private BdevZoneInfo _zone;
    private ulong _next;
    private ulong _index = ulong.MaxValue;

    /// <summary>Zones that may be written at a time.</summary>
    public static ulong AtATime(Bdev bdev)
    {
        ulong zones = bdev.ZoneCount;
        foreach (uint limit in new[] { bdev.MaxOpenZones, bdev.MaxActiveZones })
            if (limit != 0) zones = Math.Min(zones, limit);
        return zones;
    }

    /// <summary>The blocks that the first zone takes.</summary>
    public static async Task<ulong> CapacityAsync(BdevClient client) => (await client.GetZonesAsync(0, 1))[0].Capacity;

    /// <summary>The block at which so many can be written now.</summary>
    public async Task<ulong> TakeAsync(BdevClient client, ulong blocks)
    {
        if (_index == ulong.MaxValue || _next + blocks > _zone.Start + _zone.Capacity) await NextZoneAsync(client, blocks);
        ulong at = _next;
        _next += blocks;
        return at;
    }

    private async Task NextZoneAsync(BdevClient client, ulong blocks)
    {
        // Not to be in the way of a limit of open zones.
        if (_index != ulong.MaxValue) Check.Succeeded(await client.ZoneManagementAsync(_zone.Start, BdevZoneAction.Finish), "finish of a zone");
        _index = (_index + 1) % bdev.ZoneCount;
        Check.Succeeded(await client.ZoneManagementAsync(_index * _size, BdevZoneAction.Reset), "reset of a zone");
        _zone = (await client.GetZonesAsync(_index * _size, 1))[0];
        _next = _zone.Start;
        if (blocks > _zone.Capacity) throw new NotApplicableException($"its zones hold {_zone.Capacity} blocks, and this needs {blocks}");
    }
}
