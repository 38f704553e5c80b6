using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>An error bdev that is there, or will be with its base.</summary>
/// <param name="baseName">The base.</param>
/// <param name="uuid">Its identity; empty: derived from the base's.</param>
public sealed class ErrorAssociation(string baseName, Guid uuid) : VirtualAssociation(baseName)
{
    /// <summary>Its name: the base's with SPDK's prefix.</summary>
    public string Name => "EE_" + BaseName;

    /// <summary>The identity that was asked for; empty: derived from the base's.</summary>
    public Guid Uuid => uuid;

    /// <summary>What is done to its I/O.</summary>
    public ErrorInjections Injections { get; } = new();

    /// <inheritdoc/>
    public override bool OutlivesBase => false;

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share) =>
        [new ErrorBdev(Name, Injections, share, uuid != Guid.Empty ? uuid : DerivedUuid.OfPart(share.Base.Uuid, 0, share.Base.BlockCount))];

    /// <inheritdoc/>
    protected override void OnBaseResized(IBdevRegistry registry)
    {
        foreach (var bdev in Bdevs) registry.Resize(bdev, bdev.Base.BlockCount);
    }

    internal void WriteConfig(IConfigWriter writer) => writer.Call("bdev_error_create", w =>
    {
        w.Name("base_name");
        w.String(BaseName);
        if (uuid == Guid.Empty) return;
        w.Name("uuid");
        w.String(uuid.ToString());
    });
}
