using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.ContractTests.Faults;

/// <summary>A bdev in an array whose behaviour a test chooses. Nothing in it is fast.</summary>
public sealed class TestBdev : Spindle.Bdevs.Bdev
{
    private readonly byte[] _data;

    public TestBdev(string name, uint blockSize = 512, ulong blocks = 2048, uint alignment = 1, uint maxRwBlocks = 0, int maxSegments = 0, uint writeUnit = 1, uint boundary = 0)
        : base(name, "test", blockSize, blocks)
    {
        _data = new byte[blockSize * blocks];
        RequiredAlignment = alignment;
        MaxRwBlocks = maxRwBlocks;
        MaxSegments = maxSegments;
        WriteUnitBlocks = writeUnit;
        SplitOnWriteUnit = writeUnit > 1;
        OptimalIoBoundary = boundary;
        SplitOnOptimalIoBoundary = boundary > 0;
    }

    /// <summary>What to do with an I/O; carries it out and completes it when absent.</summary>
    public Action<TestBdev, BdevIo>? OnSubmit { get; set; }

    /// <summary>What to do at the end of a batch.</summary>
    public Action<TestBdev>? OnFlush { get; set; }

    /// <summary>The types it has itself.</summary>
    public HashSet<BdevIoType> Types { get; } = [BdevIoType.Read, BdevIoType.Write, BdevIoType.Flush];

    public override bool Supports(BdevIoType type) => Types.Contains(type);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override void Submit(IoChannel channel, BdevIo io)
    {
        if (OnSubmit is { } onSubmit) onSubmit(this, io);
        else CarryOut(io);
    }

    public override void FlushChannel(IoChannel channel) => OnFlush?.Invoke(this);

    /// <summary>Does what is asked for and completes it.</summary>
    public void CarryOut(BdevIo io) => io.Complete(io.Generation, Transfer(io));

    /// <summary>Does what is asked for.</summary>
    public BdevIoStatus Transfer(BdevIo io)
    {
        int at = (int)(io.OffsetBlocks * BlockSize);
        lock (_data)
        {
            foreach (var vector in io.Iovs)
            {
                var stored = _data.AsSpan(at, (int)vector.Length);
                if (io.Type == BdevIoType.Read) stored.CopyTo(vector.Span);
                else if (io.Type == BdevIoType.Write) vector.Span.CopyTo(stored);
                at += (int)vector.Length;
            }
        }
        return BdevIoStatus.Success;
    }

    private sealed class Channel : IoChannel;
}
