using Spindle.Blobs.Format;

namespace Spindle.Blobs.Metadata;

/// <summary>Writes metadata pages so that a power cut at any moment leaves each as it was or as it is to be. On the metadata thread, one change at a time.</summary>
/// <param name="io">The device.</param>
/// <param name="layout">The geometry.</param>
/// <param name="super">The super block as it is on disk.</param>
/// <param name="usedPages">The pages in use; the writer takes one for its copies.</param>
internal sealed class PageWriter(MetadataIo io, StoreLayout layout, SuperBlock super, BitSet usedPages)
{
    private readonly bool _tears = io.AtomicBytes < MetadataPage.Size;
    private uint? _redo;

    /// <summary>Takes the page for copies, if writes can be torn and one is free.</summary>
    public void Start()
    {
        if (!_tears || _redo is not null) return;
        // From the end, where it is in nobody's way.
        for (uint page = layout.MetadataLength; page-- > 0 && _redo is null;)
            if (!usedPages[page]) usedPages.Set((_redo = page).Value);
    }

    /// <summary>Gives the page for copies back, overwritten with zeroes.</summary>
    public async Task StopAsync()
    {
        if (_redo is not { } page) return;
        await EraseAsync(page);
        usedPages.Clear(page);
        _redo = null;
    }

    /// <summary>Comes before every change: says on disk that the masks are not to be believed.</summary>
    /// <exception cref="SpindleException">ENOSPC: there is no page for copies; nothing has changed.</exception>
    public async Task MarkDirtyAsync()
    {
        Start();
        if (_tears && _redo is null) throw new SpindleException(Errno.ENOSPC, "No metadata page of the store is free, and one is needed to guard changes against power cuts.");
        if (!super.Clean) return;
        super.Clean = false;
        try
        {
            await WriteSuperAsync();
        }
        catch
        {
            super.Clean = true; // The next one tries again.
            throw;
        }
    }

    /// <summary>Writes the super block; it is durable when this returns.</summary>
    public async Task WriteSuperAsync()
    {
        byte[] bytes = super.Encode();
        await io.BarrierAsync();
        if (_redo is { } redo)
        {
            await io.WriteAsync(layout.PageOffset(redo), Padded(RedoPage.Make(RedoPage.SuperBlock, bytes), layout.PageSize));
            await io.BarrierAsync();
        }
        await io.WriteAsync(0, Padded(bytes, Math.Max(SuperBlock.Size, io.BlockSize)));
        await io.BarrierAsync();
    }

    /// <summary>Writes a page that nothing refers to yet. Not durable before the next barrier.</summary>
    public Task WriteNewAsync(uint page, byte[] content) => io.WriteAsync(layout.PageOffset(page), Padded(content, layout.PageSize));

    /// <summary>Overwrites a page with zeroes to which nothing refers any more. Not durable before the next barrier.</summary>
    public Task EraseAsync(uint page) => io.WriteAsync(layout.PageOffset(page), new byte[layout.PageSize]);

    /// <summary>Overwrites a page in use, after all that was written before; it is durable when this returns.</summary>
    /// <param name="page">The page.</param>
    /// <param name="content">4096 bytes; none for zeroes.</param>
    public async Task OverwriteAsync(uint page, byte[] content)
    {
        await io.BarrierAsync();
        if (_redo is { } redo)
        {
            // Only when all that the page refers to is durable: whatever the page holds then, the copy may be put in its place.
            await io.WriteAsync(layout.PageOffset(redo), Padded(RedoPage.Make(page, content), layout.PageSize));
            await io.BarrierAsync();
        }
        await io.WriteAsync(layout.PageOffset(page), Padded(content, layout.PageSize));
        await io.BarrierAsync();
    }

    /// <summary>Writes a mask. Not durable before the next barrier.</summary>
    public Task WriteMaskAsync(MaskType type, BitSet set, uint start, uint pages) =>
        io.WriteAsync((ulong)start * layout.PageSize, UsedMask.Encode(type, set, (int)(pages * layout.PageSize)));

    /// <summary>Says in the mask of blobs on disk whether a blob is there: after a power cut it tells a blob that is lost from one that was never there.</summary>
    public async Task NoteBlobAsync(BitSet blobs, uint root)
    {
        if (super.BlobMaskLength == 0) return;
        uint page = (StoreLayout.MaskHeader + (root / 8)) / layout.PageSize;
        byte[] mask = UsedMask.Encode(MaskType.Blobs, blobs, (int)(super.BlobMaskLength * layout.PageSize));
        await io.WriteAsync(((ulong)super.BlobMaskStart + page) * layout.PageSize, mask.AsMemory((int)(page * layout.PageSize), (int)layout.PageSize));
        await io.BarrierAsync();
    }

    private static byte[] Padded(byte[] content, uint size)
    {
        if (content.Length == size) return content;
        byte[] padded = new byte[size];
        content.CopyTo(padded, 0);
        return padded;
    }
}
