using Spindle.Blobs.Format;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>Takes in what the device has grown by. The store stays in use.</summary>
    /// <exception cref="SpindleException">ENOSPC: the mask of clusters has no room for so many (<see cref="MaxGrowableSize"/>).</exception>
    public async Task GrowAsync()
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        if (Layout.StoreSize >= Io.Size) return;
        ulong total = Io.Size / ClusterSize;
        uint pages = total > uint.MaxValue - 1 ? uint.MaxValue : StoreLayout.MaskPages((uint)total, Layout.PageSize);
        // Stores older than version 3 have no mask of blobs behind that of clusters.
        if (Super.BlobMaskLength == 0 || pages > Super.BlobMaskStart - Super.ClusterMaskStart)
            throw new SpindleException(Errno.ENOSPC, $"The blobstore can grow to {MaxGrowableSize} bytes, and the device has {Io.Size}: its metadata has no room for more.");
        await Writer.MarkDirtyAsync();
        var before = (Super.StoreSize, Super.ClusterMaskLength);
        (Super.StoreSize, Super.ClusterMaskLength) = (Io.Size, pages);
        var layout = StoreLayout.Of(Super, Io.BlockSize, Io.Size);
        try
        {
            await Writer.WriteSuperAsync();
        }
        catch (SpindleException e)
        {
            // On disk is the one or the other; both fit what this process does.
            (Super.StoreSize, Super.ClusterMaskLength) = before;
            SetFault(e);
            throw;
        }
        Clusters = Clusters.Resized(layout.TotalClusters);
        Layout = layout;
    }

    /// <summary>Makes the store unfindable and ends its use; its clusters are cleared as their blobs say. No bdev of it may be left.</summary>
    /// <exception cref="SpindleException">Errors of writing. The use has ended.</exception>
    public async Task DestroyAsync()
    {
        using var turn = await Lock.EnterAsync();
        if (_closed) return;
        _closed = true;
        try
        {
            await Io.BarrierAsync();
            await Io.WriteAsync(0, new byte[Math.Max(SuperBlock.Size, Io.BlockSize)]);
            await Io.BarrierAsync();
            foreach (var blob in Blobs) await ClearAsync(blob.Map, blob.ClearMethod);
        }
        finally
        {
            Io.Dispose();
        }
    }
}
