using Spindle.Bdevs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.Blobs.Metadata;
using Spindle.Blobs.Repair;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>A store of what was read, or decided on.</summary>
    internal static Blobstore OfImage(IBdevDescriptor descriptor, MetadataIo io, StoreImage image, BitSet pages, ExternalSnapshotResolver? resolver = null)
    {
        var store = new Blobstore(descriptor, io, image.Super, image.Layout, pages, image.UsedClusters, resolver);
        foreach (var record in image.Blobs.Values) store.AddBlob(record);
        foreach (var blob in store.Blobs) store.Connect(blob);
        return store;
    }

    /// <summary>Writes what was decided on. Each blob changes in one step, and no page that the damaged store refers to is written to before.</summary>
    internal async Task RepairAsync(StoreSalvage salvage)
    {
        using var turn = await Lock.EnterAsync();
        BlobRecord[] rewritten = [.. salvage.Image.ToRewrite, .. salvage.Image.Blobs.Values.Where(record => salvage.Changed.Contains(record.Id) && !salvage.Image.ToRewrite.Contains(record))];
        salvage.Image.ToRewrite.Clear();
        await RecoverAsync(salvage.Image);
        await Writer.MarkDirtyAsync();
        foreach (var (id, index, source) in salvage.Copies) await CopyAsync(Find(id)!, index, source, salvage.Said);
        await Io.BarrierAsync();
        foreach (var record in rewritten) await RewriteAsync(Find(record.Id)!);
        var used = new HashSet<uint>(Blobs.SelectMany(blob => StoreBuilder.PagesOf(blob.Record)));
        foreach (uint root in salvage.Lost.Where(root => !used.Contains(root))) await OverwriteAsync(root, []);
        await FreePagesAsync(salvage.Reserved, [.. used]);
        foreach (uint page in salvage.Reserved.Where(page => !used.Contains(page))) Pages.Clear(page);
        await Writer.WriteSuperAsync();
    }

    private async Task CopyAsync(Blob blob, uint index, uint source, List<string> said)
    {
        if (Clusters.ClearCount == 0)
        {
            said.Add($"Blob 0x{blob.Id:x}: no cluster is free for a copy of its cluster {index}, which reads as zeroes, or as its snapshot.");
            MakeThin(blob);
            return;
        }
        uint copy = ClaimClusters(1)[0];
        await Io.CopyAsync(ClusterOffset(copy), ClusterOffset(source), ClusterSize);
        blob.Map[index] = copy;
    }

    private static void MakeThin(Blob blob)
    {
        var next = blob.Record.Copy();
        next.InvalidFlags |= BlobRecord.ThinFlag;
        blob.Record = next;
    }

    private Task RewriteAsync(Blob blob)
    {
        var next = blob.Record.Copy();
        int count = next.UsesExtentTable ? BlobRecord.ExtentPageCount(next.ClusterCount) : 0;
        next.ExtentPages = new uint[count];
        next.ChainPages = [];
        int[] extents = [.. Enumerable.Range(0, count).Where(i => next.Clusters.AsSpan(i * BlobRecord.ClustersPerExtentPage,
            Math.Min(BlobRecord.ClustersPerExtentPage, next.Clusters.Length - (i * BlobRecord.ClustersPerExtentPage))).ContainsAnyExcept(0u))];
        // The old pages stay until all is done: another may have them too.
        return CommitAsync(blob, next, extents, [], isNew: true);
    }
}
