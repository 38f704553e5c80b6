using Spindle.Blobs.Format;

namespace Spindle.Blobs.Images;

/// <summary>Reads a store: by its masks when it was shut down cleanly, else by looking at every metadata page.</summary>
public sealed class StoreReader
{
    private const int ChunkBytes = 1 << 20;

    private readonly IStoreSource _source;
    private readonly Dictionary<uint, byte[]> _pages = [];
    private readonly Dictionary<uint, byte[]> _redo = [];
    private readonly HashSet<uint> _broken = [];
    private StoreLayout _layout = null!;
    private SuperBlock _super = null!;
    private bool _superIsTorn;

    private StoreReader(IStoreSource source) => _source = source;

    /// <summary>Whether a device starts as a store does.</summary>
    public static async Task<bool> IsStoreAsync(IStoreSource source) =>
        source.Size >= SuperBlock.Size && SuperBlock.HasSignature(await source.ReadAsync(0, (int)Math.Max(source.BlockSize, 512)));

    /// <summary>Reads a store and says what is wrong with it.</summary>
    /// <param name="source">The device.</param>
    /// <param name="everyPage">Look at every metadata page even after a clean shutdown.</param>
    /// <exception cref="SpindleException">EILSEQ: there is no store, or its super block is damaged, with the field named. Errors of reading.</exception>
    public static Task<StoreImage> ReadAsync(IStoreSource source, bool everyPage = false) => new StoreReader(source).ReadAsync(everyPage);

    private async Task<StoreImage> ReadAsync(bool everyPage)
    {
        byte[] bytes = _source.Size < SuperBlock.Size ? [] : await ReadBytesAsync(0, SuperBlock.Size);
        if (!SuperBlock.HasSignature(bytes)) throw new SpindleException(Errno.EILSEQ, "There is no blobstore: the signature is missing.");
        _superIsTorn = !SuperBlock.HasValidCrc(bytes);
        _super = _superIsTorn ? Repair(bytes) ?? await FindSuperCopyAsync(bytes) : SuperBlock.Decode(bytes);
        _layout = StoreLayout.Of(_super, _source.BlockSize, _source.Size);
        StoreProblem? trace = null;
        if (_super.Clean && _super.BlobMaskLength != 0)
        {
            var image = await ReadCleanAsync();
            if (image is not null && !everyPage) return image;
            if (image is null) trace = new StoreProblem(false, "The store was shut down cleanly, and its masks of what is used are not those of its metadata; they are made again.");
        }
        var scanned = await ReadAllAsync();
        if (trace is not null) scanned.Found.Add(trace);
        return scanned;
    }

    /// <summary>A torn write of the super block leaves its fields from one version and its CRC from another. As a rule only the mark of a clean shutdown changes.</summary>
    private static SuperBlock? Repair(byte[] bytes)
    {
        foreach (byte clean in (byte[])[0, 1])
        {
            byte[] other = bytes.ToArray();
            other[16] = clean;
            if (!SuperBlock.HasValidCrc(other)) continue;
            var super = SuperBlock.Decode(other);
            super.Clean = false;
            return super;
        }
        return null;
    }

    /// <summary>More than that changes when a store grows: then a metadata page holds a copy. Where the pages are never changes, so what is there says it, whichever version it is from.</summary>
    private async Task<SuperBlock> FindSuperCopyAsync(byte[] bytes)
    {
        var damaged = new SpindleException(Errno.EILSEQ, "The super block of the blobstore is damaged: its CRC does not match.");
        try
        {
            _layout = StoreLayout.Of(SuperBlock.Decode(bytes), _source.BlockSize, _source.Size);
        }
        catch (SpindleException e) when (e.Errno == Errno.EILSEQ)
        {
            throw damaged;
        }
        await ReadPagesAsync(null);
        byte[] copy = _redo.Values.FirstOrDefault(page => RedoPage.Target(page) == RedoPage.SuperBlock) ?? throw damaged;
        byte[] content = RedoPage.Content(copy);
        if (!SuperBlock.HasSignature(content)) throw damaged;
        _redo.Clear();
        _broken.Clear();
        var super = SuperBlock.Decode(content);
        super.Clean = false;
        return super;
    }

