using System.Numerics;
using System.Runtime.InteropServices;
using Spindle.Memory;

namespace Spindle.Host.Environments.Portable;

/// <summary>Ordinary native memory; each piece is a region.</summary>
internal sealed unsafe class PortableDmaMemory : IDmaMemory
{
    private int _regions;
    private long _allocated;

    /// <summary>Bytes given out now.</summary>
    internal long AllocatedBytes => Volatile.Read(ref _allocated);

    public DmaBuffer Allocate(nuint size, nuint alignment = 4096)
    {
        if (size == 0) throw new SpindleException(Errno.EINVAL, "DMA memory of 0 bytes was asked for.");
        if (!BitOperations.IsPow2(alignment)) throw new SpindleException(Errno.EINVAL, $"The alignment of DMA memory must be a power of two, not {alignment}.");
        void* address;
        try
        {
            address = NativeMemory.AlignedAlloc(size, alignment);
        }
        catch (OutOfMemoryException)
        {
            throw new SpindleException(Errno.ENOMEM, $"There are no {size} bytes of memory for I/O buffers: ask for less, or give the machine more.");
        }
        NativeMemory.Clear(address, size);
        Interlocked.Add(ref _allocated, (long)size);
        return new Buffer(this, address, size, Interlocked.Increment(ref _regions));
    }

    private sealed class Buffer(PortableDmaMemory owner, void* address, nuint size, int region) : DmaBuffer
    {
        private int _disposed;

        public override void* Address => address;
        public override nuint Size => size;
        public override int Region => region;

        public override void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
            NativeMemory.AlignedFree(address);
            Interlocked.Add(ref owner._allocated, -(long)size);
        }
    }
}
