using Spindle.Blobs.Data;
using Spindle.Blobs.Format;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>Makes a blob. One that is not thin reads as zeroes.</summary>
    /// <exception cref="SpindleException">ENOSPC. EINVAL: an xattr, or the size.</exception>
    public async Task<Blob> CreateBlobAsync(BlobOptions options)
    {
        using var turn = await Lock.EnterAsync();
        return await CreateBlobHereAsync(options, record => record);
    }

    /// <summary>As <see cref="CreateBlobAsync"/>, holding the lock.</summary>
    private async Task<Blob> CreateBlobHereAsync(BlobOptions options, Func<BlobRecord, BlobRecord> finish)
    {
        CheckUsable();
        CheckSize(options.ClusterCount);
        foreach (var xattr in options.Xattrs) CheckXattr(xattr.Name, xattr.Value);
        uint root = Pages.Claim() ?? throw new SpindleException(Errno.ENOSPC, "No metadata page of the store is free.");
        uint[] clusters = [];
        Blob? blob = null;
        try
        {
            bool thin = options.Thin || options.ExternalSnapshotId is not null;
            if (!thin) clusters = ClaimClusters(options.ClusterCount);
            var record = new BlobRecord
            {
                Id = MetadataPage.BlobIdBit | root,
                InvalidFlags = (thin ? BlobRecord.ThinFlag : 0) | (options.UseExtentTable ? BlobRecord.ExtentTableFlag : 0),
                MdRoFlags = (ulong)options.ClearMethod,
                Xattrs = options.Xattrs,
                Clusters = thin ? new uint[options.ClusterCount] : clusters,
            };
            if (options.UseExtentTable) record.ExtentPages = new uint[BlobRecord.ExtentPageCount(options.ClusterCount)];
            if (options.ExternalSnapshotId is { } id)
            {
                record.InvalidFlags |= BlobRecord.ExternalSnapshotFlag;
                record.SetInternal(BlobRecord.ExternalName, id);
            }
            record = finish(record);
            await ZeroAsync(clusters);
            blob = new Blob(this, record);
            await CommitAsync(blob, record, thin ? [] : [.. Enumerable.Range(0, record.ExtentPages.Length)], [], isNew: true);
            Connect(blob);
            BlobIds.Set(root);
            await Writer.NoteBlobAsync(BlobIds, root);
            _blobs.Add(blob.Id, blob);
            return blob;
        }
        catch
        {
            if (_fault is null)
            {
                // Not on disk, or if the last step failed as good as not: it was never shown to anybody.
                if (blob is not null && BlobIds[root]) SetFault(new SpindleException(Errno.EIO, "A blob was made and could not be noted."));
                else
                {
                    FreeClustersOf(clusters);
                    Pages.Clear(root);
                }
            }
            throw;
        }
    }

    /// <summary>Changes the size. What is added reads as zeroes, of a clone too: where its snapshot is larger, it gets clusters of its own. The data in clusters that go is lost.</summary>
    /// <exception cref="SpindleException">ENOSPC. EPERM: it is read-only. EBUSY: another change of it is under way. EINVAL: the size.</exception>
    public async Task ResizeAsync(Blob blob, uint clusterCount)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        CheckFree(blob);
        CheckSize(clusterCount);
        if (blob.IsReadOnly) throw new SpindleException(Errno.EPERM, "The blob is read-only.");
        var before = blob.Record;
        uint old = before.ClusterCount;
        if (clusterCount == old) return;
        var next = before.Copy();
        var indexes = new List<uint>();
        for (uint i = old; i < clusterCount; i++)
            if (!before.IsThin || ClusterMap.HasDataBehind(blob, i)) indexes.Add(i);
        uint[] added = ClaimClusters((uint)indexes.Count);
        try
        {
            await ZeroAsync(added);
            var freeze = await BlobFreeze.BeginAsync(blob);
            try
            {
                uint[] map = new uint[clusterCount];
                blob.Map.AsSpan(0, (int)Math.Min(old, clusterCount)).CopyTo(map);
                for (int i = 0; i < added.Length; i++) map[indexes[i]] = added[i];
                next.Clusters = map;
                next.ExtentPages = before.ExtentPages;
                var extents = new List<int>();
                if (before.UsesExtentTable) ResizeTable(next, Math.Min(old, clusterCount), extents);
                await CommitAsync(blob, next, extents, [], isNew: false);
            }
            finally
            {
                freeze.End();
            }
        }
        catch
        {
            if (_fault is null) FreeClustersOf(added);
            throw;
        }
        if (clusterCount > old) return;
        uint[] gone = before.Clusters[(int)clusterCount..];
        await ClearAsync(gone, blob.ClearMethod);
        FreeClustersOf(gone);
    }

    /// <summary>The page where the old and the new end differ lists another number of clusters; it is written anew elsewhere, so that until the first page of the
    /// blob says so the old one is whole.</summary>
    private static void ResizeTable(BlobRecord next, uint common, List<int> extents)
    {
        uint[] table = new uint[BlobRecord.ExtentPageCount(next.ClusterCount)];
        next.ExtentPages.AsSpan(0, Math.Min(table.Length, next.ExtentPages.Length)).CopyTo(table);
        next.ExtentPages = table;
        for (int i = (int)(common / BlobRecord.ClustersPerExtentPage); i < table.Length; i++)
        {
            int first = i * BlobRecord.ClustersPerExtentPage;
            var part = next.Clusters.AsSpan(first, Math.Min(BlobRecord.ClustersPerExtentPage, next.Clusters.Length - first));
            if (table[i] != 0 || part.ContainsAnyExcept(0u)) extents.Add(i);
        }
    }

    /// <summary>Sets a named value; null removes it.</summary>
    /// <exception cref="SpindleException">EINVAL: the name or value. ENOSPC.</exception>
    public async Task SetXattrsAsync(Blob blob, params (string Name, byte[]? Value)[] xattrs)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        var next = blob.Record.Copy();
        foreach (var (name, value) in xattrs)
        {
            if (value is not null) CheckXattr(name, value);
            next.Xattrs = BlobRecord.With(next.Xattrs, name, value);
        }
        await CommitAsync(blob, next, [], [], isNew: false);
    }

    /// <summary>Makes a blob read-only; for good, since a snapshot is one too. Writes under way end first.</summary>
    /// <exception cref="SpindleException">ENOSPC.</exception>
    public async Task SetReadOnlyAsync(Blob blob)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        if (blob.IsReadOnly) return;
        var freeze = await BlobFreeze.BeginAsync(blob);
        try
        {
            var next = blob.Record.Copy();
            next.DataRoFlags |= BlobRecord.ReadOnlyFlag;
            await CommitAsync(blob, next, [], [], isNew: false);
        }
        finally
        {
            freeze.End();
        }
    }

    /// <summary>Makes a blob the one that describes the store to its user.</summary>
    public async Task SetSuperBlobAsync(Blob blob)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        (ulong before, Super.SuperBlob) = (Super.SuperBlob, blob.Id);
        bool clean = Super.Clean;
        try
        {
            Super.Clean = false;
            await Writer.WriteSuperAsync();
        }
        catch
        {
            (Super.SuperBlob, Super.Clean) = (before, clean);
            throw;
        }
    }

    /// <summary>Deletes a blob. A snapshot with one clone gives it what the clone reads through it. Its bdev must be gone.</summary>
    /// <exception cref="SpindleException">EBUSY: it has several clones, or another change of it or its clone is under way. ENOSPC: no metadata page is free.</exception>
    public async Task DeleteBlobAsync(Blob blob)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        CheckFree(blob);
        var clones = blob.Clones.ToArray();
        if (clones.Length > 1) throw new SpindleException(Errno.EBUSY, $"The snapshot has {clones.Length} clones; delete or decouple them first.");
        if (clones.Length == 1) await MergeIntoCloneAsync(blob, clones[0]);
        await EraseAsync(blob);
    }

    private async Task EraseAsync(Blob blob)
    {
        var record = blob.Record;
        try
        {
            await Writer.MarkDirtyAsync();
            BlobIds.Clear(record.RootPage);
            await Writer.NoteBlobAsync(BlobIds, record.RootPage);
            await Writer.OverwriteAsync(record.RootPage, []);
        }
        catch (SpindleException e)
        {
            SetFault(e);
            throw;
        }
        _blobs.Remove(blob.Id);
        await FreePagesAsync([.. record.ChainPages, .. record.ExtentPages], [0]);
        await Io.BarrierAsync();
        await ClearAsync(record.Clusters, record.ClearMethod);
        FreeClustersOf(record.Clusters);
        Pages.Clear(record.RootPage);
    }

    private void CheckFree(Blob blob)
    {
        if (blob.Busy) throw new SpindleException(Errno.EBUSY, "Another change of the blob is under way.");
    }

    private static void CheckSize(uint clusterCount)
    {
        if (clusterCount > BlobParser.MostClusters) throw new SpindleException(Errno.EINVAL, $"A blob has at most {BlobParser.MostClusters} clusters; use larger clusters.");
    }

    private static void CheckXattr(string name, byte[] value)
    {
        if (name.Length == 0 || name.Any(c => c > 255)) throw new SpindleException(Errno.EINVAL, "The name of an xattr must have at least one byte.");
        if (name.Length + value.Length > BlobSerializer.MostXattrBytes)
            throw new SpindleException(Errno.EINVAL, $"The xattr '{name}' has {name.Length + value.Length} bytes with its name; at most {BlobSerializer.MostXattrBytes} fit.");
    }
}
