using Spindle.Bdevs;
using Spindle.Blobs.Data;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.Blobs.Metadata;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Blobs;

/// <summary>A loaded store. All members on the storage thread that loaded it (the metadata thread), unless they say otherwise. A method that changes something
/// returns when the change is durable; one that fails with ENOSPC has changed nothing.</summary>
public sealed partial class Blobstore
{
    private readonly IBdevDescriptor _descriptor;
    private readonly SortedDictionary<ulong, Blob> _blobs = [];
    private readonly ExternalSnapshotResolver _resolver;
    private SpindleException? _fault;
    private bool _closed;

    private Blobstore(IBdevDescriptor descriptor, MetadataIo io, SuperBlock super, StoreLayout layout, BitSet pages, BitSet clusters, ExternalSnapshotResolver? resolver)
    {
        (_descriptor, Io, Super, Layout, Pages, Clusters) = (descriptor, io, super, layout, pages, clusters);
        _resolver = resolver ?? (static _ => null);
        BlobIds = new BitSet(layout.MetadataLength);
        Geometry = new BlobGeometry(layout);
        Writer = new PageWriter(io, layout, super, pages);
        Thread = StorageThread.Required;
        Allocator = new ClusterAllocator(this);
        Releaser = new ClusterReleaser(this);
    }

    /// <summary>The device.</summary>
    public Bdev Device => _descriptor.Bdev;
    /// <summary>Bytes of a cluster.</summary>
    public uint ClusterSize => Layout.ClusterSize;
    /// <summary>Bytes of the smallest I/O on a blob.</summary>
    public uint IoUnitSize => Layout.IoUnitSize;
    /// <summary>Clusters for data.</summary>
    public uint DataClusters => Layout.DataClusters;
    /// <summary>Clusters that are free.</summary>
    public uint FreeClusters => Clusters.ClearCount;
    /// <summary>The largest device, in bytes, up to which the store can grow.</summary>
    public ulong MaxGrowableSize => (((ulong)(Super.BlobMaskStart - Super.ClusterMaskStart) * Layout.PageSize) - StoreLayout.MaskHeader) * 8 * ClusterSize;
    /// <summary>16 bytes that say what the store is used for.</summary>
    public ReadOnlyMemory<byte> Type => Super.Type;
    /// <summary>The blobs.</summary>
    public IReadOnlyCollection<Blob> Blobs => _blobs.Values;
    /// <summary>The blob that describes the store to its user; null when there is none.</summary>
    public Blob? SuperBlob => Find(Super.SuperBlob);
    /// <summary>Why the store takes no more changes: one of them failed halfway. Null while it does.</summary>
    public SpindleException? Fault => _fault;

    internal MetadataIo Io { get; }
    internal SuperBlock Super { get; }
    internal StoreLayout Layout { get; private set; }
    internal BitSet Pages { get; }
    internal BitSet Clusters { get; private set; }
    internal BitSet BlobIds { get; }
    internal BlobGeometry Geometry { get; }
    internal PageWriter Writer { get; }
    internal MetadataLock Lock { get; } = new();
    internal IStorageThread Thread { get; }
    internal ClusterAllocator Allocator { get; }
    internal ClusterReleaser Releaser { get; }

    /// <summary>The blob of an id; null when there is none.</summary>
    public Blob? Find(ulong id) => _blobs.GetValueOrDefault(id);

