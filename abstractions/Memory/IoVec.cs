using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Memory;

/// <summary>A piece of memory that takes part in I/O: address, length, and the region it lies in. 16 bytes, blittable.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public readonly unsafe struct IoVec
{
    /// <param name="address">Native or pinned memory.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="region">The region's handle as given by <see cref="DmaBuffer.Region"/>; 0 when unknown.</param>
    public IoVec(void* address, uint length, int region = 0)
    {
        Address = (nint)address;
        Length = length;
        Region = region;
    }

    /// <summary>The first byte.</summary>
    public nint Address { get; }

    /// <summary>Bytes.</summary>
    public uint Length { get; }

    /// <summary>The handle of the memory region, by which rings find registered buffers and drivers find I/O addresses; 0 when unknown.</summary>
    public int Region { get; }

    /// <summary>The memory as a pointer.</summary>
    public byte* Pointer => (byte*)Address;

    /// <summary>The memory as a span; so that ordinary module code needs no <c>unsafe</c>.</summary>
    public Span<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new((void*)Address, (int)Length);
    }

    /// <summary>A part of it. The caller has checked the bounds.</summary>
    public IoVec Slice(uint offset, uint length) => new((byte*)Address + offset, length, Region);
}