    /// <summary>Null when the masks and the pages disagree.</summary>
    private async Task<StoreImage?> ReadCleanAsync()
    {
        var usedPages = await ReadMaskAsync(MaskType.Pages, _super.PageMaskStart, _super.PageMaskLength, _layout.MetadataLength);
        var usedClusters = await ReadMaskAsync(MaskType.Clusters, _super.ClusterMaskStart, _super.ClusterMaskLength, _layout.TotalClusters);
        var usedBlobs = await ReadMaskAsync(MaskType.Blobs, _super.BlobMaskStart, _super.BlobMaskLength, _layout.MetadataLength);
        if (usedPages is null || usedClusters is null || usedBlobs is null) return null;
        await ReadPagesAsync(usedPages);
        var image = new StoreImage { Super = _super, Layout = _layout, WasClean = true };
        var roots = new List<uint>();
        for (uint i = 0; i < usedBlobs.Length; i++)
            if (usedBlobs[i]) roots.Add(i);
        new StoreBuilder(image, _pages).Build(roots);
        return image.Found.Count == 0 && image.UsedPages.SameAs(usedPages) && image.UsedClusters.SameAs(usedClusters) ? image : null;
    }

    private async Task<StoreImage> ReadAllAsync()
    {
        _pages.Clear();
        await ReadPagesAsync(null);
        var image = new StoreImage { Super = _super, Layout = _layout, SuperIsTorn = _superIsTorn };
        if (!_super.Clean) image.Trace("The store was not shut down cleanly.");
        if (_superIsTorn) image.Trace("The super block was being written when the store was interrupted.");
        image.RedoPages.AddRange(_redo.Keys);
        foreach (byte[] redo in _redo.Values)
        {
            uint target = RedoPage.Target(redo);
            if (target >= _layout.MetadataLength || !_broken.Remove(target)) continue;
            byte[] content = RedoPage.Content(redo);
            image.Torn[target] = content;
            image.Trace($"Metadata page {target} was being written when the store was interrupted; its copy completes it.");
            if (!MetadataPage.IsZero(content)) _pages[target] = content;
        }
        await CheckBrokenAsync(image);
        new StoreBuilder(image, _pages).Build(_pages.Where(pair => IsRoot(pair.Key, pair.Value)).Select(pair => pair.Key).Order().ToArray());
        return image;
    }

    private static bool IsRoot(uint number, byte[] page) => MetadataPage.Sequence(page) == 0 && MetadataPage.Id(page) == (MetadataPage.BlobIdBit | number);

    /// <summary>A page with a wrong CRC is a torn write to a page that nobody used yet, or a blob that is lost. The latter if it says so itself, or the mask of blobs does,
    /// which is kept while the store is in use so that it can say so.</summary>
    private async Task CheckBrokenAsync(StoreImage image)
    {
        if (_broken.Count == 0) return;
        var usedBlobs = _super.BlobMaskLength == 0 ? null : await ReadMaskAsync(MaskType.Blobs, _super.BlobMaskStart, _super.BlobMaskLength, _layout.MetadataLength);
        foreach (uint number in _broken.Order())
        {
            byte[] page = await ReadBytesAsync(_layout.PageOffset(number), MetadataPage.Size);
            if (usedBlobs?[number] == true || IsRoot(number, page)) image.Damage($"Metadata page {number}, where blob 0x{MetadataPage.BlobIdBit | number:x} starts, has a wrong CRC.");
        }
    }

    private async Task ReadPagesAsync(BitSet? wanted)
    {
        uint perChunk = Math.Max(1, ChunkBytes / _layout.PageSize);
        for (uint first = 0; first < _layout.MetadataLength; first += perChunk)
        {
            uint count = Math.Min(perChunk, _layout.MetadataLength - first);
            bool any = wanted is null;
            for (uint i = first; i < first + count && !any; i++) any = wanted![i];
            if (!any) continue;
            byte[] bytes = await _source.ReadAsync(_layout.PageOffset(first), (int)(count * _layout.PageSize));
            for (uint i = 0; i < count; i++)
                if (wanted?[first + i] != false) Keep(first + i, bytes.AsSpan((int)(i * _layout.PageSize), MetadataPage.Size));
        }
    }

    private void Keep(uint number, ReadOnlySpan<byte> page)
    {
        if (MetadataPage.IsZero(page)) return;
        if (!MetadataPage.IsValid(page)) _broken.Add(number);
        else if (RedoPage.Is(page)) _redo[number] = page.ToArray();
        else _pages[number] = page.ToArray();
    }

    private async Task<BitSet?> ReadMaskAsync(MaskType type, uint start, uint pages, uint bits) =>
        UsedMask.Decode(await ReadBytesAsync((ulong)start * _layout.PageSize, checked((int)(pages * (ulong)_layout.PageSize))), type, bits);

    private async Task<byte[]> ReadBytesAsync(ulong offset, int length)
    {
        int block = (int)_source.BlockSize, whole = (length + block - 1) / block * block;
        byte[] bytes = await _source.ReadAsync(offset, whole);
        return whole == length ? bytes : bytes[..length];
    }
}
