using Spindle.Blobs.Data;
using Spindle.Blobs.Format;
using Spindle.Threading;

namespace Spindle.Blobs;

/// <summary>Gives blobs the clusters that they are written to first. Each is filled by itself, beside whatever else goes on; those that are filled are entered into the metadata
/// together: what has gathered while one round goes to disk is the next. On the metadata thread.</summary>
internal sealed class ClusterAllocator(Blobstore store)
{
    private const int MostFilling = 64, MostInRound = 64;

    private static readonly StorageMessage s_done = static state =>
    {
        var (io, cluster, error, hasData) = ((BlobIo, uint, int, bool))state!;
        if (hasData) io.HasWritten = true;
        io.Channel.EndWait(cluster, error);
    };

    private readonly Dictionary<(Blob Blob, uint Index), Work> _works = [];
    private readonly Queue<Work> _waiting = [], _filled = [];
    private TaskCompletionSource? _drained;
    private int _filling;
    private bool _publishing;

    /// <summary>For a write that waits.</summary>
    public void Ask(BlobIo io)
    {
        var (blob, index, thread) = (io.Channel.Blob, io.Cluster, io.Channel.Owner);
        var work = WorkOf(blob, index);
        bool bringsData = work.Data is null && !work.HasBegun && io.CoversCluster;
        if (bringsData) work.Data = io;
        Ask(work, error => thread.Send(s_done, (io, index, error, error == 0 && work.DataWritten && bringsData)));
    }

    /// <summary>For an operation; returns when the cluster is the blob's own.</summary>
    /// <exception cref="SpindleException">ENOSPC, or an error of the device.</exception>
    public async Task AllocateAsync(Blob blob, uint index)
    {
        var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Ask(WorkOf(blob, index), done.SetResult);
        if (await done.Task is var error && error != 0) throw new SpindleException(error);
    }

