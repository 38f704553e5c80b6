using System.Runtime.InteropServices;
using Spindle.Memory;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>Plain native memory.</summary>
internal sealed class TestMemory : IDmaMemory
{
    public DmaBuffer Allocate(nuint size, nuint alignment = 4096) => new Block(size, alignment);

    private sealed unsafe class Block : DmaBuffer
    {
        private void* _address;

        public Block(nuint size, nuint alignment)
        {
            Size = size;
            _address = NativeMemory.AlignedAlloc(Math.Max(size, 1), alignment);
            NativeMemory.Clear(_address, size);
        }

        public override void* Address => _address;
        public override nuint Size { get; }
        public override int Region => 7;

        public override void Dispose()
        {
            NativeMemory.AlignedFree(_address);
            _address = null;
        }
    }
}
