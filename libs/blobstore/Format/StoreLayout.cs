namespace Spindle.Blobs.Format;

/// <summary>A store's geometry: what its super block says, checked against the device, in numbers that need no further check.</summary>
public sealed class StoreLayout
{
    /// <summary>Bytes before the bits of a mask.</summary>
    internal const int MaskHeader = 5;

    private StoreLayout(SuperBlock super, uint deviceBlock, ulong deviceSize)
    {
        PageSize = super.PageSize == 0 ? SuperBlock.Size : super.PageSize;
        IoUnitSize = super.IoUnitSize == 0 ? SuperBlock.Size : super.IoUnitSize;
        ClusterSize = super.ClusterSize;
        StoreSize = super.StoreSize == 0 ? deviceSize : super.StoreSize;
        DeviceBlockSize = deviceBlock;
        MetadataStart = super.MetadataStart;
        MetadataLength = super.MetadataLength;
    }

    /// <summary>Bytes of a page, the unit in which metadata is placed; its contents are the first 4096.</summary>
    public uint PageSize { get; }
    /// <summary>Bytes of the smallest I/O on a blob.</summary>
    public uint IoUnitSize { get; }
    /// <summary>Bytes of a cluster.</summary>
    public uint ClusterSize { get; }
    /// <summary>Bytes of the store.</summary>
    public ulong StoreSize { get; }
    /// <summary>Bytes of a block of the device.</summary>
    public uint DeviceBlockSize { get; }
    /// <summary>First page of the metadata region, counted from the start of the device.</summary>
    public uint MetadataStart { get; }
    /// <summary>Pages of the metadata region.</summary>
    public uint MetadataLength { get; }
    /// <summary>Clusters, those of the metadata included.</summary>
    public uint TotalClusters { get; private set; }
    /// <summary>Clusters at the start that belong to the metadata.</summary>
    public uint MetadataClusters { get; private set; }
    /// <summary>Clusters for data.</summary>
    public uint DataClusters => TotalClusters - MetadataClusters;
    /// <summary>Device blocks of a cluster.</summary>
    public ulong ClusterBlocks => ClusterSize / DeviceBlockSize;
    /// <summary>I/O units of a cluster.</summary>
    public uint ClusterIoUnits => ClusterSize / IoUnitSize;
    /// <summary>Bytes from the start of the device to a page of the metadata region.</summary>
    public ulong PageOffset(uint page) => ((ulong)MetadataStart + page) * PageSize;

    /// <summary>Checks a super block against its device.</summary>
    /// <param name="super">The fields.</param>
    /// <param name="deviceBlock">Bytes of a block of the device.</param>
    /// <param name="deviceSize">Bytes of the device.</param>
    /// <exception cref="SpindleException">EILSEQ, naming the field.</exception>
    public static StoreLayout Of(SuperBlock super, uint deviceBlock, ulong deviceSize)
    {
        if (super.Version is < 1 or > SuperBlock.CurrentVersion) throw Wrong($"its version is {super.Version}, and 1 to {SuperBlock.CurrentVersion} are known");
        var layout = new StoreLayout(super, deviceBlock, deviceSize);
        uint page = layout.PageSize, unit = layout.IoUnitSize, cluster = layout.ClusterSize;
        if (page < SuperBlock.Size || page > 1 << 20 || page % SuperBlock.Size != 0 || page % deviceBlock != 0) throw Wrong($"md_page_size is {page}, which does not fit blocks of {deviceBlock} bytes");
        if (unit < 512 || unit % deviceBlock != 0) throw Wrong($"io_unit_size is {unit}, which does not fit blocks of {deviceBlock} bytes");
        if (cluster == 0 || cluster % page != 0 || cluster % unit != 0) throw Wrong($"cluster_size is {cluster}, not a multiple of pages of {page} and I/O units of {unit} bytes");
        if (layout.StoreSize > deviceSize) throw Wrong($"size is {layout.StoreSize} bytes, and the device has {deviceSize}: was it made smaller");
        ulong total = layout.StoreSize / cluster, metadataPages = (ulong)layout.MetadataStart + layout.MetadataLength;
        if (total is 0 or > uint.MaxValue - 1) throw Wrong($"it has {total} clusters");
        if (layout.MetadataLength == 0) throw Wrong("md_len is 0");
        ulong metadata = ((metadataPages * page) + cluster - 1) / cluster;
        if (metadata > total) throw Wrong($"md_start and md_len say that the metadata takes {metadata} clusters of {total}");
        layout.TotalClusters = (uint)total;
        layout.MetadataClusters = (uint)metadata;
        CheckMask("used_page_mask", super.PageMaskStart, super.PageMaskLength, layout.MetadataLength, layout);
        CheckMask("used_cluster_mask", super.ClusterMaskStart, super.ClusterMaskLength, layout.TotalClusters, layout);
        if (super.BlobMaskLength != 0) CheckMask("used_blobid_mask", super.BlobMaskStart, super.BlobMaskLength, layout.MetadataLength, layout);
        if (Overlap(super.PageMaskStart, super.PageMaskLength, super.ClusterMaskStart, super.ClusterMaskLength)
            || Overlap(super.PageMaskStart, super.PageMaskLength, super.BlobMaskStart, super.BlobMaskLength)
            || Overlap(super.ClusterMaskStart, super.ClusterMaskLength, super.BlobMaskStart, super.BlobMaskLength)) throw Wrong("its masks overlap");
        return layout;
    }

