using System.Buffers.Binary;

namespace Spindle.Blobs.Format;

/// <summary>How a blob's clusters are cleared when it is deleted or made smaller. The values are those on disk.</summary>
public enum ClearMethod : byte
{
    /// <summary>As <see cref="Unmap"/>.</summary>
    Default = 0,
    /// <summary>Not at all.</summary>
    None = 1,
    /// <summary>They are unmapped.</summary>
    Unmap = 2,
    /// <summary>Zeroes are written.</summary>
    WriteZeroes = 3,
}

/// <summary>A named value of a blob.</summary>
/// <param name="Name">Its bytes, one for each character.</param>
/// <param name="Value">Up to 65,535 bytes.</param>
public sealed record BlobXattr(string Name, byte[] Value);

/// <summary>What the metadata says about a blob.</summary>
public sealed class BlobRecord
{
    internal const ulong ThinFlag = 1, InternalXattrFlag = 2, ExtentTableFlag = 4, ExternalSnapshotFlag = 8, KnownInvalidFlags = 15;
    internal const ulong ReadOnlyFlag = 1, KnownDataRoFlags = 1, KnownMdRoFlags = 3;
    internal const string ParentName = "SNAP", InProgressName = "SNAPTMP", PendingRemovalName = "SNAPRM", ExternalName = "EXTSNAP";

    /// <summary>Clusters in an extent page.</summary>
    public const int ClustersPerExtentPage = 512;

    /// <summary>Its identity; the lower half is the page of its first metadata.</summary>
    public required ulong Id { get; init; }
    /// <summary>Features without which the blob cannot be used.</summary>
    public ulong InvalidFlags { get; internal set; }
    /// <summary>Features without which the blob can only be read.</summary>
    public ulong DataRoFlags { get; internal set; }
    /// <summary>Features without which its metadata can only be read.</summary>
    public ulong MdRoFlags { get; internal set; }
    /// <summary>Values that the user of the store keeps.</summary>
    public IReadOnlyList<BlobXattr> Xattrs { get; internal set; } = [];
    /// <summary>Values that the store keeps.</summary>
    public IReadOnlyList<BlobXattr> InternalXattrs { get; internal set; } = [];
    /// <summary>The cluster on disk of each cluster of the blob; 0 where there is none.</summary>
    internal uint[] Clusters { get; set; } = [];
    /// <summary>With <see cref="UsesExtentTable"/>: the metadata page that holds each 512 of the clusters; 0 where none of them is there.</summary>
    internal uint[] ExtentPages { get; set; } = [];
    /// <summary>The metadata pages after the first.</summary>
    internal uint[] ChainPages { get; set; } = [];

    /// <summary>The metadata page where it starts.</summary>
    public uint RootPage => (uint)Id;
    /// <summary>Clusters of the blob, there or not.</summary>
    public uint ClusterCount => (uint)Clusters.Length;
    /// <summary>Clusters come with the first write.</summary>
    public bool IsThin => (InvalidFlags & ThinFlag) != 0;
    /// <summary>Clusters are in extent pages, not in the chain itself.</summary>
    public bool UsesExtentTable => (InvalidFlags & ExtentTableFlag) != 0;
    /// <summary>Its data cannot be changed.</summary>
    public bool IsReadOnly => (DataRoFlags & ReadOnlyFlag) != 0 || (DataRoFlags & ~KnownDataRoFlags) != 0;
    /// <summary>How its clusters are cleared.</summary>
    public ClearMethod ClearMethod => (ClearMethod)(MdRoFlags & 3);
    /// <summary>What is not there is read from a device outside of the store.</summary>
    public bool IsExternalClone => (InvalidFlags & ExternalSnapshotFlag) != 0;
    /// <summary>The name of the device outside of the store; null when there is none.</summary>
    public byte[]? ExternalSnapshotId => IsExternalClone ? Find(InternalXattrs, ExternalName) : null;
    /// <summary>The blob that holds what is not there; null for zeroes.</summary>
    public ulong? ParentId => IsThin && !IsExternalClone ? IdIn(ParentName) : null;

    /// <summary>The value of a name; null when there is none.</summary>
    public byte[]? Xattr(string name) => Find(Xattrs, name);

    /// <summary>Clusters that are there.</summary>
    public uint AllocatedClusters()
    {
        uint count = 0;
        foreach (uint cluster in Clusters)
            if (cluster != 0) count++;
        return count;
    }

    internal ulong? IdIn(string internalName) => Find(InternalXattrs, internalName) is { Length: 8 } value ? BinaryPrimitives.ReadUInt64LittleEndian(value) : null;

    internal static byte[]? Find(IReadOnlyList<BlobXattr> xattrs, string name)
    {
        foreach (var xattr in xattrs)
            if (xattr.Name == name) return xattr.Value;
        return null;
    }

    /// <summary>A copy to be changed. The arrays are shared until they are replaced.</summary>
    internal BlobRecord Copy() => (BlobRecord)MemberwiseClone();

    internal void SetInternal(string name, ulong id)
    {
        byte[] value = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(value, id);
        SetInternal(name, value);
    }

    internal void SetInternal(string name, byte[] value)
    {
        InternalXattrs = With(InternalXattrs, name, value);
        InvalidFlags |= InternalXattrFlag;
    }

    internal void RemoveInternal(string name)
    {
        InternalXattrs = With(InternalXattrs, name, null);
        if (InternalXattrs.Count == 0) InvalidFlags &= ~InternalXattrFlag;
    }

    internal static IReadOnlyList<BlobXattr> With(IReadOnlyList<BlobXattr> xattrs, string name, byte[]? value)
    {
        var list = xattrs.ToList();
        int at = list.FindIndex(xattr => xattr.Name == name);
        if (value is null)
        {
            if (at >= 0) list.RemoveAt(at);
        }
        else if (at >= 0) list[at] = new BlobXattr(name, value);
        else list.Add(new BlobXattr(name, value));
        return list;
    }

    internal static int ExtentPageCount(ulong clusters) => (int)((clusters + ClustersPerExtentPage - 1) / ClustersPerExtentPage);
}
