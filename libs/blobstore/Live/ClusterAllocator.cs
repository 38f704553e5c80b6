using Spindle.Blobs.Data;
using Spindle.Blobs.Format;
using Spindle.Threading;

namespace Spindle.Blobs;

/// <summary>Gives blobs the clusters that they are written to first, many at a time: what has gathered while one round goes to disk is the next. On the metadata thread.</summary>
internal sealed class ClusterAllocator(Blobstore store)
{
    private const int MostInRound = 64;

    private static readonly StorageMessage s_done = static state =>
    {
        var (io, cluster, error) = ((BlobIo, uint, int))state!;
        io.Channel.EndWait(cluster, error);
    };

    private readonly Queue<Request> _requests = [];
    private bool _running;

    /// <summary>For a write that waits.</summary>
    public void Ask(BlobIo io)
    {
        var (blob, cluster, thread) = (io.Channel.Blob, io.Cluster, io.Channel.Owner);
        Ask(new Request(blob, cluster, error => thread.Send(s_done, (io, cluster, error))));
    }

    /// <summary>For an operation; returns when the cluster is the blob's own.</summary>
    /// <exception cref="SpindleException">ENOSPC, or an error of the device.</exception>
    public async Task AllocateAsync(Blob blob, uint cluster)
    {
        var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Ask(new Request(blob, cluster, done.SetResult));
        if (await done.Task is var error && error != 0) throw new SpindleException(error);
    }

    private void Ask(Request request)
    {
        _requests.Enqueue(request);
        if (!_running) _ = RunAsync();
    }

    private async Task RunAsync()
    {
        _running = true;
        while (_requests.Count > 0)
        {
            using var turn = await store.Lock.EnterAsync();
            var round = new List<Request>();
            while (round.Count < MostInRound && _requests.TryDequeue(out var request)) round.Add(request);
            try
            {
                await RunRoundAsync(round);
            }
            catch (Exception e)
            {
                // Whoever waits must hear of it, whatever it was.
                store.SetFault(e);
                foreach (var request in round) request.Error = Errno.EIO;
            }
            foreach (var request in round) request.Done(request.Error);
        }
        _running = false;
    }

    private async Task RunRoundAsync(List<Request> round)
    {
        // Two threads may have asked for the same.
        var wanted = round.GroupBy(request => (request.Blob, request.Cluster)).Select(same => new Work(same.Key.Blob, same.Key.Cluster, [.. same])).ToArray();
        foreach (var work in wanted)
        {
            try
            {
                Claim(work);
            }
            catch (SpindleException e)
            {
                work.Fail(e);
            }
        }
        await Task.WhenAll(wanted.Where(work => work.New != 0).Select(FillAsync));
        foreach (var group in wanted.Where(work => work.New != 0).GroupBy(work => work.Blob))
        {
            try
            {
                await PublishAsync(group.Key, [.. group]);
            }
            catch (SpindleException e)
            {
                foreach (var work in group) Revert(work, e);
            }
        }
    }

    private void Claim(Work work)
    {
        store.CheckUsable();
        var blob = work.Blob;
        if (work.Index >= blob.ClusterCount) throw new SpindleException(Errno.EIO);
        if (blob.Map[work.Index] != 0) return;
        if (blob.IsReadOnly && !blob.Busy) throw new SpindleException(Errno.EPERM);
        work.New = store.ClaimClusters(1)[0];
    }

    /// <summary>Gives a new cluster the content that was there to read: nothing of it may come from what was on it before.</summary>
    private async Task FillAsync(Work work)
    {
        try
        {
            uint source = ClusterMap.Behind(work.Blob, work.Index, out var last);
            if (source != 0) await store.Io.CopyAsync(store.ClusterOffset(work.New), store.ClusterOffset(source), store.ClusterSize);
            else if (last is { Record.IsExternalClone: true }) await store.CopyFromOutsideAsync(last, work.Index, work.New);
            else await store.Io.WriteZeroesAsync(store.ClusterOffset(work.New), store.ClusterSize);
        }
        catch (SpindleException e)
        {
            Revert(work, e);
        }
    }

    /// <summary>Enters new clusters into the metadata, and, when that is durable, into the map that the data path reads.</summary>
    private async Task PublishAsync(Blob blob, List<Work> works)
    {
        uint[] map = blob.Map.ToArray();
        foreach (var work in works) map[work.Index] = work.New;
        var next = blob.Record.Copy();
        next.Clusters = map;
        int[] extents = blob.Record.UsesExtentTable ? [.. works.Select(work => (int)(work.Index / BlobRecord.ClustersPerExtentPage)).Distinct()] : [];
        bool inPlace = blob.Record.UsesExtentTable && extents.All(index => blob.Record.ExtentPages[index] != 0);
        if (!inPlace)
        {
            await store.CommitAsync(blob, next, extents, [], isNew: false);
            return;
        }
        await store.Writer.MarkDirtyAsync();
        foreach (int index in extents) await store.OverwriteExtentAsync(blob, map, index);
        foreach (var work in works) Volatile.Write(ref blob.Map[work.Index], work.New);
    }

    private void Revert(Work work, SpindleException e)
    {
        // After a fault it is not known whether the disk has it: it stays taken until the store is loaded again.
        if (store.Fault is null) store.FreeClustersOf([work.New]);
        work.New = 0;
        work.Fail(e);
    }

    private sealed record Request(Blob Blob, uint Cluster, Action<int> Done)
    {
        public int Error { get; set; }
    }

    private sealed class Work(Blob blob, uint index, List<Request> requests)
    {
        public Blob Blob => blob;
        public uint Index => index;
        public uint New { get; set; }

        public void Fail(SpindleException e)
        {
            foreach (var request in requests) request.Error = e.Errno;
        }
    }
}