    /// <summary>Places a new store on a device: the super block of one that is empty.</summary>
    /// <param name="deviceBlock">Bytes of a block of the device.</param>
    /// <param name="physicalBlock">Bytes that the device writes without reading; 0 for a block.</param>
    /// <param name="deviceSize">Bytes of the device.</param>
    /// <param name="clusterSize">Bytes of a cluster.</param>
    /// <param name="pageSize">Bytes of a page; 0 for what fits the device.</param>
    /// <param name="pagesPerCluster">Metadata pages for each cluster; 0 for one.</param>
    /// <exception cref="SpindleException">EINVAL: the sizes do not fit. ENOSPC: the device is smaller than a cluster. ENOMEM: the metadata does not fit on it.</exception>
    internal static SuperBlock Place(uint deviceBlock, uint physicalBlock, ulong deviceSize, uint clusterSize, uint pageSize, double pagesPerCluster)
    {
        uint page = Math.Max(Math.Max(SuperBlock.Size, Math.Max(physicalBlock, deviceBlock)), pageSize);
        if (clusterSize == 0 || clusterSize % page != 0)
            throw new SpindleException(Errno.EINVAL, $"cluster_sz is {clusterSize}; it must be a multiple of the metadata page, {page} bytes.");
        if (page % SuperBlock.Size != 0 || page % deviceBlock != 0 || page > 1 << 20)
            throw new SpindleException(Errno.EINVAL, $"md_page_size is {page}; it must be a multiple of 4096 and of the device's block, {deviceBlock} bytes, up to 1 MiB.");
        if (deviceSize < clusterSize) throw new SpindleException(Errno.ENOSPC, $"The device has {deviceSize} bytes, less than a cluster of {clusterSize}.");
        ulong total = deviceSize / clusterSize;
        if (total > uint.MaxValue - 1) throw new SpindleException(Errno.EINVAL, $"cluster_sz is {clusterSize}, which makes {total} clusters; use larger ones.");
        double wanted = pagesPerCluster <= 0 ? total : total * pagesPerCluster;
        if (wanted > uint.MaxValue / 2) throw new SpindleException(Errno.EINVAL, "num_md_pages_per_cluster_ratio asks for more metadata pages than there can be.");
        uint pages = Math.Max(1, (uint)wanted);
        uint forPages = MaskPages(pages, page), forClusters = MaskPages((uint)total, page);
        var super = new SuperBlock
        {
            ClusterSize = clusterSize,
            PageMaskStart = 1,
            PageMaskLength = forPages,
            ClusterMaskStart = 1 + forPages,
            ClusterMaskLength = forClusters,
            // Room for the mask of a store that has grown until each metadata page has its cluster.
            BlobMaskStart = 1 + forPages + Math.Max(forPages, forClusters),
            BlobMaskLength = forPages,
            MetadataLength = pages,
            StoreSize = deviceSize,
            IoUnitSize = deviceBlock,
            PageSize = page,
        };
        super.MetadataStart = super.BlobMaskStart + forPages;
        ulong metadata = ((((ulong)super.MetadataStart + pages) * page) + clusterSize - 1) / clusterSize;
        if (metadata > total)
            throw new SpindleException(Errno.ENOMEM, $"The metadata needs {metadata} clusters, and the device has {total}: use larger clusters or a smaller num_md_pages_per_cluster_ratio.");
        return super;
    }

    internal static uint MaskPages(uint bits, uint page) => (uint)(((MaskHeader + (((ulong)bits + 7) / 8)) + page - 1) / page);

    private static void CheckMask(string name, uint start, uint length, uint bits, StoreLayout layout)
    {
        if (start == 0 || (ulong)start + length > layout.MetadataStart) throw Wrong($"{name} has pages {start} to {(ulong)start + length}, outside of 1 to {layout.MetadataStart}");
        if (length < MaskPages(bits, layout.PageSize)) throw Wrong($"{name}_len is {length} pages, too few for {bits} bits");
    }

    private static bool Overlap(uint a, uint aLength, uint b, uint bLength) => aLength != 0 && bLength != 0 && a < (ulong)b + bLength && b < (ulong)a + aLength;

    private static SpindleException Wrong(string what) => new(Errno.EILSEQ, $"The super block of the blobstore is damaged: {what}.");
}
