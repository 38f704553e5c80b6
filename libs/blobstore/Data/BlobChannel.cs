using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Blobs.Data;

/// <summary>One storage thread's way to a blob.</summary>
internal sealed class BlobChannel : IoChannel
{
    internal readonly Blob Blob;
    internal readonly IBdevChannel Base;
    internal readonly IStorageThread Owner;
    internal readonly StorageMessage AskForCluster = static state => ((BlobIo)state!).Channel.Blob.Store.Allocator.Ask((BlobIo)state);
    internal readonly StorageMessage AskForRelease = static state => ((BlobIo)state!).Channel.Blob.Store.Releaser.Ask((BlobIo)state);
    internal readonly BdevIoCallback Completed = BlobIo.OnBaseCompleted;

    internal readonly bool CanUnmap;

    private IBdevDescriptor? _externalOf;
    private IBdevChannel? _external;
    private IoVec[] _scratch = new IoVec[32];
    private BlobIo? _firstParked, _lastParked;
    private BlobIo? _firstWaiting;
    private BlobFreeze? _draining;
    private int _underWay;

    internal BlobChannel(Blob blob, IBdevChannel lower, IStorageThread thread)
    {
        (Blob, Base, Owner, CanUnmap) = (blob, lower, thread, lower.Bdev.Supports(BdevIoType.Unmap));
        blob.Add(this);
    }

    /// <summary>Counts an I/O that has begun; false while the blob is frozen, and it waits.</summary>
    [DataPath]
    internal bool TryBegin(BlobIo io)
    {
        if (Volatile.Read(ref Blob.Frozen) != 0)
        {
            io.Next = null;
            if (_lastParked is null) _firstParked = io;
            else _lastParked.Next = io;
            _lastParked = io;
            return false;
        }
        _underWay++;
        return true;
    }

    /// <summary>An I/O has ended, or waits for a cluster.</summary>
    [DataPath]
    internal void Leave()
    {
        if (--_underWay == 0 && _draining is not null) EndDrain();
    }

    private void EndDrain()
    {
        var freeze = _draining!;
        _draining = null;
        freeze.Drained();
    }

    internal void Drain(BlobFreeze freeze)
    {
        _draining = freeze;
        if (_underWay == 0) EndDrain();
    }

    internal void ResumeParked()
    {
        var io = _firstParked;
        _firstParked = _lastParked = null;
        while (io is not null)
        {
            var next = io.Next;
            io.Next = null;
            io.Begin();
            io = next;
        }
    }

    /// <summary>Adds an I/O to those that wait for a cluster.</summary>
    /// <returns>True for the first that waits for this one: it asks for it.</returns>
    [DataPath]
    internal bool Wait(BlobIo io)
    {
        bool isFirst = true;
        for (var other = _firstWaiting; other is not null && isFirst; other = other.Next) isFirst = other.Cluster != io.Cluster;
        io.Next = _firstWaiting;
        _firstWaiting = io;
        return isFirst;
    }

    /// <summary>The cluster that an I/O asked for is there, or cannot be had: all that waited for it go on.</summary>
    internal void EndWait(uint cluster, int error)
    {
        BlobIo? ready = null, rest = null, lastRest = null;
        // Newest first here; turned round, so that they go on in the order in which they came.
        for (var io = _firstWaiting; io is not null;)
        {
            var next = io.Next;
            io.Next = null;
            if (io.Cluster == cluster)
            {
                io.Next = ready;
                ready = io;
            }
            else
            {
                if (lastRest is null) rest = io;
                else lastRest.Next = io;
                lastRest = io;
            }
            io = next;
        }
        _firstWaiting = rest;
        while (ready is not null)
        {
            var next = ready.Next;
            ready.Next = null;
            if (error == 0) ready.Begin();
            else ready.Fail(error);
            ready = next;
        }
    }

    /// <summary>This thread's way to a device outside of the store; null when it is being removed.</summary>
    internal IBdevChannel? External(IBdevDescriptor descriptor)
    {
        if (_externalOf == descriptor) return _external;
        _external?.Put();
        _externalOf = null;
        _external = null;
        try
        {
            _external = descriptor.GetChannel();
            _externalOf = descriptor;
        }
        catch (SpindleException)
        {
            return null;
        }
        return _external;
    }

    /// <summary>Room for vectors.</summary>
    internal IoVec[] Scratch(int count)
    {
        if (_scratch.Length < count) _scratch = new IoVec[count * 2];
        return _scratch;
    }

    /// <summary>Lets go of the device outside of the store.</summary>
    internal void ForgetExternal()
    {
        _external?.Put();
        _external = null;
        _externalOf = null;
    }

    /// <inheritdoc/>
    protected override void Destroy()
    {
        Blob.Remove(this);
        ForgetExternal();
        Base.Put();
    }
}
