using Spindle.Blobs.Format;
using Spindle.Blobs.Repair;

namespace Spindle.Blobs.Images;

/// <summary>Reads a store: by its masks when it was shut down cleanly, else by looking at every metadata page.</summary>
public sealed class StoreReader
{
    private const int ChunkBytes = 1 << 20, ReadsAtOnce = 8;

    private readonly IStoreSource _source;
    private readonly Dictionary<uint, byte[]> _pages = [];
    private readonly Dictionary<uint, byte[]> _redo = [];
    private readonly HashSet<uint> _broken = [];
    private StoreLayout _layout = null!;
    private SuperBlock _super = null!;
    private bool _superIsTorn, _superIsGuessed;

    private readonly Action<uint, uint>? _progress;
    private readonly bool _forRepair;

    private StoreReader(IStoreSource source, Action<uint, uint>? progress, bool forRepair) => (_source, _progress, _forRepair) = (source, progress, forRepair);

    /// <summary>Whether a device starts as a store does.</summary>
    public static async Task<bool> IsStoreAsync(IStoreSource source) =>
        source.Size >= SuperBlock.Size && SuperBlock.HasSignature(await source.ReadAsync(0, (int)Math.Max(source.BlockSize, 512)));

    /// <summary>Reads a store and says what is wrong with it.</summary>
    /// <param name="source">The device.</param>
    /// <param name="everyPage">Look at every metadata page even after a clean shutdown.</param>
    /// <param name="progress">Told of the metadata pages that have been read, and of how many there are.</param>
    /// <exception cref="SpindleException">EILSEQ: there is no store, or its super block is damaged, with the field named. Errors of reading.</exception>
    public static Task<StoreImage> ReadAsync(IStoreSource source, bool everyPage = false, Action<uint, uint>? progress = null) => new StoreReader(source, progress, forRepair: false).ReadAsync(everyPage);

