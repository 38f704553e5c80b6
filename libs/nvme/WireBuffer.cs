using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Nvme;

/// <summary>Reads and writes wire structures in byte buffers. No allocation; alignment does not matter.</summary>
public static class WireBuffer
{
    /// <summary>A copy of the structure at the start of <paramref name="source"/>; throws <see cref="ArgumentOutOfRangeException"/> when too short.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read<T>(ReadOnlySpan<byte> source) where T : unmanaged => MemoryMarshal.Read<T>(source);

    /// <summary>Copies the structure to the start of <paramref name="destination"/>; throws <see cref="ArgumentOutOfRangeException"/> when too short.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(Span<byte> destination, in T value) where T : unmanaged => MemoryMarshal.Write(destination, in value);

    /// <summary>The structure in place at the start of <paramref name="buffer"/>; throws <see cref="ArgumentOutOfRangeException"/> when too short.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref T Ref<T>(Span<byte> buffer) where T : unmanaged
    {
        if (buffer.Length < Unsafe.SizeOf<T>())
        {
            ThrowTooShort();
        }
        return ref Unsafe.As<byte, T>(ref MemoryMarshal.GetReference(buffer));
    }

    /// <summary>The structure as bytes, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Span<byte> AsBytes<T>(ref T value) where T : unmanaged => MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref value, 1));

    [DoesNotReturn]
    private static void ThrowTooShort() => throw new ArgumentOutOfRangeException("buffer", "The buffer is shorter than the structure.");
}
