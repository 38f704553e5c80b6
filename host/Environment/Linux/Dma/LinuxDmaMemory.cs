using System.Runtime.InteropServices;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Memory;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux.Dma;

/// <summary>DMA memory on Linux: from reserved huge pages while there are some, else from ordinary pages, locked where the limit allows. Large
/// pieces have a mapping each, small ones share slabs of 2 MiB. Pages are touched only when used.</summary>
internal sealed unsafe class LinuxDmaMemory : IDmaMemory, IDisposable
{
    internal const nuint HugePageSize = 2 << 20;

    /// <summary>Half the address space a process has: enough, and no sum of two overflows.</summary>
    private static readonly nuint MaxSize = (nuint)1 << 46;

    private readonly Lock _lock = new();
    private readonly bool _useHugePages;
    private readonly FallbackLog _fallbacks;
    private readonly BuddyHeap _heap;
    private readonly Dictionary<nuint, int> _slabRegions = [];
    private readonly List<Region> _regions = [default];
    private readonly Stack<int> _freeRegions = [];
    private bool _disposed;

    internal LinuxDmaMemory(bool useHugePages, FallbackLog fallbacks)
    {
        _useHugePages = useHugePages;
        _fallbacks = fallbacks;
        _heap = new BuddyHeap(AddSlab, RemoveSlab);
    }

    /// <summary>Bytes given out now.</summary>
    internal long AllocatedBytes { get; private set; }

    /// <summary>The most bytes ever given out at once.</summary>
    internal long PeakBytes { get; private set; }

    /// <summary>Bytes mapped from huge pages.</summary>
    internal long HugePageBytes { get; private set; }

    /// <summary>Bytes mapped from ordinary pages that are locked.</summary>
    internal long LockedBytes { get; private set; }

    /// <summary>Bytes mapped in all.</summary>
    internal long MappedBytes { get; private set; }

