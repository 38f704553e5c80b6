using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Split;

/// <summary>One part of a bdev.</summary>
public sealed class SplitBdev : VirtualBdev
{
    internal SplitBdev(string name, BaseShare share, ulong offsetBlocks, ulong blockCount) : base(name, "Split Disk", share, offsetBlocks, blockCount) =>
        Uuid = DerivedUuid.OfPart(share.Base.Uuid, offsetBlocks, blockCount);

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("split");
        writer.BeginObject();
        writer.Name("base_bdev");
        writer.String(Base.Name);
        writer.Name("offset_blocks");
        writer.Number(OffsetBlocks);
        writer.EndObject();
    }
}
