using System.Numerics;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>A zone block bdev that is there, or will be with its base.</summary>
/// <param name="baseName">The base.</param>
/// <param name="name">Its name.</param>
/// <param name="zoneCapacity">Blocks of a zone that can be written; 1 to <see cref="ZoneTable.LargestCapacity"/>.</param>
/// <param name="optimalOpenZones">What hosts are told; above 0.</param>
/// <param name="log">Told of blocks that belong to no zone.</param>
public sealed class ZoneBlockAssociation(string baseName, string name, ulong zoneCapacity, uint optimalOpenZones, ILogger log) : VirtualAssociation(baseName)
{
    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Blocks of a zone that can be written.</summary>
    public ulong ZoneCapacity => zoneCapacity;

    /// <summary>What hosts are told.</summary>
    public uint OptimalOpenZones => optimalOpenZones;

    /// <summary>Blocks from one zone to the next: a power of two, which hosts expect.</summary>
    public ulong ZoneSize => BitOperations.RoundUpToPowerOf2(zoneCapacity);

    /// <summary>The power of two.</summary>
    internal int ZoneShift => BitOperations.Log2(ZoneSize);

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share)
    {
        var lower = share.Base;
        if (lower.IsZoned) throw new SpindleException(Errno.EEXIST, $"base_bdev '{lower.Name}' is zoned already; use it as it is.");
        ulong count = lower.BlockCount / ZoneSize;
        if (count == 0)
            throw new SpindleException(Errno.EINVAL, $"zone_capacity {zoneCapacity} makes zones of {ZoneSize} blocks, and '{lower.Name}' has only {lower.BlockCount}; choose a smaller one.");
        if (count > ZoneTable.MostZones)
            throw new SpindleException(Errno.EINVAL, $"zone_capacity {zoneCapacity} makes {count} zones of '{lower.Name}', above {ZoneTable.MostZones}; choose a larger one.");
        if (lower.SplitOnWriteUnit && lower.WriteUnitBlocks > 1 && zoneCapacity % lower.WriteUnitBlocks != 0)
            throw new SpindleException(Errno.EINVAL, $"zone_capacity {zoneCapacity} is no multiple of the {lower.WriteUnitBlocks} blocks that '{lower.Name}' is written in.");
        ulong lost = lower.BlockCount - count * zoneCapacity;
        if (lost != 0)
            log.LogInformation("{Name} has no use for {Lost} of the {Blocks} blocks of {Base}: {Count} zones of {Capacity} blocks, {Size} blocks apart", name, lost, lower.BlockCount, lower.Name, count, zoneCapacity, ZoneSize);
        return [new ZoneBlockBdev(this, share, new ZoneTable(count, zoneCapacity, ZoneShift), count * ZoneSize)];
    }

    /// <summary>Writes the parameters that make it again.</summary>
    internal void Write(IRpcWriter writer)
    {
        writer.Name("base_bdev");
        writer.String(Bdevs.Count > 0 ? Bdevs[0].Base.Name : BaseName);
        writer.Name("name");
        writer.String(name);
        WriteZones(writer);
    }

    /// <summary>Writes the members about zones.</summary>
    internal void WriteZones(IRpcWriter writer)
    {
        writer.Name("zone_capacity");
        writer.Number(zoneCapacity);
        writer.Name("optimal_open_zones");
        writer.Number((ulong)optimalOpenZones);
    }
}
