using System.Runtime.InteropServices;

namespace Spindle.Testing;

/// <summary>Freed test buffers, poisoned and kept for a while: a plugin that still writes to one after its I/O has ended is caught.</summary>
internal static unsafe class Quarantine
{
    private const byte Poison = 0xDB;
    private const long MostBytes = 16 << 20;

    private static readonly Lock s_lock = new();
    private static readonly Queue<(nint Block, int Length)> s_blocks = [];
    private static long s_bytes;
    private static bool s_touched;

    public static void Add(nint block, int length)
    {
        new Span<byte>((void*)block, length).Fill(Poison);
        lock (s_lock)
        {
            s_blocks.Enqueue((block, length));
            s_bytes += length;
            while (s_bytes > MostBytes) Release();
        }
    }

    /// <summary>Frees everything; true when none of it was touched since the last time.</summary>
    public static bool Drain()
    {
        lock (s_lock)
        {
            while (s_blocks.Count > 0) Release();
            bool clean = !s_touched;
            s_touched = false;
            return clean;
        }
    }

    private static void Release()
    {
        var (block, length) = s_blocks.Dequeue();
        s_touched |= new Span<byte>((void*)block, length).IndexOfAnyExcept(Poison) >= 0;
        s_bytes -= length;
        NativeMemory.AlignedFree((void*)block);
    }
}
