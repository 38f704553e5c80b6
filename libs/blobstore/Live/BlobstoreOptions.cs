using Spindle.Bdevs;
using Spindle.Blobs.Format;

namespace Spindle.Blobs;

/// <summary>How the data region is cleared when a store is made.</summary>
public enum StoreClearMethod
{
    /// <summary>It is unmapped.</summary>
    Unmap,
    /// <summary>Zeroes are written.</summary>
    WriteZeroes,
    /// <summary>Not at all.</summary>
    None,
}

/// <summary>How a store is made.</summary>
public sealed class BlobstoreOptions
{
    /// <summary>Bytes of a cluster; a multiple of the metadata page.</summary>
    public uint ClusterSize { get; init; } = 4 << 20;
    /// <summary>Bytes of a metadata page; 0 for what fits the device.</summary>
    public uint PageSize { get; init; }
    /// <summary>Metadata pages for each cluster.</summary>
    public double PagesPerCluster { get; init; } = 1;
    /// <summary>How the data region is cleared.</summary>
    public StoreClearMethod ClearMethod { get; init; }
    /// <summary>What the store is used for: up to 16 bytes.</summary>
    public byte[] Type { get; init; } = [];
}

/// <summary>How a blob is made.</summary>
public sealed class BlobOptions
{
    /// <summary>Clusters.</summary>
    public uint ClusterCount { get; init; }
    /// <summary>Clusters come with the first write.</summary>
    public bool Thin { get; init; }
    /// <summary>How its clusters are cleared when they are given back.</summary>
    public ClearMethod ClearMethod { get; init; }
    /// <summary>Named values.</summary>
    public IReadOnlyList<BlobXattr> Xattrs { get; init; } = [];
    /// <summary>The clusters are listed in pages of their own, so that a new one changes one page; otherwise in the blob's chain, as SPDK did first.</summary>
    public bool UseExtentTable { get; init; } = true;
    /// <summary>What names a device outside of the store of which the blob is a clone; null for none.</summary>
    public byte[]? ExternalSnapshotId { get; init; }
}

/// <summary>Finds the devices outside of the store.</summary>
/// <param name="id">What names it.</param>
/// <returns>The device, open for reading; null when it is not there. The caller closes it when the store is done with it.</returns>
public delegate IBdevDescriptor? ExternalSnapshotResolver(byte[] id);
