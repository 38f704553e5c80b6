using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spindle.Bdev.Malloc;

/// <summary>Copies of a few kilobytes, where the C library's routine is reached too slowly: that call leaves managed code, and its start-up costs as
/// much as a kilobyte. docs/performance.md has the figures.</summary>
internal static unsafe class BlockCopy
{
    private const nuint Step = 128;

    /// <summary>Above this the C library's routine is as good.</summary>
    private const nuint Longest = 64 << 10;

    /// <summary>Below this a store past the caches saves nothing.</summary>
    private const nuint ShortestStreamed = 512;

    /// <summary>Copies; the ranges do not overlap.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(byte* from, byte* to, nuint length)
    {
        if (Vector256.IsHardwareAccelerated && length <= Longest) ByVectors(from, to, length);
        else Buffer.MemoryCopy(from, to, length, length);
    }

    /// <summary>Copies to memory that is not in a cache and need not be: the lines written are not read first, and none of those that the caches hold
    /// has to go. The data is visible to other processors when this returns.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CopyPastCaches(byte* from, byte* to, nuint length)
    {
        if (Avx.IsSupported && length >= ShortestStreamed && ((nuint)to & 31) == 0) Stream(from, to, length);
        else Copy(from, to, length);
    }

    [DataPath]
    private static void ByVectors(byte* from, byte* to, nuint length)
    {
        for (; length >= Step; length -= Step, from += Step, to += Step)
        {
            var a = Vector256.Load(from);
            var b = Vector256.Load(from + 32);
            var c = Vector256.Load(from + 64);
            var d = Vector256.Load(from + 96);
            a.Store(to);
            b.Store(to + 32);
            c.Store(to + 64);
            d.Store(to + 96);
        }
        if (length > 0) Buffer.MemoryCopy(from, to, length, length);
    }

    [DataPath]
    private static void Stream(byte* from, byte* to, nuint length)
    {
        for (; length >= Step; length -= Step, from += Step, to += Step)
        {
            var a = Vector256.Load(from);
            var b = Vector256.Load(from + 32);
            var c = Vector256.Load(from + 64);
            var d = Vector256.Load(from + 96);
            a.StoreAlignedNonTemporal(to);
            b.StoreAlignedNonTemporal(to + 32);
            c.StoreAlignedNonTemporal(to + 64);
            d.StoreAlignedNonTemporal(to + 96);
        }
        if (length > 0) Buffer.MemoryCopy(from, to, length, length);
        // Such stores are ordered with nothing; the completion must not overtake them.
        Sse.StoreFence();
    }
}
