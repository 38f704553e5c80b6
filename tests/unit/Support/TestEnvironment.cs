using System.Runtime.InteropServices;
using Spindle.Host.Environments;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.UnitTests.Support;

/// <summary>An environment with cores, plain memory and rings that only sleep and wake: for tests of what stands above.</summary>
internal sealed class TestEnvironment(int cores = 2) : IHostEnvironment
{
    public string Name => "test";
    public IReadOnlyList<int> AvailableCores { get; } = [.. Enumerable.Range(0, cores)];
    public IIoPlatform Io => throw new NotSupportedException("This environment has no files or sockets.");
    public TestMemory TestMemory { get; } = new();
    public IDmaMemory Memory => TestMemory;
    public IReadOnlyList<string> Fallbacks => [];
    public string? PinCurrentThread(int core) => null;
    public IReactorRing CreateRing() => new SleepingRing();
    public void Dispose() { }

    private sealed class SleepingRing : IReactorRing
    {
        private readonly SemaphoreSlim _wake = new(0);

        public string Kind => "test";
        public int PendingCount => 0;
        public int Poll() => 0;
        public void Sleep(TimeSpan timeout) => _wake.Wait(timeout);
        public void Wake() => _wake.Release();
        // The semaphore is left to the collector: whoever stops a reactor wakes it after it may have ended by itself.
        public void Dispose() { }
        public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => -Errno.ENOTSUP;
        public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => -Errno.ENOTSUP;
        public int Flush(RingFile file, RingOperation operation) => -Errno.ENOTSUP;
        public int Deallocate(RingFile file, long offset, long length, RingOperation operation) => -Errno.ENOTSUP;
        public int WriteZeroes(RingFile file, long offset, long length, RingOperation operation) => -Errno.ENOTSUP;
        public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => -Errno.ENOTSUP;
        public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => -Errno.ENOTSUP;
        public int Accept(RingListener listener, AcceptOperation operation) => -Errno.ENOTSUP;
        public int Timeout(TimeSpan delay, RingOperation operation) => -Errno.ENOTSUP;
        public int Wait(RingEvent ringEvent, RingOperation operation) => -Errno.ENOTSUP;
        public void Cancel(RingOperation operation) { }
    }
}

/// <summary>Plain memory that counts what is out.</summary>
internal sealed unsafe class TestMemory : IDmaMemory
{
    private int _live;

    public int Live => Volatile.Read(ref _live);

    public DmaBuffer Allocate(nuint size, nuint alignment = 4096)
    {
        Interlocked.Increment(ref _live);
        return new Buffer(this, size, alignment);
    }

    private sealed class Buffer : DmaBuffer
    {
        private readonly TestMemory _owner;
        private void* _address;

        public Buffer(TestMemory owner, nuint size, nuint alignment)
        {
            _owner = owner;
            Size = size;
            _address = NativeMemory.AlignedAlloc(size, alignment);
            NativeMemory.Clear(_address, size);
        }

        public override void* Address => _address;
        public override nuint Size { get; }
        public override int Region => 0;

        public override void Dispose()
        {
            if (_address == null) return;
            NativeMemory.AlignedFree(_address);
            _address = null;
            Interlocked.Decrement(ref _owner._live);
        }
    }
}
