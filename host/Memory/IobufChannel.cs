using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Host.Memory;

/// <summary>One user's caches and waiters on one storage thread.</summary>
internal sealed class IobufChannel : IIobufChannel
{
    /// <summary>One size: a small stack of buffers, and those who wait.</summary>
    private sealed class Side(IobufPool pool, int cacheSize)
    {
        public readonly IobufPool Pool = pool;
        public readonly IoVec[] Cache = new IoVec[cacheSize];
        public int Cached;
        public IobufWaiter? Head;
        public IobufWaiter? Tail;
        public bool IsHungry;
        public ulong FromCache;
        public ulong FromPool;
        public ulong Waits;
    }

    private readonly IobufPools _pools;
    private readonly Side _small;
    private readonly Side _large;
    private bool _disposed;

    internal IobufChannel(IobufPools pools, string name, IStorageThread thread, IobufPool small, IobufPool large, int smallCache, int largeCache)
    {
        _pools = pools;
        Name = name;
        Thread = thread;
        _small = new Side(small, smallCache);
        _large = new Side(large, largeCache);
    }

    internal string Name { get; }
    internal IStorageThread Thread { get; }

    internal IobufStatistics Statistics => new(Name, _small.FromCache, _small.FromPool, _small.Waits, _large.FromCache, _large.FromPool, _large.Waits);

    [DataPath]
    public bool TryGet(uint length, out IoVec buffer)
    {
        var side = SideFor(length);
        // Those who wait come first.
        if (side.Head is not null)
        {
            buffer = default;
            return false;
        }
        return Take(side, out buffer);
    }

    [DataPath]
    public bool GetOrWait(uint length, IobufWaiter waiter, out IoVec buffer)
    {
        if (TryGet(length, out buffer)) return true;
        var side = SideFor(length);
        side.Waits++;
        waiter.Length = length;
        waiter.HostState = this;
        waiter.Next = null;
        waiter.Previous = side.Tail;
        if (side.Tail is null) side.Head = waiter;
        else side.Tail.Next = waiter;
        side.Tail = waiter;
        BecomeHungry(side);
        return false;
    }

    public bool CancelWait(IobufWaiter waiter)
    {
        if (!ReferenceEquals(waiter.HostState, this)) return false;
        Unlink(SideFor(waiter.Length), waiter);
        return true;
    }

    // A fault of the caller's, charged to it: a buffer that is not the pools' cannot be put anywhere.
    private static void ThrowForeign() => throw new ArgumentException("This is not a buffer of the pools, or not its whole length.", "buffer");

    [DataPath]
    public void Put(in IoVec buffer)
    {
        var side = buffer.Length == _small.Pool.BufferSize ? _small : _large;
        if (!side.Pool.Owns(buffer)) ThrowForeign();
        if (BufferQuarantine.IsActive && BufferQuarantine.Park(side.Pool, buffer)) return;
        if (side.Head is { } waiter)
        {
            Unlink(side, waiter);
            waiter.OnBuffer(buffer);
        }
        else if (side.Cached < side.Cache.Length && !side.Pool.HasHungry)
        {
            side.Cache[side.Cached++] = buffer;
        }
        else
        {
            side.Pool.Push(buffer);
        }
    }

    internal void ServeWaiters()
    {
        _small.IsHungry = _large.IsHungry = false;
        Serve(_small);
        Serve(_large);
    }

    private void Serve(Side side)
    {
        while (side.Head is { } waiter && Take(side, out var buffer))
        {
            Unlink(side, waiter);
            waiter.OnBuffer(buffer);
        }
        if (side.Head is not null) BecomeHungry(side);
    }

    private void BecomeHungry(Side side)
    {
        if (side.IsHungry) return;
        side.IsHungry = true;
        side.Pool.AddHungry(this);
    }

    private static bool Take(Side side, out IoVec buffer)
    {
        if (side.Cached > 0)
        {
            side.FromCache++;
            buffer = side.Cache[--side.Cached];
            return true;
        }
        if (!side.Pool.TryPop(out buffer)) return false;
        side.FromPool++;
        return true;
    }

    private static void Unlink(Side side, IobufWaiter waiter)
    {
        if (waiter.Previous is null) side.Head = waiter.Next;
        else waiter.Previous.Next = waiter.Next;
        if (waiter.Next is null) side.Tail = waiter.Previous;
        else waiter.Next.Previous = waiter.Previous;
        waiter.Next = waiter.Previous = null;
        waiter.HostState = null;
    }

    private Side SideFor(uint length)
    {
        if (length == 0 || length > _large.Pool.BufferSize) throw new ArgumentOutOfRangeException(nameof(length), length, $"A buffer has 1 to {_large.Pool.BufferSize} bytes.");
        return length <= _small.Pool.BufferSize ? _small : _large;
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (var side in (ReadOnlySpan<Side>)[_small, _large])
        {
            while (side.Cached > 0) side.Pool.Push(side.Cache[--side.Cached]);
        }
        _pools.OnDisposed(this);
    }
}