    public DmaBuffer Allocate(nuint size, nuint alignment = 4096)
    {
        if (size == 0) throw new SpindleException(Errno.EINVAL, "DMA memory of 0 bytes was asked for.");
        if (alignment == 0 || !System.Numerics.BitOperations.IsPow2(alignment))
            throw new SpindleException(Errno.EINVAL, $"The alignment of DMA memory must be a power of two, not {alignment}.");
        if (size > MaxSize || alignment > MaxSize) throw OutOfMemory(size);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Buffer buffer;
            if (size <= BuddyHeap.MaxBlock && alignment <= BuddyHeap.MaxBlock)
            {
                var block = _heap.Take(size, alignment);
                NativeMemory.Clear((void*)block, size);
                buffer = new Buffer(this, (void*)block, size, _slabRegions[block & ~((nuint)BuddyHeap.SlabSize - 1)], isBlock: true);
            }
            else
            {
                var region = Map(size, alignment);
                buffer = new Buffer(this, (void*)_regions[region].Address, size, region, isBlock: false);
            }
            AllocatedBytes += (long)size;
            PeakBytes = Math.Max(PeakBytes, AllocatedBytes);
            return buffer;
        }
    }

    /// <summary>A region by its handle.</summary>
    internal bool TryGetRegion(int handle, out nuint address, out nuint size)
    {
        lock (_lock)
        {
            var region = handle > 0 && handle < _regions.Count ? _regions[handle] : default;
            (address, size) = (region.Address, region.Size);
            return address != 0;
        }
    }

    /// <summary>Unmaps everything. Nothing may use the memory any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            for (var handle = 1; handle < _regions.Count; handle++) Unmap(handle);
        }
    }

    private void Return(Buffer buffer)
    {
        lock (_lock)
        {
            AllocatedBytes -= (long)buffer.Size;
            if (_disposed) return;
            if (buffer.IsBlock) _heap.Return((nuint)buffer.Address);
            else Unmap(buffer.Region);
        }
    }

    private nuint AddSlab()
    {
        var handle = Map(BuddyHeap.SlabSize, BuddyHeap.SlabSize);
        var address = _regions[handle].Address;
        _slabRegions.Add(address, handle);
        return address;
    }

    private void RemoveSlab(nuint address)
    {
        if (_slabRegions.Remove(address, out var handle)) Unmap(handle);
    }

    private int Map(nuint size, nuint alignment)
    {
        var region = default(Region);
        if (_useHugePages && size >= HugePageSize / 2)
        {
            region = MapAligned(size, alignment, HugePageSize, Libc.MAP_HUGETLB | Libc.MAP_HUGE_2MB);
            if (region.Address != 0)
            {
                region.IsHuge = true;
                HugePageBytes += (long)region.Size;
            }
            else
            {
                _fallbacks.Add("huge-pages", HugePages.Describe());
            }
        }
        if (region.Address == 0) region = MapOrdinary(size, alignment);
        MappedBytes += (long)region.Size;
        if (!_freeRegions.TryPop(out var handle))
        {
            handle = _regions.Count;
            _regions.Add(default);
        }
        _regions[handle] = region;
        return handle;
    }

    private Region MapOrdinary(nuint size, nuint alignment)
    {
        var region = MapAligned(size, alignment, (nuint)Environment.SystemPageSize, 0);
        if (region.Address == 0) throw OutOfMemory(size);
        if (region.Size >= HugePageSize) _ = Libc.madvise((void*)region.Address, region.Size, Libc.MADV_HUGEPAGE);
        // On fault: locking must not touch gigabytes that may never be used.
        if (Libc.mlock2((void*)region.Address, region.Size, Libc.MLOCK_ONFAULT) == 0)
        {
            region.IsLocked = true;
            LockedBytes += (long)region.Size;
        }
        else
        {
            _fallbacks.Add("memory-lock", $"DMA memory is not locked and may be swapped out ({Errno.Message(Libc.LastError)}): raise the limit of locked memory "
                + "(ulimit -l unlimited, or LimitMEMLOCK=infinity in a systemd unit), or reserve huge pages.");
        }
        return region;
    }

    /// <summary>Maps with room to spare and cuts off what is before and after the alignment asked for.</summary>
    private static Region MapAligned(nuint size, nuint alignment, nuint pageSize, int flags)
    {
        var length = size + pageSize - 1 & ~(pageSize - 1);
        var spare = alignment > pageSize ? alignment : 0;
        var mapped = Libc.mmap(null, length + spare, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | flags, -1, 0);
        if (mapped == Libc.MAP_FAILED) return default;
        var start = (nuint)mapped;
        var aligned = alignment > pageSize ? start + alignment - 1 & ~(alignment - 1) : start;
        if (aligned > start) _ = Libc.munmap(mapped, aligned - start);
        var end = start + length + spare;
        if (end > aligned + length) _ = Libc.munmap((void*)(aligned + length), end - aligned - length);
        return new Region { Address = aligned, Size = length };
    }

    private void Unmap(int handle)
    {
        var region = _regions[handle];
        if (region.Address == 0) return;
        _ = Libc.munmap((void*)region.Address, region.Size);
        MappedBytes -= (long)region.Size;
        if (region.IsHuge) HugePageBytes -= (long)region.Size;
        if (region.IsLocked) LockedBytes -= (long)region.Size;
        _regions[handle] = default;
        _freeRegions.Push(handle);
    }

    private static SpindleException OutOfMemory(nuint size) =>
        new(Errno.ENOMEM, $"There are no {size} bytes of memory for I/O buffers: ask for less, or give the machine or container more.");

    private struct Region
    {
        internal nuint Address;
        internal nuint Size;
        internal bool IsHuge;
        internal bool IsLocked;
    }

    private sealed class Buffer(LinuxDmaMemory owner, void* address, nuint size, int region, bool isBlock) : DmaBuffer
    {
        private int _disposed;

        public override void* Address => address;
        public override nuint Size => size;
        public override int Region => region;
        internal bool IsBlock => isBlock;

        public override void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
            if (BufferQuarantine.IsActive && BufferQuarantine.Defer((nint)address, size, () => owner.Return(this))) return;
            owner.Return(this);
        }
    }
}
