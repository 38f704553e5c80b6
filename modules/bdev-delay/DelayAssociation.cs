using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>A delay bdev that is there, or will be with its base.</summary>
/// <param name="baseName">The base.</param>
/// <param name="name">Its name.</param>
/// <param name="uuid">Its identity; empty: derived from the base's.</param>
/// <param name="latencies">How late.</param>
public sealed class DelayAssociation(string baseName, string name, Guid uuid, DelayLatencies latencies) : VirtualAssociation(baseName)
{
    // The name space that SPDK's delay bdevs derive their identity in.
    private static readonly Guid UuidNamespace = new("4009b574-6430-4f1b-bc40-ace811091027");

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>The identity that was asked for; empty: derived from the base's.</summary>
    public Guid Uuid => uuid;

    /// <summary>How late.</summary>
    public DelayLatencies Latencies => latencies;

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share) =>
        [new DelayBdev(this, share, uuid != Guid.Empty ? uuid : DerivedUuid.Of(UuidNamespace, share.Base.Uuid))];

    /// <inheritdoc/>
    protected override void OnBaseResized(IBdevRegistry registry)
    {
        foreach (var bdev in Bdevs) registry.Resize(bdev, bdev.Base.BlockCount);
    }

    /// <summary>Writes the members that <c>bdev_delay_create</c> takes and <c>bdev_get_bdevs</c> shows.</summary>
    internal void Write(IRpcWriter writer)
    {
        var bdev = Bdevs.Count > 0 ? Bdevs[0] : null;
        writer.Name("name");
        writer.String(name);
        writer.Name("base_bdev_name");
        writer.String(bdev?.Base.Name ?? BaseName);
        var identity = bdev?.Uuid ?? uuid;
        if (identity != Guid.Empty)
        {
            writer.Name("uuid");
            writer.String(identity.ToString());
        }
        writer.Name("avg_read_latency");
        writer.Number(latencies[DelayKind.AverageRead]);
        writer.Name("p99_read_latency");
        writer.Number(latencies[DelayKind.P99Read]);
        writer.Name("avg_write_latency");
        writer.Number(latencies[DelayKind.AverageWrite]);
        writer.Name("p99_write_latency");
        writer.Number(latencies[DelayKind.P99Write]);
    }
}
