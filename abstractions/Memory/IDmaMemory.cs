namespace Spindle.Memory;

/// <summary>Native memory for I/O: huge pages when some are reserved, else locked, else plain pages. On any thread; control plane.</summary>
public interface IDmaMemory
{
    /// <summary>Allocates zeroed memory.</summary>
    /// <param name="size">Bytes, above 0.</param>
    /// <param name="alignment">Bytes, a power of two.</param>
    /// <exception cref="SpindleException">ENOMEM.</exception>
    DmaBuffer Allocate(nuint size, nuint alignment = 4096);
}

/// <summary>A piece of DMA memory. Disposing gives it back; nothing may use it then.</summary>
public abstract unsafe class DmaBuffer : IDisposable
{
    /// <summary>The first byte.</summary>
    public abstract void* Address { get; }

    /// <summary>Bytes.</summary>
    public abstract nuint Size { get; }

    /// <summary>The region's handle, for <see cref="IoVec.Region"/>.</summary>
    public abstract int Region { get; }

    /// <summary>A part of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part is not inside.</exception>
    public IoVec Slice(nuint offset, uint length)
    {
        if (offset > Size || length > Size - offset) throw new ArgumentOutOfRangeException(nameof(offset));
        return new IoVec((byte*)Address + offset, length, Region);
    }

    /// <inheritdoc/>
    public abstract void Dispose();
}
