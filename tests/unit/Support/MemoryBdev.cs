using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.UnitTests.Support;

/// <summary>A bdev on a byte array whose manners a test chooses: which types it has, when and how it completes.</summary>
internal sealed class MemoryBdev : Bdev
{
    private readonly HashSet<BdevIoType> _types;

    public MemoryBdev(string name, uint blockSize = 512, ulong blocks = 1024, IEnumerable<BdevIoType>? types = null, uint alignment = 1,
        uint maxRwBlocks = 0, uint boundary = 0, int maxSegments = 0, uint maxSegmentSize = 0)
        : base(name, "Memory disk", blockSize, blocks)
    {
        Data = new byte[blockSize * blocks];
        _types = [.. types ?? [BdevIoType.Read, BdevIoType.Write, BdevIoType.Flush]];
        RequiredAlignment = alignment;
        MaxRwBlocks = maxRwBlocks;
        OptimalIoBoundary = boundary;
        SplitOnOptimalIoBoundary = boundary != 0;
        MaxSegments = maxSegments;
        MaxSegmentSize = maxSegmentSize;
    }

    public byte[] Data { get; }

    /// <summary>Called instead of the usual; true when it took the I/O.</summary>
    public Func<BdevIo, bool>? Intercept { get; set; }

    /// <summary>Every I/O that reached the module: type, offset, blocks, vectors.</summary>
    public List<(BdevIoType Type, ulong Offset, ulong Blocks, int Vectors)> Seen { get; } = [];

    public bool Destructed { get; private set; }

    /// <summary>How many I/Os had been submitted at each flush.</summary>
    public List<int> Flushes { get; } = [];

    public override void FlushChannel(IoChannel channel) => Flushes.Add(Seen.Count);

    public override bool Supports(BdevIoType type) => _types.Contains(type);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public sealed class Channel : IoChannel;

    public override void Submit(IoChannel channel, BdevIo io)
    {
        lock (Seen) Seen.Add((io.Type, io.OffsetBlocks, io.NumBlocks, io.IovCount));
        if (Intercept?.Invoke(io) == true) return;
        io.Complete(io.Generation, Carry(io));
    }

    /// <summary>Does what the I/O asks, without completing it.</summary>
    public BdevIoStatus Carry(BdevIo io)
    {
        int at = (int)(io.OffsetBlocks * BlockSize);
        foreach (var vector in io.Iovs)
        {
            if ((((ulong)vector.Address | vector.Length) & (RequiredAlignment - 1)) != 0) throw new InvalidOperationException("unaligned");
            if (io.Type == BdevIoType.Read) Data.AsSpan(at, (int)vector.Length).CopyTo(vector.Span);
            else if (io.Type == BdevIoType.Write) vector.Span.CopyTo(Data.AsSpan(at));
            at += (int)vector.Length;
        }
        return BdevIoStatus.Success;
    }

    public override ValueTask DestructAsync()
    {
        Destructed = true;
        return ValueTask.CompletedTask;
    }
}
