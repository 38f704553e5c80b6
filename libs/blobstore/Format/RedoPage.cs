namespace Spindle.Blobs.Format;

/// <summary>A copy of a page that is about to be overwritten in place, kept in a free metadata page: when a power cut tears the write, the copy completes it.
/// SPDK takes it for a free page, since its sequence number is that of no chain.</summary>
internal static class RedoPage
{
    /// <summary>The target that stands for the super block, whose version and length are where a page has its sequence number and its reserved bytes.</summary>
    public const uint SuperBlock = uint.MaxValue;

    private const uint Mark = 1u << 31;
    private const uint ZeroMark = Mark | 1u << 30;

    /// <summary>The copy of a page; of zeroes when <paramref name="content"/> is empty.</summary>
    /// <param name="target">Where it is about to be written.</param>
    /// <param name="content">What is about to be written.</param>
    public static byte[] Make(uint target, ReadOnlySpan<byte> content)
    {
        byte[] copy = content.IsEmpty ? MetadataPage.New(ulong.MaxValue, ZeroMark) : content.ToArray();
        if (!content.IsEmpty) MetadataPage.SetSequence(copy, MetadataPage.Sequence(copy) | Mark);
        MetadataPage.SetReserved(copy, target);
        MetadataPage.Seal(copy);
        return copy;
    }

    /// <summary>Whether a page with a right CRC is such a copy.</summary>
    public static bool Is(ReadOnlySpan<byte> page) => (MetadataPage.Sequence(page) & Mark) != 0;

    /// <summary>Where its content belongs.</summary>
    public static uint Target(ReadOnlySpan<byte> page) => MetadataPage.Reserved(page);

    /// <summary>Its content: a page as it was to be written.</summary>
    public static byte[] Content(ReadOnlySpan<byte> page)
    {
        if (MetadataPage.Sequence(page) == ZeroMark) return new byte[MetadataPage.Size];
        byte[] content = page.ToArray();
        MetadataPage.SetSequence(content, MetadataPage.Sequence(content) & ~Mark);
        MetadataPage.SetReserved(content, Target(page) == SuperBlock ? Format.SuperBlock.Size : 0u);
        MetadataPage.Seal(content);
        return content;
    }
}
