using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Gpt;

/// <summary>One partition of a bdev.</summary>
public sealed class GptBdev : VirtualBdev
{
    internal GptBdev(string name, BaseShare share, GptPartition partition) : base(name, "GPT Disk", share, partition.FirstBlock, partition.BlockCount)
    {
        Partition = partition;
        Uuid = partition.Unique != Guid.Empty ? partition.Unique : DerivedUuid.OfPart(share.Base.Uuid, partition.FirstBlock, partition.BlockCount);
    }

    /// <summary>What the table says of it.</summary>
    internal GptPartition Partition { get; }

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("gpt");
        writer.BeginObject();
        writer.Name("base_bdev");
        writer.String(Base.Name);
        writer.Name("offset_blocks");
        writer.Number(OffsetBlocks);
        writer.Name("partition_type_guid");
        writer.String(Partition.Type.ToString());
        writer.Name("unique_partition_guid");
        writer.String(Partition.Unique.ToString());
        writer.Name("partition_name");
        writer.String(Partition.Name);
        writer.EndObject();
    }
}
