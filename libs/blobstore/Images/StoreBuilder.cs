using Spindle.Blobs.Format;

namespace Spindle.Blobs.Images;

/// <summary>Makes a store of its metadata pages: reads the blobs, settles what an interrupted snapshot or removal left, and counts what is used.
/// What does not fit together is written down, not thrown.</summary>
/// <param name="image">Receives the result.</param>
/// <param name="pages">The metadata pages with right CRCs, by their numbers.</param>
internal sealed class StoreBuilder(StoreImage image, IReadOnlyDictionary<uint, byte[]> pages)
{
    // Together over all blobs: what a damaged or hostile store may make this process allocate.
    private const ulong MostClusters = 1UL << 27;

    /// <param name="roots">The pages where blobs start.</param>
    public void Build(IEnumerable<uint> roots)
    {
        var parser = new BlobParser(image.Layout, number => pages.GetValueOrDefault(number));
        ulong clusters = 0;
        foreach (uint root in roots)
        {
            try
            {
                var blob = parser.Parse(root);
                clusters += blob.ClusterCount;
                if (clusters > MostClusters) throw new SpindleException(Errno.EILSEQ, $"The blobs have more than {MostClusters} clusters together.");
                image.Blobs.Add(blob.Id, blob);
            }
            catch (SpindleException e)
            {
                image.Damage(e.Message);
            }
        }
        foreach (var blob in image.Blobs.Values.ToArray()) Settle(blob);
        CheckParents();
        CountClusters();
        CountPages();
        if (image.Super.SuperBlob != SuperBlock.NoBlob && !image.Blobs.ContainsKey(image.Super.SuperBlob))
            image.Damage($"The super block names blob 0x{image.Super.SuperBlob:x} as the one that describes the store, and there is none.");
    }

    /// <summary>A snapshot that was being made or removed names its clone. When the clone is on it, it stays; otherwise it goes, and what both list is the clone's.</summary>
    private void Settle(BlobRecord snapshot)
    {
        bool isNew = snapshot.IdIn(BlobRecord.InProgressName) is not null;
        if ((snapshot.IdIn(BlobRecord.PendingRemovalName) ?? snapshot.IdIn(BlobRecord.InProgressName)) is not { } cloneId) return;
        string what = $"Snapshot 0x{snapshot.Id:x} was being {(isNew ? "made" : "removed")} when the store was interrupted";
        if (!image.Blobs.TryGetValue(cloneId, out var clone) || clone == snapshot)
        {
            image.Damage($"{what}, and its clone 0x{cloneId:x} is not there.");
            return;
        }
        if (clone.ParentId == snapshot.Id)
        {
            snapshot.RemoveInternal(BlobRecord.InProgressName);
            snapshot.RemoveInternal(BlobRecord.PendingRemovalName);
            snapshot.DataRoFlags |= BlobRecord.ReadOnlyFlag;
            // The clone first: as long as the snapshot bears its mark, this is settled again after the next interruption.
            if (DropShared(clone, snapshot)) image.ToRewrite.Add(clone);
            image.ToRewrite.Add(snapshot);
            image.Trace($"{what}; it stays.");
            return;
        }
        if (image.Blobs.Values.FirstOrDefault(blob => blob.ParentId == snapshot.Id) is { } other)
        {
            image.Damage($"{what}, and 0x{other.Id:x} is a clone of it.");
            return;
        }
        image.Blobs.Remove(snapshot.Id);
        image.ToErase.Add(snapshot);
        image.Trace($"{what}; it goes.");
    }

    /// <summary>Takes from a clone what its snapshot lists at the same place: it reads it through the snapshot.</summary>
    private static bool DropShared(BlobRecord clone, BlobRecord snapshot)
    {
        bool changed = false;
        for (int i = 0; i < Math.Min(clone.Clusters.Length, snapshot.Clusters.Length); i++)
        {
            if (clone.Clusters[i] == 0 || clone.Clusters[i] != snapshot.Clusters[i]) continue;
            clone.Clusters[i] = 0;
            changed = true;
        }
        for (int i = 0; i < Math.Min(clone.ExtentPages.Length, snapshot.ExtentPages.Length); i++)
        {
            if (clone.ExtentPages[i] == 0 || clone.ExtentPages[i] != snapshot.ExtentPages[i]) continue;
            clone.ExtentPages[i] = 0;
            changed = true;
        }
        return changed;
    }

    private void CheckParents()
    {
        foreach (var blob in image.Blobs.Values)
        {
            if (blob.ParentId is not { } parentId) continue;
            if (!image.Blobs.TryGetValue(parentId, out var parent)) image.Damage($"Blob 0x{blob.Id:x} is a clone of 0x{parentId:x}, which is not there.");
            else if (!parent.IsReadOnly) image.Damage($"Blob 0x{blob.Id:x} is a clone of 0x{parentId:x}, which can be written to.");
        }
        var checkedBlobs = new HashSet<ulong>();
        foreach (var blob in image.Blobs.Values)
        {
            var path = new HashSet<ulong>();
            for (var at = blob; at is not null && checkedBlobs.Add(at.Id) && path.Add(at.Id);)
            {
                at = at.ParentId is { } parent ? image.Blobs.GetValueOrDefault(parent) : null;
                if (at is null || !path.Contains(at.Id)) continue;
                image.Damage($"Blob 0x{at.Id:x} is a clone of itself.");
            }
        }
    }

    private void CountClusters()
    {
        var layout = image.Layout;
        var used = new BitSet(layout.TotalClusters);
        for (uint i = 0; i < layout.MetadataClusters; i++) used.Set(i);
        foreach (var blob in image.Blobs.Values)
        {
            int twice = 0;
            uint example = 0;
            foreach (uint cluster in blob.Clusters)
            {
                if (cluster == 0) continue;
                if (used[cluster]) (twice, example) = (twice + 1, cluster);
                used.Set(cluster);
            }
            if (twice > 0) image.Damage($"Blob 0x{blob.Id:x} has {twice} clusters that another place of it or another blob has too, {example} for example.");
        }
        image.UsedClusters = used;
    }

    private void CountPages()
    {
        var used = new BitSet(image.Layout.MetadataLength);
        foreach (var blob in image.Blobs.Values)
        {
            foreach (uint page in (IEnumerable<uint>)[blob.RootPage, .. blob.ChainPages, .. blob.ExtentPages.Where(page => page != 0)])
            {
                if (used[page]) image.Damage($"Blob 0x{blob.Id:x} has metadata page {page}, which is in use already.");
                used.Set(page);
            }
        }
        image.UsedPages = used;
    }
}
