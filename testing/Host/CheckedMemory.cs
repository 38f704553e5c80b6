using System.Collections.Concurrent;
using System.Diagnostics;
using Spindle.Memory;

namespace Spindle.Testing;

/// <summary>DMA memory that knows what is out and who took it, and poisons what comes back.</summary>
internal sealed unsafe class CheckedMemory(IDmaMemory inner) : IDmaMemory
{
    private const byte Poison = 0xDB;
    private const uint MostPoisoned = 1 << 20;

    private readonly ConcurrentDictionary<Buffer, string> _live = [];

    public DmaBuffer Allocate(nuint size, nuint alignment = 4096)
    {
        var buffer = new Buffer(this, inner.Allocate(size, alignment));
        // The caller, not this method: where the leak is.
        _live[buffer] = $"{size} bytes taken{Environment.NewLine}{new StackTrace(1, fNeedFileInfo: false)}";
        return buffer;
    }

    /// <summary>What was not given back, and where it was taken.</summary>
    public IReadOnlyList<string> Live => [.. _live.Values];

    private sealed class Buffer(CheckedMemory owner, DmaBuffer inner) : DmaBuffer
    {
        public override void* Address => inner.Address;
        public override nuint Size => inner.Size;
        public override int Region => inner.Region;

        public override void Dispose()
        {
            if (!owner._live.TryRemove(this, out _)) return;
            // Not all of a huge one: it may never have been touched, and would cost real memory now.
            new Span<byte>(Address, (int)Math.Min(Size, MostPoisoned)).Fill(Poison);
            inner.Dispose();
        }
    }
}
