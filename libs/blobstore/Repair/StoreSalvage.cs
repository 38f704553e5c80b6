using Spindle.Blobs.Format;
using Spindle.Blobs.Images;

namespace Spindle.Blobs.Repair;

/// <summary>Decides what becomes of a damaged store: which blobs stay, and with what. Nothing is written here.</summary>
/// <param name="damaged">The store as it was read.</param>
/// <param name="page">The metadata page of a number below the layout's.</param>
internal sealed class StoreSalvage(StoreImage damaged, Func<uint, Task<RawPage>> page)
{
    private readonly HashSet<ulong> _doubtful = [];

    /// <summary>The store as it is to be. Its clusters do not include <see cref="Copies"/>.</summary>
    public StoreImage Image { get; } = new() { Super = damaged.Super, Layout = damaged.Layout, SuperIsTorn = damaged.SuperIsTorn };

    /// <summary>The blobs that are to be written anew.</summary>
    public HashSet<ulong> Changed { get; } = [];

    /// <summary>The pages where blobs started that cannot be saved.</summary>
    public List<uint> Lost { get; } = [];

    /// <summary>Clusters that two places had: those that get a copy of their own.</summary>
    public List<(ulong Blob, uint Index, uint Source)> Copies { get; } = [];

    /// <summary>Metadata pages that something of the damaged store refers to: not to be written to before the repair is done.</summary>
    public HashSet<uint> Reserved { get; } = [];

    /// <summary>What is done, in sentences.</summary>
    public List<string> Said { get; } = [];

    /// <summary>Decides.</summary>
    /// <exception cref="SpindleException">ENOTSUP: a blob needs what this version does not know. Errors of reading.</exception>
    public async Task RunAsync()
    {
        foreach (var (number, content) in damaged.Torn) Image.Torn[number] = content;
        Image.RedoPages.AddRange(damaged.RedoPages);
        foreach (var blob in damaged.Blobs.Values) Keep(blob);
        foreach (var (id, blob) in damaged.Damaged)
        {
            if (blob is not null) Keep(blob);
            else await SalvageAsync((uint)id);
        }
        foreach (var blob in damaged.ToErase)
        {
            foreach (uint number in StoreBuilder.PagesOf(blob)) Reserved.Add(number);
            Image.ToErase.Add(blob);
        }
        Image.ToRewrite.AddRange(damaged.ToRewrite.Where(blob => Image.Blobs.ContainsKey(blob.Id)));
        SettleMarks();
        FixParents();
        ShareNothing();
        ChooseSuperBlob();
        foreach (var blob in Image.ToRewrite) Changed.Add(blob.Id);
    }

    private void Keep(BlobRecord blob)
    {
        Image.Blobs[blob.Id] = blob;
        foreach (uint number in StoreBuilder.PagesOf(blob)) Reserved.Add(number);
    }

    private async Task SalvageAsync(uint root)
    {
        var salvage = new BlobSalvage(Image.Layout, page);
        var blob = await salvage.ReadAsync(root);
        Reserved.Add(root);
        if (blob is null)
        {
            Lost.Add(root);
            Said.Add($"Blob 0x{MetadataPage.BlobIdBit | root:x} cannot be saved: nothing of its metadata is left. It is removed.");
            return;
        }
        Keep(blob);
        Changed.Add(blob.Id);
        if (salvage.IsDoubtful) _doubtful.Add(blob.Id);
        Said.Add($"{Name(blob)} is saved{(salvage.Losses.Count == 0 ? "" : ": " + string.Join("; ", salvage.Losses))}.");
    }

    /// <summary>A snapshot that was being made or removed, and whose clone cannot say which: it stays.</summary>
    private void SettleMarks()
    {
        var builder = new StoreBuilder(Image, new Dictionary<uint, byte[]>());
        foreach (var blob in Image.Blobs.Values.ToArray())
        {
            if ((blob.IdIn(BlobRecord.PendingRemovalName) ?? blob.IdIn(BlobRecord.InProgressName)) is not { } id) continue;
            bool decides = Image.Blobs.TryGetValue(id, out var clone) && clone != blob && (clone.ParentId == blob.Id || Image.Blobs.Values.All(other => other.ParentId != blob.Id));
            if (decides)
            {
                builder.Settle(blob);
                continue;
            }
            blob.RemoveInternal(BlobRecord.InProgressName);
            blob.RemoveInternal(BlobRecord.PendingRemovalName);
            blob.DataRoFlags |= BlobRecord.ReadOnlyFlag;
            Change(blob, "it was being made or removed as a snapshot when the store was interrupted; it stays, as a snapshot");
        }
    }

