using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Testing;

/// <summary>A bdev in memory that writes down what comes and in which order it ends, so that a test can have the disk as a power cut at any moment would have left it:
/// without writes that were not durable, in any order, and torn at the unit that the bdev declares.</summary>
public sealed class PowerCutDisk : Bdev
{
    private readonly Lock _lock = new();
    private readonly byte[] _first;
    private readonly byte[] _now;
    private readonly List<Moment> _moments = [];

    /// <param name="name">The bdev's name.</param>
    /// <param name="blockSize">Bytes.</param>
    /// <param name="content">What is on it; its length is the disk's.</param>
    /// <param name="writeCache">What has ended is durable only after a flush.</param>
    /// <param name="atomicBytes">Bytes that are written whole or not at all, declared as the physical block; 0 for a block.</param>
    public PowerCutDisk(string name, uint blockSize, byte[] content, bool writeCache, uint atomicBytes = 0)
        : base(name, "Power cut disk", blockSize, (ulong)content.Length / blockSize)
    {
        _first = content.ToArray();
        _now = content;
        WriteCache = writeCache;
        PhysicalBlockSize = atomicBytes;
    }

    /// <summary>Moments so far: each begin and each end of something that changes the disk.</summary>
    public int Moments
    {
        get { lock (_lock) return _moments.Count; }
    }

    /// <summary>Writes and flushes so far.</summary>
    public (int Writes, int Flushes) Counts
    {
        get { lock (_lock) return (_moments.Count(moment => moment.Ends < 0 && moment.Data is not null), _moments.Count(moment => moment.Ends < 0 && moment.Data is null)); }
    }

    /// <summary>The disk as a power cut leaves it.</summary>
    /// <param name="moment">When: after that many moments.</param>
    /// <param name="random">Says what becomes of each unit that was not durable.</param>
    public byte[] Cut(int moment, Random random)
    {
        Moment[] moments;
        lock (_lock) moments = [.. _moments.Take(moment)];
        byte[] disk = _first.ToArray();
        var open = new List<int>();
        var ended = new HashSet<int>();
        var flushing = new Dictionary<int, int[]>();
        for (int i = 0; i < moments.Length; i++)
        {
            var now = moments[i];
            if (now.Ends < 0)
            {
                if (now.Data is not null) open.Add(i);
                else flushing[i] = [.. open.Where(ended.Contains)];
                continue;
            }
            ended.Add(now.Ends);
            int[] durable = moments[now.Ends].Data is null ? flushing[now.Ends] : WriteCache ? [] : [now.Ends];
            foreach (int write in durable.Where(open.Contains).Order())
            {
                moments[write].Data!.CopyTo(disk, moments[write].Offset);
                open.Remove(write);
            }
        }
        // All, nothing, or any of the units; of the same place, the later ones last.
        int fate = random.Next(4);
        int unit = (int)Math.Max(BlockSize, PhysicalBlockSize);
        foreach (int write in open)
        {
            var (_, offset, data) = moments[write];
            int whole = fate switch { 0 => 0, 1 => 1, _ => random.Next(3) };
            for (int at = 0; at < data!.Length; at += unit)
                if (whole == 1 || (whole == 2 && random.Next(2) == 0)) data.AsSpan(at, Math.Min(unit, data.Length - at)).CopyTo(disk.AsSpan((int)(offset + at)));
        }
        return disk;
    }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Reset;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    /// <inheritdoc/>
    public override void Submit(IoChannel channel, BdevIo io)
    {
        int moment = CarryOut(io);
        uint generation = io.Generation;
        channel.Thread.Send(_ =>
        {
            if (moment >= 0)
                lock (_lock) _moments.Add(new Moment(moment, 0, null));
            io.Complete(generation, BdevIoStatus.Success);
        }, null);
    }

    private int CarryOut(BdevIo io)
    {
        int at = (int)(io.OffsetBlocks * BlockSize), length = (int)(io.NumBlocks * BlockSize);
        lock (_lock)
        {
            switch (io.Type)
            {
                case BdevIoType.Read:
                    foreach (ref readonly var piece in io.Iovs)
                    {
                        _now.AsSpan(at, (int)piece.Length).CopyTo(piece.Span);
                        at += (int)piece.Length;
                    }
                    return -1;
                case BdevIoType.Write or BdevIoType.Unmap or BdevIoType.WriteZeroes:
                    byte[] data = new byte[length];
                    int to = 0;
                    if (io.Type == BdevIoType.Write)
                    {
                        foreach (ref readonly var piece in io.Iovs)
                        {
                            piece.Span.CopyTo(data.AsSpan(to));
                            to += (int)piece.Length;
                        }
                    }
                    data.CopyTo(_now, at);
                    _moments.Add(new Moment(-1, at, data));
                    return _moments.Count - 1;
                case BdevIoType.Flush:
                    _moments.Add(new Moment(-1, 0, null));
                    return _moments.Count - 1;
                default:
                    return -1;
            }
        }
    }

    /// <summary>The begin of a write (with data) or a flush, or the end of the moment of a number.</summary>
    private sealed record Moment(int Ends, long Offset, byte[]? Data);

    private sealed class Channel : IoChannel;
}
