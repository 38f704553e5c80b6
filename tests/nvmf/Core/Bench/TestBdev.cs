using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.NvmfTests.Core.Bench;

/// <summary>A bdev in memory whose I/O a test may hold back or fail.</summary>
internal sealed class TestBdev : Bdev
{
    private readonly HashSet<BdevIoType> _types;
    private readonly Lock _lock = new();
    private readonly List<(BdevIo Io, uint Generation, IStorageThread Thread)> _held = [];

    public TestBdev(string name, ulong blocks = 1024, uint blockSize = 512, IEnumerable<BdevIoType>? types = null, bool writeCache = false,
        uint metadata = 0, bool interleaved = true, DifType dif = DifType.None, DifFormat format = DifFormat.Guard16)
        : base(name, "Test disk", blockSize, blocks)
    {
        Data = new byte[blockSize * blocks];
        _metadata = new byte[metadata * blocks];
        WriteCache = writeCache;
        MetadataSize = metadata;
        MetadataInterleaved = metadata != 0 && interleaved;
        DifType = dif;
        DifFormat = format;
        DifCheckFlags = dif == DifType.None ? DifCheckFlags.None : DifCheckFlags.Guard | DifCheckFlags.ReferenceTag;
        _types = [.. types ?? [BdevIoType.Read, BdevIoType.Write, BdevIoType.Flush, BdevIoType.Unmap, BdevIoType.Abort]];
    }

    public byte[] Data { get; }

    private readonly byte[] _metadata; // where it is separate

    /// <summary>I/O is kept until <see cref="Release"/>.</summary>
    public volatile bool Hold;

    /// <summary>Writes are taken at once.</summary>
    public bool TakesAtOnce { get; init; }

    /// <summary>What to answer instead of doing it; null: do it.</summary>
    public Func<BdevIoType, BdevIoResult?>? Answer { get; set; }

    /// <summary>Types of the I/Os that came, in order.</summary>
    public List<(BdevIoType Type, ulong Offset, ulong Blocks)> Seen { get; } = [];

    public int HeldCount
    {
        get { lock (_lock) return _held.Count; }
    }

    public override bool Supports(BdevIoType type) => _types.Contains(type);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data)
    {
        if (TakesAtOnce) data.CopyTo(Data.AsSpan((int)(offsetBlocks * BlockSize)));
        return TakesAtOnce;
    }

    public override void Submit(IoChannel channel, BdevIo io)
    {
        lock (_lock)
        {
            Seen.Add((io.Type, io.OffsetBlocks, io.NumBlocks));
            if (io.Type == BdevIoType.Abort)
            {
                Abort(io);
                return;
            }
            if (Hold)
            {
                _held.Add((io, io.Generation, StorageThread.Required));
                return;
            }
        }
        Finish(io, io.Generation);
    }

    /// <summary>Lets everything go on that was held.</summary>
    public void Release()
    {
        Hold = false;
        (BdevIo Io, uint Generation, IStorageThread Thread)[] held;
        lock (_lock)
        {
            held = [.. _held];
            _held.Clear();
        }
        foreach ((BdevIo io, uint generation, IStorageThread thread) in held) thread.Send(_ => Finish(io, generation), null);
    }

    private void Abort(BdevIo abort)
    {
        int index = _held.FindIndex(held => held.Io == abort.AbortTarget && held.Generation == abort.AbortGeneration);
        if (index >= 0)
        {
            (BdevIo io, uint generation, _) = _held[index];
            _held.RemoveAt(index);
            io.Complete(generation, BdevIoStatus.Aborted);
        }
        abort.Complete(abort.Generation, index >= 0 ? BdevIoStatus.Success : BdevIoStatus.Failed);
    }

    private void Finish(BdevIo io, uint generation)
    {
        if (Answer?.Invoke(io.Type) is { } result)
        {
            io.Complete(generation, in result);
            return;
        }
        int at = (int)(io.OffsetBlocks * BlockSize);
        foreach (Spindle.Memory.IoVec vector in io.Iovs)
        {
            if (io.Type == BdevIoType.Read) Data.AsSpan(at, (int)vector.Length).CopyTo(vector.Span);
            else if (io.Type == BdevIoType.Write) vector.Span.CopyTo(Data.AsSpan(at));
            at += (int)vector.Length;
        }
        if (HasSeparateMetadata(io))
        {
            Span<byte> stored = _metadata.AsSpan((int)(io.OffsetBlocks * MetadataSize), (int)(io.NumBlocks * MetadataSize));
            if (io.Type == BdevIoType.Read) stored.CopyTo(MetadataOf(io));
            else if (io.Type == BdevIoType.Write) MetadataOf(io).CopyTo(stored);
        }
        if (io.Type == BdevIoType.Unmap) Data.AsSpan(at, (int)(io.NumBlocks * BlockSize)).Clear();
        io.Complete(generation, BdevIoStatus.Success);
    }

    private static unsafe bool HasSeparateMetadata(BdevIo io) => io.Metadata is not null;

    private unsafe Span<byte> MetadataOf(BdevIo io) => new(io.Metadata, (int)(io.NumBlocks * MetadataSize));

    private sealed class Channel : IoChannel;
}
