using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Split;

/// <summary>A bdev that is, or will be, split.</summary>
/// <param name="baseName">Its name, alias or UUID.</param>
/// <param name="count">How many parts; above 0.</param>
/// <param name="sizeMebibytes">MiB of a part; 0 for the size divided by <paramref name="count"/>.</param>
public sealed class SplitAssociation(string baseName, uint count, ulong sizeMebibytes) : VirtualAssociation(baseName)
{
    // Far beyond what anybody splits a disk into; each part is a bdev with channels of its own.
    private const uint MostParts = 65536;

    /// <summary>How many parts.</summary>
    public uint Count => count;

    /// <summary>MiB of a part; 0 for the size divided by <see cref="Count"/>.</summary>
    public ulong SizeMebibytes => sizeMebibytes;

    /// <inheritdoc/>
    public override bool OutlivesBase => false;

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share)
    {
        var lower = share.Base;
        ulong size = PartBlocks(lower.BlockSize, lower.BlockCount);
        ulong parts = Math.Min(count, lower.BlockCount / size);
        return [.. Enumerable.Range(0, (int)parts).Select(i => new SplitBdev($"{BaseName}p{i}", share, (ulong)i * size, size))];
    }

    private ulong PartBlocks(uint blockSize, ulong blockCount)
    {
        ulong blocks = blockCount / count;
        if (sizeMebibytes > 0)
        {
            ulong bytes = sizeMebibytes << 20;
            if (bytes >> 20 != sizeMebibytes) throw Invalid($"split_size_mb {sizeMebibytes} is beyond 64 bits in bytes");
            if (bytes % blockSize != 0) throw Invalid($"split_size_mb {sizeMebibytes} is no multiple of the base's blocks of {blockSize} bytes");
            blocks = bytes / blockSize;
        }
        if (blocks == 0) throw Invalid($"split_count {count} is more than the base's {blockCount} blocks");
        if (blocks > blockCount) throw Invalid($"split_size_mb {sizeMebibytes} is more than the base's {blockCount} blocks of {blockSize} bytes");
        if (Math.Min(count, blockCount / blocks) > MostParts) throw Invalid($"split_count {count} is above {MostParts}");
        return blocks;
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what + ".");

    internal void WriteConfig(IConfigWriter writer) => writer.Call("bdev_split_create", w =>
    {
        w.Name("base_bdev");
        w.String(BaseName);
        w.Name("split_count");
        w.Number((ulong)count);
        w.Name("split_size_mb");
        w.Number(sizeMebibytes);
    });
}
