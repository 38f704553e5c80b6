namespace Spindle.Memory;

/// <summary>Pools of I/O buffers in two sizes, shared by all modules (SPDK's iobuf): each user has a small cache per storage thread and
/// waits, in order, when the pool is dry.</summary>
public interface IIobuf
{
    /// <summary>Bytes of a small buffer (8 KiB unless configured). All buffers are aligned to 4096 bytes.</summary>
    uint SmallBufferSize { get; }

    /// <summary>Bytes of a large buffer (132 KiB unless configured).</summary>
    uint LargeBufferSize { get; }

    /// <summary>A user's channel on the calling storage thread. Dispose it on that thread, with every buffer returned.</summary>
    /// <param name="name">The user, for <c>iobuf_get_stats</c>.</param>
    /// <param name="smallCache">Small buffers to keep at hand.</param>
    /// <param name="largeCache">Large buffers to keep at hand.</param>
    IIobufChannel CreateChannel(string name, int smallCache = 64, int largeCache = 8);
}

/// <summary>One user's door to the pools on one storage thread. On that thread only.</summary>
public interface IIobufChannel : IDisposable
{
    /// <summary>Takes a buffer of at least <paramref name="length"/> bytes.</summary>
    /// <param name="length">1 … <see cref="IIobuf.LargeBufferSize"/>.</param>
    /// <param name="buffer">Its whole memory; its length is the pool's, not the one asked for.</param>
    /// <returns>False when the pool is dry.</returns>
    bool TryGet(uint length, out IoVec buffer);

    /// <summary>Takes a buffer, or has <paramref name="waiter"/> called with one when there is one again; waiters are served in order.</summary>
    /// <returns>True with a buffer; false when the waiter was queued.</returns>
    bool GetOrWait(uint length, IobufWaiter waiter, out IoVec buffer);

    /// <summary>Takes a waiter off the queue.</summary>
    /// <returns>False when it was not queued (any more).</returns>
    bool CancelWait(IobufWaiter waiter);

    /// <summary>Gives back what <see cref="TryGet"/> or <see cref="GetOrWait"/> gave: the same address and length.</summary>
    void Put(in IoVec buffer);
}

/// <summary>Someone who waits for a buffer. Made once, used again.</summary>
public abstract class IobufWaiter
{
    internal IobufWaiter? Next;
    internal IobufWaiter? Previous;
    internal object? HostState;
    internal uint Length;

    /// <summary>The buffer has come. Called on the waiting thread.</summary>
    protected internal abstract void OnBuffer(in IoVec buffer);
}