    private void FixParents()
    {
        foreach (var blob in Image.Blobs.Values)
        {
            if (blob.ParentId is not { } parentId) continue;
            if (!Image.Blobs.TryGetValue(parentId, out var parent)) Cut(blob, $"its snapshot 0x{parentId:x} is lost: what it read through it reads as zeroes, what was its own is there");
            else if (!parent.IsReadOnly)
            {
                parent.DataRoFlags |= BlobRecord.ReadOnlyFlag;
                Change(parent, "others read through it, and it could be written to; it is read-only now");
            }
        }
        foreach (var blob in Image.Blobs.Values)
        {
            var path = new HashSet<ulong>();
            for (var at = blob; at is not null && path.Add(at.Id); at = at.ParentId is { } next ? Image.Blobs[next] : null)
                if (at.ParentId is { } parent && path.Contains(parent)) Cut(at, "it was a clone of itself; it has no snapshot now");
        }
    }

    private void Cut(BlobRecord blob, string why)
    {
        blob.RemoveInternal(BlobRecord.ParentName);
        Change(blob, why);
    }

    /// <summary>Clusters and pages that two have: whose metadata is beyond doubt keeps them, others get copies.</summary>
    private void ShareNothing()
    {
        var clusters = new BitSet(Image.Layout.TotalClusters);
        for (uint i = 0; i < Image.Layout.MetadataClusters; i++) clusters.Set(i);
        var pages = new BitSet(Image.Layout.MetadataLength);
        foreach (var blob in Image.Blobs.Values.OrderBy(blob => _doubtful.Contains(blob.Id)).ThenBy(blob => Changed.Contains(blob.Id)).ThenBy(blob => blob.Id).ToArray())
        {
            uint[]? own = null;
            int copied = 0;
            for (int i = 0; i < blob.Clusters.Length; i++)
            {
                uint cluster = blob.Clusters[i];
                if (cluster == 0) continue;
                if (!clusters[cluster])
                {
                    clusters.Set(cluster);
                    continue;
                }
                own ??= blob.Clusters.ToArray();
                own[i] = 0;
                Copies.Add((blob.Id, (uint)i, cluster));
                copied++;
            }
            if (own is not null)
            {
                blob.Clusters = own;
                Change(blob, $"{copied} of its clusters are another's too; it gets copies, which may hold the other's data");
            }
            foreach (uint number in StoreBuilder.PagesOf(blob).ToArray())
            {
                if (pages[number]) Change(blob, $"metadata page {number} was another's too; it gets pages of its own");
                pages.Set(number);
            }
        }
        Image.UsedClusters = clusters;
    }

    private void ChooseSuperBlob()
    {
        if (Image.Super.SuperBlob == SuperBlock.NoBlob || Image.Blobs.ContainsKey(Image.Super.SuperBlob)) return;
        // What describes a store of volumes has no clusters, and nothing reads through it.
        var other = Image.Blobs.Values.FirstOrDefault(blob => blob.ClusterCount == 0 && blob.Xattr("uuid") is not null && blob.Xattr("name") is not null);
        Image.Super.SuperBlob = other?.Id ?? SuperBlock.NoBlob;
        if (other is not null) Said.Add($"The super block named a blob that is not there as the one that describes the store; {Name(other)} does.");
    }

    private void Change(BlobRecord blob, string why)
    {
        Changed.Add(blob.Id);
        Said.Add($"{Name(blob)}: {why}.");
    }

    private static string Name(BlobRecord blob) => $"Blob 0x{blob.Id:x}{(StoreText.NameOf(blob) is { Length: > 0 } name ? $" ('{name}')" : "")}";
}
