using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>A zoned bdev on one that is not.</summary>
public sealed class ZoneBlockBdev : VirtualBdev
{
    // The name space that SPDK's zone block bdevs derive their identity in.
    private static readonly Guid UuidNamespace = new("5f3f485a-d6bb-4443-9de7-023683b77389");

    private readonly ZoneBlockAssociation _association;

    /// <param name="association">What was asked for; it has been found to fit.</param>
    /// <param name="share">The base.</param>
    /// <param name="zones">The zones.</param>
    /// <param name="blockCount">Blocks: whole zones.</param>
    internal ZoneBlockBdev(ZoneBlockAssociation association, BaseShare share, ZoneTable zones, ulong blockCount) : base(association.Name, "zone_block", share, 0, blockCount)
    {
        _association = association;
        Zones = zones;
        Uuid = DerivedUuid.Of(UuidNamespace, share.Base.Uuid);
        ZoneSizeBlocks = association.ZoneSize;
        OptimalOpenZones = association.OptimalOpenZones;
    }

    /// <summary>The zones.</summary>
    internal ZoneTable Zones { get; }

    /// <summary>Write zeroes is made by the base, or of its writes. Other types are the host's to make from reads, or make no sense on zones.</summary>
    public override bool Supports(BdevIoType type) => type switch
    {
        BdevIoType.Read or BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement or BdevIoType.ZoneAppend => true,
        BdevIoType.Flush or BdevIoType.Reset or BdevIoType.Abort => Base.Supports(type),
        _ => false,
    };

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new ZoneBlockChannel(OpenBase(), Zones, Base.Supports(BdevIoType.Unmap));

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new ZoneBlockIo(io);

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("zoned_block");
        writer.BeginObject();
        writer.Name("name");
        writer.String(Name);
        writer.Name("base_bdev");
        writer.String(Base.Name);
        _association.WriteZones(writer);
        writer.EndObject();
    }
}

/// <summary>One storage thread's way to the base and to the zones.</summary>
internal sealed class ZoneBlockChannel(IBdevChannel lower, ZoneTable zones, bool deallocates) : VirtualChannel(lower, 0)
{
    /// <summary>The zones, which all threads share.</summary>
    public readonly ZoneTable Zones = zones;

    /// <summary>The base can deallocate the blocks of a zone that is reset.</summary>
    public readonly bool Deallocates = deallocates;
}
