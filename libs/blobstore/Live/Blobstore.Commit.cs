using Spindle.Blobs.Format;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>Makes what a blob is to be durable, in one step: everything new goes to pages that nobody uses, and the blob's first page is the last to be written.
    /// Then the pages that it no longer has are free. Holding the metadata lock.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="next">What it is to be.</param>
    /// <param name="extents">Which of its extent pages have changed, or are new and needed.</param>
    /// <param name="handedOver">Metadata pages that the blob no longer has, but another one.</param>
    /// <param name="isNew">The blob is not on disk yet.</param>
    /// <exception cref="SpindleException">ENOSPC: no metadata page is free; nothing has changed. Others: the store takes no more changes.</exception>
    internal async Task CommitAsync(Blob blob, BlobRecord next, IReadOnlyList<int> extents, IReadOnlyCollection<uint> handedOver, bool isNew)
    {
        CheckUsable();
        var before = blob.Record;
        var claimed = new List<uint>();
        try
        {
            uint[] table = next.ExtentPages.ToArray();
            foreach (int index in extents) table[index] = ClaimPage(claimed);
            next.ExtentPages = table;
            var chain = BlobSerializer.Chain(next);
            uint[] numbers = new uint[chain.Count - 1];
            for (int i = 0; i < numbers.Length; i++) numbers[i] = ClaimPage(claimed);
            next.ChainPages = numbers;
            BlobSerializer.Link(chain, numbers);
            await Writer.MarkDirtyAsync();
            foreach (int index in extents) await Writer.WriteNewAsync(table[index], BlobSerializer.ExtentPage(next.Id, next.Clusters, index));
            for (int i = 0; i < numbers.Length; i++) await Writer.WriteNewAsync(numbers[i], chain[i + 1]);
            await WriteRootAsync(next, chain[0]);
        }
        catch
        {
            foreach (uint page in claimed) Pages.Clear(page);
            throw;
        }
        blob.Record = next;
        if (isNew) return;
        var kept = new HashSet<uint>([.. next.ExtentPages, .. next.ChainPages, .. handedOver, 0]);
        await FreePagesAsync([.. before.ExtentPages, .. before.ChainPages], kept);
    }

    /// <summary>Erases pages that nothing refers to any more, and frees them.</summary>
    private async Task FreePagesAsync(IEnumerable<uint> pages, HashSet<uint> kept)
    {
        try
        {
            foreach (uint page in pages)
            {
                if (page == 0 || !kept.Add(page)) continue;
                await Writer.EraseAsync(page);
                Pages.Clear(page);
            }
        }
        catch (SpindleException e)
        {
            // The change itself is durable. What could not be erased is as good as free to who reads the store.
            SetFault(e);
        }
    }

    private Task WriteRootAsync(BlobRecord next, byte[] root) => OverwriteAsync(next.RootPage, root);

    /// <summary>Writes an extent page of a blob where it is.</summary>
    internal Task OverwriteExtentAsync(Blob blob, uint[] map, int index) => OverwriteAsync(blob.Record.ExtentPages[index], BlobSerializer.ExtentPage(blob.Id, map, index));

    private async Task OverwriteAsync(uint page, byte[] content)
    {
        try
        {
            await Writer.OverwriteAsync(page, content);
        }
        catch (SpindleException e)
        {
            SetFault(e);
            throw;
        }
    }

    private uint ClaimPage(List<uint> claimed)
    {
        // Not page 0: it stands for none in an extent table.
        uint page = Pages.Claim(1) ?? throw new SpindleException(Errno.ENOSPC, "No metadata page of the store is free.");
        claimed.Add(page);
        return page;
    }

    /// <summary>Takes clusters, all or none.</summary>
    /// <exception cref="SpindleException">ENOSPC.</exception>
    internal uint[] ClaimClusters(uint count)
    {
        if (count > Clusters.ClearCount) throw new SpindleException(Errno.ENOSPC);
        uint[] claimed = new uint[count];
        for (uint i = 0; i < count; i++) claimed[i] = Clusters.Claim()!.Value;
        return claimed;
    }

    internal void FreeClustersOf(IEnumerable<uint> clusters)
    {
        foreach (uint cluster in clusters)
            if (cluster != 0) Clusters.Clear(cluster);
    }

    internal ulong ClusterOffset(uint cluster) => (ulong)cluster * ClusterSize;

    /// <summary>Clusters in runs that lie side by side.</summary>
    internal static IEnumerable<(uint First, uint Count)> Runs(IEnumerable<uint> clusters)
    {
        uint first = 0, count = 0;
        foreach (uint cluster in clusters.Where(cluster => cluster != 0).Order())
        {
            if (count > 0 && cluster == first + count)
            {
                count++;
                continue;
            }
            if (count > 0) yield return (first, count);
            (first, count) = (cluster, 1);
        }
        if (count > 0) yield return (first, count);
    }

    /// <summary>Makes new clusters read as zeroes: whatever is on them may be another blob's.</summary>
    internal async Task ZeroAsync(IEnumerable<uint> clusters)
    {
        foreach (var (first, count) in Runs(clusters)) await Io.WriteZeroesAsync(ClusterOffset(first), (ulong)count * ClusterSize);
    }

    /// <summary>Clears clusters that were given back.</summary>
    internal async Task ClearAsync(IEnumerable<uint> clusters, ClearMethod method)
    {
        if (method == ClearMethod.None) return;
        foreach (var (first, count) in Runs(clusters))
        {
            if (method == ClearMethod.WriteZeroes) await Io.WriteZeroesAsync(ClusterOffset(first), (ulong)count * ClusterSize);
            else await Io.UnmapAsync(ClusterOffset(first), (ulong)count * ClusterSize);
        }
    }
}
