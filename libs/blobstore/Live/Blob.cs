using Spindle.Bdevs;
using Spindle.Blobs.Data;
using Spindle.Blobs.Format;

namespace Spindle.Blobs;

/// <summary>A blob of a loaded store. On the metadata thread; the data path reads what is marked so.</summary>
public sealed class Blob
{
    private readonly Lock _lock = new();
    private readonly List<BlobChannel> _channels = [];
    private BlobRecord _record;

    internal Blob(Blobstore store, BlobRecord record)
    {
        Store = store;
        _record = record;
        Map = record.Clusters;
    }

    /// <summary>Its store.</summary>
    public Blobstore Store { get; }
    /// <summary>Its identity in the store.</summary>
    public ulong Id => _record.Id;
    /// <summary>Clusters, there or not.</summary>
    public uint ClusterCount => _record.ClusterCount;
    /// <summary>Clusters that are its own.</summary>
    public uint AllocatedClusters => _record.AllocatedClusters();
    /// <summary>Bytes.</summary>
    public ulong Size => (ulong)ClusterCount * Store.ClusterSize;
    /// <summary>Clusters come with the first write.</summary>
    public bool IsThin => _record.IsThin;
    /// <summary>How its clusters are cleared when they are given back.</summary>
    public ClearMethod ClearMethod => _record.ClearMethod;
    /// <summary>The snapshot that holds what is not its own; null where that is zeroes or <see cref="ExternalSnapshotId"/>.</summary>
    public Blob? Parent { get; internal set; }
    /// <summary>What names the device outside of the store that holds what is not its own; null when there is none.</summary>
    public byte[]? ExternalSnapshotId => _record.ExternalSnapshotId;
    /// <summary>True when that device is not there: what it holds cannot be read.</summary>
    public bool IsDegraded => _record.IsExternalClone && External is null;
    /// <summary>Blobs that are clones of this one.</summary>
    public IEnumerable<Blob> Clones => Store.Blobs.Where(blob => blob.Parent == this);
    /// <summary>Named values that the user of the store keeps.</summary>
    public IReadOnlyList<BlobXattr> Xattrs => _record.Xattrs;
    /// <summary>The value of a name; null when there is none.</summary>
    public byte[]? Xattr(string name) => _record.Xattr(name);

    /// <summary>Its data cannot be changed. On any thread.</summary>
    public bool IsReadOnly => Volatile.Read(ref ReadOnly);

    /// <summary>A change that takes several steps is under way.</summary>
    public bool IsBusy => Volatile.Read(ref Busy);

    internal bool ReadOnly;
    internal bool Busy;

    /// <summary>The cluster on disk of each of the blob's; 0 where there is none. Read by the data path: entries change at any time, the array itself only while I/O is frozen.</summary>
    internal uint[] Map;
    /// <summary>The device outside of the store. Changed while I/O is frozen.</summary>
    internal IBdevDescriptor? External;
    /// <summary>Above 0: the data path begins nothing.</summary>
    internal int Frozen;

    internal BlobRecord Record
    {
        get => _record;
        set
        {
            _record = value;
            Volatile.Write(ref Map, value.Clusters);
            Volatile.Write(ref ReadOnly, value.IsReadOnly);
        }
    }

    internal void Add(BlobChannel channel)
    {
        lock (_lock) _channels.Add(channel);
    }

    internal void Remove(BlobChannel channel)
    {
        lock (_lock) _channels.Remove(channel);
    }

    internal BlobChannel[] Channels()
    {
        lock (_lock) return [.. _channels];
    }

    internal bool DescendsFrom(Blob other)
    {
        for (var blob = this; blob is not null; blob = blob.Parent)
            if (blob == other) return true;
        return false;
    }
}