    /// <summary>As <see cref="ReadAsync(IStoreSource, bool, Action{uint, uint}?)"/>, every page, and going on with a super block whose CRC is wrong if its fields make sense.</summary>
    internal static async Task<(StoreImage Image, Func<uint, Task<RawPage>> Page)> ReadForRepairAsync(IStoreSource source, Action<uint, uint>? progress)
    {
        var reader = new StoreReader(source, progress, forRepair: true);
        return (await reader.ReadAsync(everyPage: true), reader.RawPageAsync);
    }

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
        var scanned = await ReadAllAsync(_super.Clean && _super.BlobMaskLength != 0);
        if (trace is not null) scanned.Found.Add(trace);
        if (_superIsGuessed) await CheckGuessAsync(scanned);
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
        byte[]? copy = _redo.Values.FirstOrDefault(page => RedoPage.Target(page) == RedoPage.SuperBlock);
        byte[] content = copy is not null ? RedoPage.Content(copy) : _forRepair ? bytes : throw damaged;
        _superIsGuessed = copy is null;
        if (!SuperBlock.HasSignature(content)) throw damaged;
        _redo.Clear();
        _broken.Clear();
        var super = SuperBlock.Decode(content);
        super.Clean = false;
        return super;
    }

    /// <summary>Fields of a super block whose CRC is wrong are those of the store when the masks are where they say, with as many bits, and blobs are where they say.</summary>
    private async Task CheckGuessAsync(StoreImage image)
    {
        byte[] clusters = await ReadBytesAsync((ulong)_super.ClusterMaskStart * _layout.PageSize, MetadataPage.Size);
        bool fits = await ReadMaskAsync(MaskType.Pages, _super.PageMaskStart, _super.PageMaskLength, _layout.MetadataLength) is not null
            && clusters[0] == (byte)MaskType.Clusters && System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(clusters.AsSpan(1)) == _layout.TotalClusters && image.Blobs.Count > 0;
        if (!fits) throw new SpindleException(Errno.EILSEQ, "The super block of the blobstore is damaged: its CRC does not match, and what it says of the store is not what is there. It cannot be repaired.");
        image.Trace("The super block had a wrong CRC. What it says fits the store; it is written again.");
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

    private async Task<StoreImage> ReadAllAsync(bool masksAreRight)
    {
        _pages.Clear();
        await ReadPagesAsync(null);
        var image = new StoreImage { Super = _super, Layout = _layout, SuperIsTorn = _superIsTorn };
        if (!_super.Clean) image.Trace("The store was not shut down cleanly.");
        if (_superIsTorn && !_superIsGuessed) image.Trace("The super block was being written when the store was interrupted.");
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
        if (masksAreRight) await CheckLostAsync(image);
        foreach (var (id, blob) in image.Damaged) image.DamagedNames[id] = blob is null ? await NameAsync((uint)id) : StoreText.NameOf(blob);
        return image;
    }

    /// <summary>A name can be read where the rest of a blob cannot.</summary>
    private async Task<string> NameAsync(uint root)
    {
        try
        {
            return await new BlobSalvage(_layout, RawPageAsync).ReadAsync(root) is { } blob ? StoreText.NameOf(blob) : "";
        }
        catch (SpindleException e) when (e.Errno == Errno.ENOTSUP)
        {
            return "";
        }
    }

    private async Task<RawPage> RawPageAsync(uint number)
    {
        if (_pages.TryGetValue(number, out byte[]? valid)) return new RawPage(valid, true);
        byte[] bytes = await ReadBytesAsync(_layout.PageOffset(number), MetadataPage.Size);
        return new RawPage(bytes, MetadataPage.IsValid(bytes));
    }

    internal static bool IsRoot(uint number, byte[] page) => MetadataPage.Sequence(page) == 0 && MetadataPage.Id(page) == (MetadataPage.BlobIdBit | number);

    /// <summary>A page with a wrong CRC is a torn write to a page that nobody used yet, or a blob that is lost. The latter if it says so itself, or the mask of blobs does,
    /// which is kept while the store is in use so that it can say so.</summary>
    private async Task CheckBrokenAsync(StoreImage image)
    {
        if (_broken.Count == 0) return;
        var usedBlobs = _super.BlobMaskLength == 0 ? null : await ReadMaskAsync(MaskType.Blobs, _super.BlobMaskStart, _super.BlobMaskLength, _layout.MetadataLength);
        foreach (uint number in _broken.Order())
        {
            byte[] page = await ReadBytesAsync(_layout.PageOffset(number), MetadataPage.Size);
            if (usedBlobs?[number] == true || IsRoot(number, page)) image.Damage(MetadataPage.BlobIdBit | number, $"Metadata page {number}, where blob 0x{MetadataPage.BlobIdBit | number:x} starts, has a wrong CRC.");
        }
    }

    /// <summary>A blob of which a clean store's masks say that it is there, and whose first page is empty or another's, is lost: a write that the device swallowed, or was told to undo.</summary>
    private async Task CheckLostAsync(StoreImage image)
    {
        var usedPages = await ReadMaskAsync(MaskType.Pages, _super.PageMaskStart, _super.PageMaskLength, _layout.MetadataLength);
        var usedBlobs = await ReadMaskAsync(MaskType.Blobs, _super.BlobMaskStart, _super.BlobMaskLength, _layout.MetadataLength);
        if (usedPages is null || usedBlobs is null) return;
        for (uint number = 0; number < usedBlobs.Length; number++)
        {
            // Another blob's page: then it is the mask that is wrong.
            if (!usedBlobs[number] || !usedPages[number] || image.UsedPages[number] || _broken.Contains(number) || (_pages.TryGetValue(number, out byte[]? page) && IsRoot(number, page))) continue;
            image.Damage(MetadataPage.BlobIdBit | number, $"Metadata page {number}, where blob 0x{MetadataPage.BlobIdBit | number:x} starts according to the masks, does not hold it.");
            image.Damaged.TryAdd(MetadataPage.BlobIdBit | number, null);
        }
    }

    private async Task ReadPagesAsync(BitSet? wanted)
    {
        uint perChunk = Math.Max(1, ChunkBytes / _layout.PageSize);
        var reads = new Queue<(uint First, uint Count, Task<byte[]> Bytes)>();
        try
        {
            for (uint first = 0; first < _layout.MetadataLength; first += perChunk)
            {
                uint count = Math.Min(perChunk, _layout.MetadataLength - first);
                bool any = wanted is null;
                for (uint i = first; i < first + count && !any; i++) any = wanted![i];
                if (!any) continue;
                // The next ones come while one is looked at.
                reads.Enqueue((first, count, _source.ReadAsync(_layout.PageOffset(first), (int)(count * _layout.PageSize))));
                if (reads.Count >= ReadsAtOnce) await KeepAsync(reads.Dequeue(), wanted);
            }
            while (reads.Count > 0) await KeepAsync(reads.Dequeue(), wanted);
        }
        finally
        {
            // None may be under way when the source is closed.
            foreach (var read in reads) await ((Task)read.Bytes).ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task KeepAsync((uint First, uint Count, Task<byte[]> Bytes) read, BitSet? wanted)
    {
        byte[] bytes = await read.Bytes;
        if (wanted is null) _progress?.Invoke(read.First + read.Count, _layout.MetadataLength);
        for (uint i = 0; i < read.Count; i++)
            if (wanted?[read.First + i] != false) Keep(read.First + i, bytes.AsSpan((int)(i * _layout.PageSize), MetadataPage.Size));
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