    /// <summary>Ends when no cluster is being filled. The store is closed: none begins any more that has not.</summary>
    public Task DrainAsync()
    {
        if (_filling == 0) return Task.CompletedTask;
        return (_drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    // Two threads may ask for the same.
    private Work WorkOf(Blob blob, uint index) => _works.TryGetValue((blob, index), out var work) ? work : _works[(blob, index)] = new Work(blob, index);

    private void Ask(Work work, Action<int> done)
    {
        work.Done.Add(done);
        if (work.Done.Count > 1) return;
        _waiting.Enqueue(work);
        BeginFilling();
    }

    private void BeginFilling()
    {
        while (_filling < MostFilling && _waiting.TryDequeue(out var work))
        {
            _filling++;
            _ = FillAsync(work);
        }
    }

    private async Task FillAsync(Work work)
    {
        work.HasBegun = true;
        try
        {
            Claim(work);
            // A device outside of the store may be let go of at any time but while the lock is held.
            if (work.New != 0 && !(work.NeedsOutside = ReadsOutside(work))) await FillClusterAsync(work);
        }
        catch (SpindleException e)
        {
            Revert(work, e.Errno);
        }
        catch (Exception e)
        {
            Broken(work, e);
        }
        if (--_filling == 0) _drained?.TrySetResult();
        if (work.New == 0) Finish(work);
        else
        {
            _filled.Enqueue(work);
            if (!_publishing) _ = PublishAllAsync();
        }
        BeginFilling();
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

    private static bool ReadsOutside(Work work) => work.Data is null && ClusterMap.Behind(work.Blob, work.Index, out var last) == 0 && last is { Record.IsExternalClone: true };

    /// <summary>Gives a new cluster the content that is there to read: nothing of it may come from what was on it before.</summary>
    private async Task FillClusterAsync(Work work)
    {
        work.Version = work.Blob.ContentVersion;
        ulong to = store.ClusterOffset(work.New);
        if (work.Data is { } io)
        {
            // What the write brings is all of it: nothing is copied, and it need not be written again.
            await store.Io.WriteAsync(to, store.ClusterSize, io);
            work.DataWritten = true;
            return;
        }
        uint source = ClusterMap.Behind(work.Blob, work.Index, out var last);
        if (source != 0) await store.Io.CopyAsync(to, store.ClusterOffset(source), store.ClusterSize);
        else if (last is { Record.IsExternalClone: true }) await store.CopyFromOutsideAsync(last, work.Index, work.New);
        else await store.Io.WriteZeroesAsync(to, store.ClusterSize);
    }

    private async Task PublishAllAsync()
    {
        _publishing = true;
        while (_filled.Count > 0)
        {
            using var turn = await store.Lock.EnterAsync();
            var round = new List<Work>();
            while (round.Count < MostInRound && _filled.TryDequeue(out var work)) round.Add(work);
            try
            {
                await Task.WhenAll(round.Select(PrepareAsync));
                foreach (var group in round.Where(work => work.New != 0).GroupBy(work => work.Blob).ToArray()) await PublishAsync(group.Key, [.. group]);
            }
            catch (Exception e)
            {
                // Whoever waits must hear of it, whatever it was.
                foreach (var work in round) Broken(work, e);
            }
            foreach (var work in round) Finish(work);
        }
        _publishing = false;
    }

    /// <summary>Since it was begun, the blob may have changed.</summary>
    private async Task PrepareAsync(Work work)
    {
        try
        {
            store.CheckUsable();
            var blob = work.Blob;
            if (work.Index >= blob.ClusterCount || store.Find(blob.Id) != blob) throw new SpindleException(Errno.EIO);
            if (blob.Map[work.Index] != 0)
            {
                // It came by a merge: what was filled is of no use.
                Revert(work, 0);
                work.DataWritten = false;
                return;
            }
            if (blob.IsReadOnly && !blob.Busy) throw new SpindleException(Errno.EPERM);
            if (work.NeedsOutside || (work.Version != blob.ContentVersion && !work.DataWritten)) await FillClusterAsync(work);
        }
        catch (SpindleException e)
        {
            Revert(work, e.Errno);
        }
    }

    /// <summary>Enters new clusters into the metadata, and, when that is durable, into the map that the data path reads.</summary>
    private async Task PublishAsync(Blob blob, List<Work> works)
    {
        try
        {
            uint[] map = blob.Map.ToArray();
            foreach (var work in works) map[work.Index] = work.New;
            int[] extents = blob.Record.UsesExtentTable ? [.. works.Select(work => (int)(work.Index / BlobRecord.ClustersPerExtentPage)).Distinct()] : [];
            bool inPlace = blob.Record.UsesExtentTable && extents.All(index => blob.Record.ExtentPages[index] != 0);
            if (!inPlace)
            {
                var next = blob.Record.Copy();
                next.Clusters = map;
                await store.CommitAsync(blob, next, extents, [], isNew: false);
                return;
            }
            await store.Writer.MarkDirtyAsync();
            foreach (int index in extents) await store.OverwriteExtentAsync(blob, map, index);
            foreach (var work in works) Volatile.Write(ref blob.Map[work.Index], work.New);
        }
        catch (SpindleException e)
        {
            foreach (var work in works) Revert(work, e.Errno);
        }
    }

    private void Finish(Work work)
    {
        _works.Remove((work.Blob, work.Index));
        foreach (var done in work.Done) done(work.Error);
    }

    private void Broken(Work work, Exception e)
    {
        store.SetFault(e);
        Revert(work, Errno.EIO);
    }

    private void Revert(Work work, int error)
    {
        // After a fault it is not known whether the disk has it: it stays taken until the store is loaded again.
        if (store.Fault is null) store.FreeClustersOf([work.New]);
        work.New = 0;
        work.Error = error;
    }

    private sealed class Work(Blob blob, uint index)
    {
        public Blob Blob => blob;
        public uint Index => index;
        public uint New { get; set; }
        public int Error { get; set; }
        public int Version { get; set; }
        public bool HasBegun { get; set; }
        public bool NeedsOutside { get; set; }
        /// <summary>A write of all of it.</summary>
        public BlobIo? Data { get; set; }
        public bool DataWritten { get; set; }
        public List<Action<int>> Done { get; } = [];
    }
}
