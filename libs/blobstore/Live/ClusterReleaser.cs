using Spindle.Blobs.Data;
using Spindle.Blobs.Format;
using Spindle.Threading;

namespace Spindle.Blobs;

/// <summary>Takes clusters back that were unmapped or zeroed as a whole. On the metadata thread.</summary>
internal sealed class ClusterReleaser(Blobstore store)
{
    private static readonly StorageMessage s_done = static state => ((BlobIo)state!).OnReleased();

    private readonly Queue<BlobIo> _requests = [];
    private bool _running;

    /// <summary>For an I/O that waits.</summary>
    public void Ask(BlobIo io)
    {
        _requests.Enqueue(io);
        if (!_running) _ = RunAsync();
    }

    private async Task RunAsync()
    {
        _running = true;
        while (_requests.Count > 0)
        {
            using var turn = await store.Lock.EnterAsync();
            var blob = _requests.Peek().Channel.Blob;
            var round = new List<BlobIo>();
            while (_requests.TryPeek(out var io) && io.Channel.Blob == blob) round.Add(_requests.Dequeue());
            int error = 0;
            try
            {
                await ReleaseAsync(blob, round);
            }
            catch (SpindleException e)
            {
                error = -e.Errno;
            }
            catch (Exception e)
            {
                // Whoever waits must hear of it, whatever it was.
                store.SetFault(e);
                error = -Errno.EIO;
            }
            foreach (var io in round)
            {
                io.Error = error;
                io.Channel.Owner.Send(s_done, io);
            }
        }
        _running = false;
    }

    private async Task ReleaseAsync(Blob blob, List<BlobIo> round)
    {
        store.CheckUsable();
        if (!ClusterMap.CanGiveBack(blob) || blob.IsReadOnly) throw new SpindleException(Errno.EBUSY);
        var indexes = new SortedSet<uint>();
        foreach (var io in round)
            for (uint i = io.Cluster; i < Math.Min(io.Cluster + io.ClusterCount, blob.ClusterCount); i++)
                if (blob.Map[i] != 0) indexes.Add(i);
        if (indexes.Count == 0) return;
        // A write on its way to one of them must not come to whom it is given next.
        var freeze = await BlobFreeze.BeginAsync(blob);
        try
        {
            uint[] clusters = [.. indexes.Select(index => blob.Map[index])];
            uint[] map = blob.Map.ToArray();
            foreach (uint index in indexes) map[index] = 0;
            await store.ClearAsync(clusters, blob.ClearMethod);
            await store.Writer.MarkDirtyAsync();
            if (blob.Record.UsesExtentTable)
            {
                foreach (int extent in indexes.Select(index => (int)(index / BlobRecord.ClustersPerExtentPage)).Distinct().ToArray()) await store.OverwriteExtentAsync(blob, map, extent);
                foreach (uint index in indexes) Volatile.Write(ref blob.Map[index], 0);
            }
            else
            {
                var next = blob.Record.Copy();
                next.Clusters = map;
                await store.CommitAsync(blob, next, [], [], isNew: false);
            }
            store.FreeClustersOf(clusters);
        }
        finally
        {
            freeze.End();
        }
    }
}
