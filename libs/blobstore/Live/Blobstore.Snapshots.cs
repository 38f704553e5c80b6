using Spindle.Blobs.Data;
using Spindle.Blobs.Format;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>Makes a snapshot: a read-only blob that takes over the blob's clusters; the blob becomes a clone of it.</summary>
    /// <exception cref="SpindleException">EINVAL: the blob is read-only. EBUSY: another change of it is under way. ENOSPC: no metadata page is free.</exception>
    public async Task<Blob> SnapshotAsync(Blob blob, IReadOnlyList<BlobXattr> xattrs)
    {
        using var turn = await Lock.EnterAsync();
        CheckFree(blob);
        if (blob.IsReadOnly) throw new SpindleException(Errno.EINVAL, "A snapshot of a blob that is read-only is not possible; clone it.");
        var options = new BlobOptions { ClusterCount = blob.ClusterCount, Thin = true, Xattrs = xattrs, ClearMethod = blob.ClearMethod, UseExtentTable = blob.Record.UsesExtentTable };
        // The mark stays until both are as they are to be: it tells the next load which of them has the clusters.
        var snapshot = await CreateBlobHereAsync(options, record =>
        {
            record.SetInternal(BlobRecord.InProgressName, blob.Id);
            return record;
        });
        bool moved = false;
        try
        {
            var freeze = await BlobFreeze.BeginAsync(blob);
            try
            {
                await TakeOverAsync(snapshot, blob);
                moved = true;
            }
            finally
            {
                freeze.End();
            }
            var last = snapshot.Record.Copy();
            last.RemoveInternal(BlobRecord.InProgressName);
            last.DataRoFlags |= BlobRecord.ReadOnlyFlag;
            await CommitAsync(snapshot, last, [], [], isNew: false);
            return snapshot;
        }
        catch (SpindleException e)
        {
            // Before the clusters have moved, the new blob is as good as not there.
            if (moved) SetFault(e);
            else if (_fault is null) await EraseAsync(snapshot);
            throw;
        }
    }

    /// <summary>The two writes between which both blobs list the same clusters. I/O is frozen.</summary>
    private async Task TakeOverAsync(Blob snapshot, Blob blob)
    {
        var empty = snapshot.Record;
        var taken = snapshot.Record.Copy();
        taken.InvalidFlags = blob.Record.InvalidFlags | BlobRecord.InternalXattrFlag;
        taken.Clusters = blob.Map;
        taken.ExtentPages = blob.Record.ExtentPages;
        if (blob.Record.ExternalSnapshotId is { } outside) taken.SetInternal(BlobRecord.ExternalName, outside);
        else if (blob.Record.ParentId is { } parent) taken.SetInternal(BlobRecord.ParentName, parent);
        var left = blob.Record.Copy();
        left.Clusters = new uint[blob.ClusterCount];
        left.ExtentPages = new uint[blob.Record.ExtentPages.Length];
        left.InvalidFlags = (left.InvalidFlags | BlobRecord.ThinFlag) & ~BlobRecord.ExternalSnapshotFlag;
        left.RemoveInternal(BlobRecord.ExternalName);
        left.SetInternal(BlobRecord.ParentName, snapshot.Id);

        await CommitAsync(snapshot, taken, [], [], isNew: false);
        try
        {
            await CommitAsync(blob, left, [], [.. taken.ExtentPages], isNew: false);
        }
        catch
        {
            // Back, so that nothing of it is freed with the new blob.
            if (_fault is null) await CommitAsync(snapshot, empty.Copy(), [], [.. taken.ExtentPages], isNew: false);
            throw;
        }
        (snapshot.Parent, snapshot.External) = (blob.Parent, blob.External);
        (blob.Parent, blob.External) = (snapshot, null);
    }

    /// <summary>Makes a thin blob that reads as a snapshot until it is written to.</summary>
    /// <exception cref="SpindleException">EINVAL: the snapshot can be written to. EBUSY: another change of it is under way. ENOSPC: no metadata page is free.</exception>
    public async Task<Blob> CloneAsync(Blob snapshot, IReadOnlyList<BlobXattr> xattrs)
    {
        using var turn = await Lock.EnterAsync();
        CheckFree(snapshot);
        if (!snapshot.IsReadOnly) throw new SpindleException(Errno.EINVAL, "A clone of a blob that can be written to is not possible; make a snapshot first.");
        var options = new BlobOptions { ClusterCount = snapshot.ClusterCount, Thin = true, Xattrs = xattrs, UseExtentTable = snapshot.Record.UsesExtentTable };
        return await CreateBlobHereAsync(options, record =>
        {
            record.SetInternal(BlobRecord.ParentName, snapshot.Id);
            return record;
        });
    }

    /// <summary>Gives a thin blob all its clusters, and makes it independent of its snapshot. I/O goes on meanwhile.</summary>
    /// <exception cref="SpindleException">ENOSPC. EBUSY: another change of it is under way. Errors of the device.</exception>
    public Task InflateAsync(Blob blob) => FillAsync(blob, all: true);

    /// <summary>Gives a clone the clusters that its snapshot has itself, and makes it a clone of what the snapshot is a clone of. I/O goes on meanwhile.</summary>
    /// <exception cref="SpindleException">EINVAL: it is no clone. Others as in <see cref="InflateAsync"/>.</exception>
    public Task DecoupleParentAsync(Blob blob) => FillAsync(blob, all: false);

    private async Task FillAsync(Blob blob, bool all)
    {
        CheckUsable();
        CheckFree(blob);
        if (blob.Record.IsExternalClone) all = true;
        else if (blob.Parent is null && !all) throw new SpindleException(Errno.EINVAL, "The blob has no parent to be decoupled from.");
        if (!blob.IsThin) return;
        Volatile.Write(ref blob.Busy, true);
        try
        {
            if (blob.IsDegraded) throw new SpindleException(Errno.ENODEV, "The device outside of the store is not there.");
            var missing = Missing(blob, all);
            if (missing.Count > FreeClusters) throw new SpindleException(Errno.ENOSPC);
            // Some at a time: writes to others go in between.
            foreach (uint[] some in missing.Chunk(16)) await Task.WhenAll(some.Select(index => Allocator.AllocateAsync(blob, index)));
            using var turn = await Lock.EnterAsync();
            CheckUsable();
            var freeze = await BlobFreeze.BeginAsync(blob);
            try
            {
                await DetachAsync(blob, all);
                // Who opened a device outside of the store may close it now.
                await freeze.ForgetExternalAsync();
            }
            finally
            {
                freeze.End();
            }
        }
        finally
        {
            Volatile.Write(ref blob.Busy, false);
        }
    }

    private static List<uint> Missing(Blob blob, bool all)
    {
        var missing = new List<uint>();
        for (uint i = 0; i < blob.ClusterCount; i++)
            if (blob.Map[i] == 0 && (all || (i < blob.Parent!.ClusterCount ? blob.Parent.Map[i] != 0 : IsHidden(blob.Parent, i)))) missing.Add(i);
        return missing;
    }

    /// <summary>Whether a snapshot, by being smaller than its clone, keeps it from reading what lies behind the snapshot.</summary>
    private static bool IsHidden(Blob snapshot, uint index) => index >= snapshot.ClusterCount && ClusterMap.HasDataBehind(snapshot, index);

    private async Task DetachAsync(Blob blob, bool all)
    {
        var grandparent = all ? null : blob.Parent!;
        var next = blob.Record.Copy();
        next.RemoveInternal(BlobRecord.ParentName);
        next.RemoveInternal(BlobRecord.ExternalName);
        next.InvalidFlags &= ~BlobRecord.ExternalSnapshotFlag;
        if (all) next.InvalidFlags &= ~BlobRecord.ThinFlag;
        else if (grandparent!.Record.ExternalSnapshotId is { } outside)
        {
            next.SetInternal(BlobRecord.ExternalName, outside);
            next.InvalidFlags |= BlobRecord.ExternalSnapshotFlag;
        }
        else if (grandparent.Parent is { } above) next.SetInternal(BlobRecord.ParentName, above.Id);
        await CommitAsync(blob, next, [], [], isNew: false);
        (blob.Parent, blob.External) = all ? (null, null) : (grandparent!.Parent, grandparent.External);
    }

    /// <summary>Before a snapshot with one clone is deleted, the clone takes what it reads through it.</summary>
    private async Task MergeIntoCloneAsync(Blob snapshot, Blob clone)
    {
        CheckFree(clone);
        // What it keeps from being read must not come to light: it gets clusters of zeroes.
        uint[] hidden = [.. Enumerable.Range(0, (int)clone.ClusterCount).Select(i => (uint)i).Where(i => clone.Map[i] == 0 && IsHidden(snapshot, i))];
        uint[] zeroes = ClaimClusters((uint)hidden.Length);
        try
        {
            await ZeroAsync(zeroes);
            await MergeIntoCloneAsync(snapshot, clone, hidden, zeroes);
        }
        catch
        {
            if (_fault is null) FreeClustersOf(zeroes);
            throw;
        }
    }

    private async Task MergeIntoCloneAsync(Blob snapshot, Blob clone, uint[] hidden, uint[] zeroes)
    {
        var freeze = await BlobFreeze.BeginAsync(clone);
        try
        {
            var marked = snapshot.Record.Copy();
            marked.SetInternal(BlobRecord.PendingRemovalName, clone.Id);
            await CommitAsync(snapshot, marked, [], [], isNew: false);
            var next = clone.Record.Copy();
            uint[] map = clone.Map.ToArray(), table = next.ExtentPages.ToArray();
            var extents = new SortedSet<int>();
            for (int i = 0; i < Math.Min(map.Length, snapshot.Map.Length); i++)
            {
                if (map[i] != 0 || snapshot.Map[i] == 0) continue;
                map[i] = snapshot.Map[i];
                extents.Add(i / BlobRecord.ClustersPerExtentPage);
            }
            for (int i = 0; i < hidden.Length; i++)
            {
                map[hidden[i]] = zeroes[i];
                extents.Add((int)(hidden[i] / BlobRecord.ClustersPerExtentPage));
            }
            // Pages are written anew, never taken over or changed in place: until the clone's first page says otherwise, both are as they were.
            next.Clusters = map;
            next.ExtentPages = table;
            next.RemoveInternal(BlobRecord.ParentName);
            if (snapshot.Record.ExternalSnapshotId is { } outside)
            {
                next.SetInternal(BlobRecord.ExternalName, outside);
                next.InvalidFlags |= BlobRecord.ExternalSnapshotFlag;
            }
            else if (snapshot.Parent is { } above) next.SetInternal(BlobRecord.ParentName, above.Id);
            try
            {
                await CommitAsync(clone, next, next.UsesExtentTable ? [.. extents] : [], [], isNew: false);
            }
            catch when (_fault is null)
            {
                var unmarked = snapshot.Record.Copy();
                unmarked.RemoveInternal(BlobRecord.PendingRemovalName);
                await CommitAsync(snapshot, unmarked, [], [], isNew: false);
                throw;
            }
            (clone.Parent, clone.External) = (snapshot.Parent, snapshot.External);
            // What the clone has now is no longer the snapshot's to free.
            var rest = snapshot.Record.Copy();
            rest.Clusters = snapshot.Map.ToArray();
            for (int i = 0; i < Math.Min(map.Length, rest.Clusters.Length); i++)
                if (rest.Clusters[i] == map[i]) rest.Clusters[i] = 0;
            snapshot.Record = rest;
        }
        finally
        {
            freeze.End();
        }
    }
}