    /// <summary>Makes a store on a device, whatever is there.</summary>
    /// <param name="descriptor">The device, open for writing and claimed. The store uses it until it is unloaded, and leaves it open.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="options">How.</param>
    /// <param name="resolver">Finds devices outside of the store.</param>
    /// <exception cref="SpindleException">EINVAL, ENOSPC, ENOMEM: the sizes do not fit. Errors of writing.</exception>
    public static async Task<Blobstore> CreateAsync(IBdevDescriptor descriptor, IDmaMemory memory, BlobstoreOptions options, ExternalSnapshotResolver? resolver = null)
    {
        var io = new MetadataIo(descriptor, memory);
        try
        {
            var super = StoreLayout.Place(io.BlockSize, io.Device.PhysicalBlockSize, io.Size, options.ClusterSize, options.PageSize, options.PagesPerCluster);
            if (options.Type.Length > 16) throw new SpindleException(Errno.EINVAL, "The type of a blobstore has at most 16 bytes.");
            options.Type.CopyTo(super.Type, 0);
            var layout = StoreLayout.Of(super, io.BlockSize, io.Size);
            var clusters = new BitSet(layout.TotalClusters);
            for (uint i = 0; i < layout.MetadataClusters; i++) clusters.Set(i);
            var store = new Blobstore(descriptor, io, super, layout, new BitSet(layout.MetadataLength), clusters, resolver);
            ulong metadata = layout.PageOffset(layout.MetadataLength), rest = io.Size - metadata;
            await io.WriteZeroesAsync(0, metadata);
            if (rest > 0 && options.ClearMethod == StoreClearMethod.WriteZeroes) await io.WriteZeroesAsync(metadata, rest);
            else if (rest > 0 && options.ClearMethod == StoreClearMethod.Unmap) await io.UnmapAsync(metadata, rest);
            store.Writer.Start();
            await store.Writer.WriteSuperAsync();
            return store;
        }
        catch
        {
            io.Dispose();
            throw;
        }
    }

    /// <summary>What the store on a device is used for: 16 bytes; null when there is none. Its metadata is not looked at.</summary>
    /// <param name="descriptor">The device, open.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="removed">The device is going: what is read ends. Cancelled on the calling storage thread.</param>
    /// <exception cref="SpindleException">Errors of reading.</exception>
    public static async Task<byte[]?> TypeOfAsync(IBdevDescriptor descriptor, IDmaMemory memory, CancellationToken removed = default)
    {
        using var io = new MetadataIo(descriptor, memory);
        using var aborts = removed.Register(io.Abort);
        return io.Size >= SuperBlock.Size && await io.ReadAsync(0, (int)Math.Max(io.BlockSize, 512)) is var start && SuperBlock.HasSignature(start) ? SuperBlock.Decode([.. start, .. new byte[SuperBlock.Size]]).Type : null;
    }

    /// <summary>Loads a store, and puts right what an interruption left.</summary>
    /// <param name="descriptor">As in <see cref="CreateAsync"/>.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="type">What the store must be used for, 16 bytes; empty for anything.</param>
    /// <param name="resolver">Finds devices outside of the store.</param>
    /// <exception cref="SpindleException">EILSEQ: there is no store, or it is damaged, with what is wrong. ENXIO: it is used for something else. Errors of reading and writing.</exception>
    public static async Task<Blobstore> LoadAsync(IBdevDescriptor descriptor, IDmaMemory memory, ReadOnlyMemory<byte> type = default, ExternalSnapshotResolver? resolver = null)
    {
        var io = new MetadataIo(descriptor, memory);
        try
        {
            var image = await StoreReader.ReadAsync(io);
            if (type.Length > 0 && !type.Span.SequenceEqual(image.Super.Type)) throw new SpindleException(Errno.ENXIO, "The blobstore is used for something else: its type is another.");
            var damage = image.Problems.Where(problem => problem.IsDamage).Select(problem => problem.Text).ToArray();
            if (damage.Length > 0) throw new SpindleException(Errno.EILSEQ, $"The blobstore on '{io.Device.Name}' is damaged and is not loaded. {string.Join(' ', damage.Take(3))}");
            var store = new Blobstore(descriptor, io, image.Super, image.Layout, image.UsedPages, image.UsedClusters, resolver);
            foreach (var record in image.Blobs.Values) store.AddBlob(record);
            foreach (var blob in store.Blobs) store.Connect(blob);
            if (image.WasClean) store.Writer.Start();
            else await store.RecoverAsync(image);
            return store;
        }
        catch
        {
            io.Dispose();
            throw;
        }
    }

