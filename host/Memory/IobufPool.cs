using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Spindle.Memory;

namespace Spindle.Host.Memory;

/// <summary>Buffers of one size: a lock-free stack of indices (Treiber's, with a tag against ABA), last in first out so that few stay warm.</summary>
internal sealed unsafe class IobufPool : IDisposable
{
    private readonly DmaBuffer _memory;
    private readonly int* _next;
    private long _top; // tag in the upper half, index + 1 in the lower
    private int _free;
    private int _hungry;
    private readonly ConcurrentQueue<IobufChannel> _waiting = new();

    public IobufPool(IDmaMemory memory, uint bufferSize, int count)
    {
        BufferSize = bufferSize;
        Count = count;
        _memory = memory.Allocate((nuint)bufferSize * (nuint)count);
        _next = (int*)NativeMemory.Alloc((nuint)count, sizeof(int));
        for (int i = 0; i < count; i++) _next[i] = i + 2 <= count ? i + 2 : 0;
        _top = 1;
        _free = count;
    }

    public uint BufferSize { get; }
    public int Count { get; }
    public int InUse => Count - Volatile.Read(ref _free);

    /// <summary>True when some thread waits for a buffer of this pool.</summary>
    public bool HasHungry => Volatile.Read(ref _hungry) != 0;

    [DataPath]
    public bool TryPop(out IoVec buffer)
    {
        long top = Volatile.Read(ref _top);
        while (true)
        {
            int index = (int)(top & 0xffffffff) - 1;
            if (index < 0)
            {
                buffer = default;
                return false;
            }
            long replacement = ((top >> 32) + 1) << 32 | (uint)Volatile.Read(ref _next[index]);
            long seen = Interlocked.CompareExchange(ref _top, replacement, top);
            if (seen == top)
            {
                Interlocked.Decrement(ref _free);
                buffer = new IoVec((byte*)_memory.Address + (nuint)index * BufferSize, BufferSize, _memory.Region);
                return true;
            }
            top = seen;
        }
    }

    [DataPath]
    public void Push(in IoVec buffer)
    {
        int index = (int)((nuint)(buffer.Pointer - (byte*)_memory.Address) / BufferSize);
        long top = Volatile.Read(ref _top);
        while (true)
        {
            Volatile.Write(ref _next[index], (int)(top & 0xffffffff));
            long replacement = ((top >> 32) + 1) << 32 | (uint)(index + 1);
            long seen = Interlocked.CompareExchange(ref _top, replacement, top);
            if (seen == top) break;
            top = seen;
        }
        Interlocked.Increment(ref _free);
        if (HasHungry) FeedOne();
    }

    /// <summary>Whether the buffer is one of this pool's: its address is where one starts.</summary>
    public bool Owns(in IoVec buffer)
    {
        nint offset = buffer.Address - (nint)_memory.Address;
        return offset >= 0 && (nuint)offset < (nuint)BufferSize * (nuint)Count && (nuint)offset % BufferSize == 0 && buffer.Length == BufferSize;
    }

    /// <summary>A channel with waiters asks to be told when a buffer comes back.</summary>
    public void AddHungry(IobufChannel channel)
    {
        _waiting.Enqueue(channel);
        Interlocked.Increment(ref _hungry);
        // A buffer returned between the failed pop and the increment told nobody.
        if (Volatile.Read(ref _top) << 32 != 0) FeedOne();
    }

    private void FeedOne()
    {
        if (!_waiting.TryDequeue(out var channel)) return;
        Interlocked.Decrement(ref _hungry);
        channel.Thread.Send(static state => ((IobufChannel)state!).ServeWaiters(), channel);
    }

    public void Dispose()
    {
        BufferQuarantine.Forget(this);
        NativeMemory.Free(_next);
        _memory.Dispose();
    }
}
