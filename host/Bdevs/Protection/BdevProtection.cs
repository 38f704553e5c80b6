using Spindle.Bdevs;
using Spindle.Dif;

namespace Spindle.Host.Bdevs;

/// <summary>The metadata of a bdev's blocks as the layer makes and verifies it: for openers that do not see it, and where it emulates write zeroes and copy.</summary>
internal sealed class BdevProtection
{
    private BdevProtection(Bdev bdev, uint bufferSize)
    {
        Interleaved = bdev.MetadataInterleaved;
        DataSize = DataBlockSize(bdev);
        MetadataSize = bdev.MetadataSize;
        uint room = Math.Min(bufferSize, bdev.MaxSegmentSize == 0 ? uint.MaxValue : Math.Max(bdev.MaxSegmentSize, bdev.BlockSize));
        BlocksInBuffer = Math.Min(room / bdev.BlockSize, bufferSize / WholeBlock(bdev));
        MetadataInBuffer = bufferSize / bdev.MetadataSize;
        Metadata = new HiddenMetadata(DataSize, MetadataSize, Interleaved, bdev.DifType == DifType.None ? null : Information(bdev));
    }

    /// <summary>The metadata lies after each block's data.</summary>
    internal readonly bool Interleaved;

    /// <summary>Bytes of data in a block.</summary>
    internal readonly uint DataSize;

    /// <summary>Bytes of metadata of a block.</summary>
    internal readonly uint MetadataSize;

    /// <summary>Blocks with their metadata that an I/O buffer has room for, in one vector of the bdev's.</summary>
    internal readonly ulong BlocksInBuffer;

    /// <summary>Blocks whose separate metadata an I/O buffer has room for.</summary>
    internal readonly ulong MetadataInBuffer;

    /// <summary>Makes and verifies it.</summary>
    internal readonly HiddenMetadata Metadata;

    /// <summary>What there is to know of a bdev's metadata; null when it has none, or a block is larger than an I/O buffer.</summary>
    internal static BdevProtection? Of(Bdev bdev, uint bufferSize) =>
        bdev.MetadataSize == 0 || WholeBlock(bdev) > bufferSize ? null : new BdevProtection(bdev, bufferSize);

    /// <summary>Bytes of data in a block of a bdev.</summary>
    internal static uint DataBlockSize(Bdev bdev) => bdev.MetadataInterleaved ? bdev.BlockSize - bdev.MetadataSize : bdev.BlockSize;

    private static uint WholeBlock(Bdev bdev) => DataBlockSize(bdev) + bdev.MetadataSize;

    private static ProtectionInformation Information(Bdev bdev) => new(DataBlockSize(bdev), bdev.MetadataSize, bdev.MetadataInterleaved,
        bdev.DifIsHeadOfMetadata, bdev.DifType, bdev.DifCheckFlags, bdev.DifFormat);

    /// <summary>Refuses a bdev with protection information that its blocks have no room for.</summary>
    /// <exception cref="SpindleException">EINVAL, with the member named.</exception>
    internal static void Check(Bdev bdev)
    {
        int size = bdev.DifFormat == DifFormat.Guard16 ? 8 : 16;
        uint unit = bdev.DifFormat == DifFormat.Guard16 ? 512u : 4096u;
        if (bdev.DifType > DifType.Type3) throw BdevGeometry.Invalid(bdev, nameof(Bdev.DifType), $"is {(int)bdev.DifType}; it must be none or 1 to 3");
        if (bdev.DifFormat > DifFormat.Guard64) throw BdevGeometry.Invalid(bdev, nameof(Bdev.DifFormat), $"is {(int)bdev.DifFormat}; it must be one of the enumeration's");
        if (bdev.MetadataSize < size) throw BdevGeometry.Invalid(bdev, nameof(Bdev.MetadataSize), $"is less than the {size} bytes of protection information");
        if (DataBlockSize(bdev) % unit != 0) throw BdevGeometry.Invalid(bdev, nameof(Bdev.BlockSize), $"has {DataBlockSize(bdev)} bytes of data; this {nameof(Bdev.DifFormat)} needs a multiple of {unit}");
    }

    /// <summary>Refuses to hide metadata that the layer has no buffers for.</summary>
    /// <exception cref="SpindleException">ENOTSUP.</exception>
    internal static void CheckHiding(Bdev bdev, uint bufferSize)
    {
        if (bdev.MetadataSize == 0) return;
        ulong unit = bdev.SplitOnWriteUnit ? Math.Max(1, bdev.WriteUnitBlocks) : 1, least = WholeBlock(bdev) * unit;
        if (least > bufferSize || (bdev.MaxSegmentSize != 0 && bdev.BlockSize * unit > bdev.MaxSegmentSize))
        {
            throw new SpindleException(Errno.ENOTSUP, $"The metadata of bdev '{bdev.Name}' cannot be hidden: what must be written in one go, {least} bytes, is more than " +
                $"an I/O buffer ({bufferSize} bytes, iobuf_set_options large_bufsize) or a segment of the bdev has.");
        }
    }
}