    /// <summary>Ends the use of the store, so that it need not be recovered when it is next loaded. No bdev of it may be left.</summary>
    /// <exception cref="SpindleException">Errors of writing: the store is recovered when it is next loaded; its use has ended.</exception>
    public async Task UnloadAsync()
    {
        using var turn = await Lock.EnterAsync();
        if (_closed) return;
        _closed = true;
        try
        {
            // A shutdown makes durable what was written, though nobody flushed it.
            await Io.BarrierAsync();
            if (Super.Clean || _fault is not null) return;
            await Writer.StopAsync();
            await Writer.WriteMaskAsync(MaskType.Pages, Pages, Super.PageMaskStart, Super.PageMaskLength);
            await Writer.WriteMaskAsync(MaskType.Clusters, Clusters, Super.ClusterMaskStart, Super.ClusterMaskLength);
            if (Super.BlobMaskLength > 0) await Writer.WriteMaskAsync(MaskType.Blobs, BlobIds, Super.BlobMaskStart, Super.BlobMaskLength);
            Super.Clean = true;
            await Writer.WriteSuperAsync();
        }
        finally
        {
            Io.Dispose();
        }
    }

    /// <summary>Ends the use of a store whose device is going: nothing is written.</summary>
    public async Task AbandonAsync()
    {
        _fault ??= new SpindleException(Errno.ENODEV, $"'{Device.Name}' is gone.");
        using var turn = await Lock.EnterAsync();
        if (_closed) return;
        _closed = true;
        Io.Dispose();
    }

    /// <summary>This thread's way to the device. On any storage thread.</summary>
    internal IBdevChannel OpenDevice() => _descriptor.GetChannel();

    /// <summary>Asks before a change.</summary>
    /// <exception cref="SpindleException">EIO: an earlier one failed halfway. ENODEV: the store is closed.</exception>
    internal void CheckUsable()
    {
        if (_closed) throw new SpindleException(Errno.ENODEV, "The blobstore is closed.");
        if (_fault is { } fault) throw new SpindleException(fault.Errno == Errno.ENODEV ? Errno.ENODEV : Errno.EIO, $"The blobstore takes no changes until it is loaded again, since one failed halfway: {fault.Message}");
    }

    /// <summary>Notes that a change failed where it may or may not have come to the disk.</summary>
    internal void SetFault(Exception e) => _fault ??= e as SpindleException ?? new SpindleException(Errno.EIO, e.Message);

    private Blob AddBlob(BlobRecord record)
    {
        var blob = new Blob(this, record) { ReadOnly = record.IsReadOnly };
        _blobs.Add(record.Id, blob);
        BlobIds.Set(record.RootPage);
        return blob;
    }

    private void Connect(Blob blob)
    {
        blob.Parent = blob.Record.ParentId is { } parent ? Find(parent) : null;
        blob.External = blob.Record.ExternalSnapshotId is { } id ? _resolver(id) : null;
        if (blob.External is { } outside) CheckExternal(outside.Bdev);
    }

    private void CheckExternal(Bdev outside)
    {
        if (IoUnitSize % outside.BlockSize != 0)
            throw new SpindleException(Errno.EINVAL, $"'{outside.Name}' has blocks of {outside.BlockSize} bytes, which do not fit I/O units of {IoUnitSize}.");
    }

    private async Task RecoverAsync(StoreImage image)
    {
        if (image.SuperIsTorn || Super.Clean)
        {
            Super.Clean = false;
            await Writer.WriteSuperAsync();
        }
        foreach (var (page, content) in image.Torn) await Writer.WriteNewAsync(page, content);
        await Io.BarrierAsync();
        foreach (uint page in image.RedoPages)
            if (!Pages[page]) await Writer.EraseAsync(page);
        if (Super.BlobMaskLength > 0) await Writer.WriteMaskAsync(MaskType.Blobs, BlobIds, Super.BlobMaskStart, Super.BlobMaskLength);
        await Io.BarrierAsync();
        Writer.Start();
        foreach (var record in image.ToRewrite)
            await CommitAsync(Find(record.Id)!, record.Copy(), Enumerable.Range(0, record.ExtentPages.Length).Where(i => record.ExtentPages[i] != 0).ToArray(), [], isNew: false);
        foreach (var record in image.ToErase)
        {
            await Writer.OverwriteAsync(record.RootPage, []);
            foreach (uint page in record.ChainPages)
                if (!Pages[page]) await Writer.EraseAsync(page);
        }
        await Io.BarrierAsync();
    }
}
