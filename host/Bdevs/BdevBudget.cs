using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <summary>What all queues of a host share by the options of <c>bdev_set_options</c>: the number of I/O objects, and on each storage thread one cache
/// of I/O buffers. Asked when a queue grows or ends, not for each I/O.</summary>
internal sealed class BdevBudget(IobufPools pools)
{
    private readonly IobufPools _pools = pools;
    private readonly Lock _lock = new();
    private readonly Dictionary<StorageThreadCore, SharedIobuf> _iobufs = [];
    private int _objects;

    /// <summary>The options in force.</summary>
    internal BdevOptions Options { get; set; } = new();

    /// <summary>I/O objects there are, of all queues.</summary>
    internal int Objects
    {
        get
        {
            lock (_lock) return _objects;
        }
    }

    /// <summary>Lets a queue make more I/O objects: up to <see cref="BdevOptions.IoCacheSize"/> whatever the others have, more while all together have
    /// no more than <see cref="BdevOptions.IoPoolSize"/>.</summary>
    /// <param name="has">Those it has.</param>
    /// <param name="wanted">Those it would like to have in addition.</param>
    /// <returns>How many it may make.</returns>
    internal int TakeObjects(int has, int wanted)
    {
        lock (_lock)
        {
            // At least one: an I/O that waits for an object waits for one of its own queue.
            int own = Math.Clamp(Options.IoCacheSize, 1, Options.IoPoolSize) - has;
            int left = Options.IoPoolSize - _objects;
            int count = Math.Clamp(wanted, 0, Math.Max(0, Math.Max(own, left)));
            _objects += count;
            return count;
        }
    }

    /// <summary>The objects of a queue that ended are no more.</summary>
    internal void ReturnObjects(int count)
    {
        lock (_lock) _objects -= count;
    }

    /// <summary>The calling storage thread's buffers, shared by all bdevs on it: a cache for each bdev would keep buffers from the other threads.</summary>
    internal IIobufChannel TakeIobuf(StorageThreadCore thread)
    {
        lock (_lock)
        {
            if (!_iobufs.TryGetValue(thread, out var shared))
                _iobufs.Add(thread, shared = new SharedIobuf(_pools.CreateChannel("bdev",
                    Math.Min(Options.IobufSmallCacheSize, _pools.Options.SmallPoolCount), Math.Min(Options.IobufLargeCacheSize, _pools.Options.LargePoolCount))));
            shared.Users++;
            return shared.Channel;
        }
    }

    /// <summary>Gives it back, on the same thread.</summary>
    internal void ReturnIobuf(StorageThreadCore thread)
    {
        lock (_lock)
        {
            var shared = _iobufs[thread];
            if (--shared.Users > 0) return;
            _iobufs.Remove(thread);
            shared.Channel.Dispose();
        }
    }

    private sealed class SharedIobuf(IIobufChannel channel)
    {
        internal readonly IIobufChannel Channel = channel;
        internal int Users;
    }
}
