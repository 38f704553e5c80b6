using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Testing;

/// <summary>A bdev in memory for tests of what stands above one: virtual bdevs, front-ends. It may have a write cache, which a power cut loses,
/// and be slow, full of errors or short of memory as a test says. Nothing in it is fast.</summary>
public sealed class MemoryDisk : Bdev
{
    private readonly Lock _lock = new();
    private readonly byte[] _data;
    private readonly Dictionary<ulong, byte[]> _cached = [];

    /// <param name="name">The bdev's name.</param>
    /// <param name="blockSize">Bytes.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="writeCache">Writes are lost by <see cref="CutPower"/> until a flush.</param>
    public MemoryDisk(string name, uint blockSize = 512, ulong blockCount = 2048, bool writeCache = false) : base(name, "Test disk", blockSize, blockCount)
    {
        _data = new byte[checked((int)(blockSize * blockCount))];
        WriteCache = writeCache;
    }

    private MemoryDisk(MemoryDisk disk) : base(disk.Name, disk.ProductName, disk.BlockSize, disk.BlockCount)
    {
        _data = disk._data;
        WriteCache = disk.WriteCache;
        Uuid = disk.Uuid;
    }

    /// <summary>Asked about each I/O before it is carried out; a result other than null is how it ends.</summary>
    public Func<BdevIo, BdevIoResult?>? Intercept { get; set; }

    /// <summary>Completes in a later turn of the storage thread instead of inside Submit.</summary>
    public bool CompletesLater { get; set; } = true;

    /// <summary>The disk after a power cut: of what was not flushed each block is kept or lost as <paramref name="random"/> says. Unregister this one first.</summary>
    public MemoryDisk CutPower(Random random)
    {
        lock (_lock)
        {
            foreach (var (block, data) in _cached)
                if (random.Next(2) == 0) data.CopyTo(_data, (long)(block * BlockSize));
            return new MemoryDisk(this);
        }
    }

    /// <summary>Changes what is stored behind everybody's back.</summary>
    /// <param name="at">Byte.</param>
    /// <param name="mask">Bits to turn over.</param>
    public void Corrupt(long at, byte mask)
    {
        lock (_lock)
        {
            Settle();
            _data[at] ^= mask;
        }
    }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Reset;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    /// <inheritdoc/>
    public override void Submit(IoChannel channel, BdevIo io)
    {
        var result = Intercept?.Invoke(io) ?? BdevIoResult.Of(CarryOut(io));
        uint generation = io.Generation;
        if (CompletesLater) channel.Thread.Send(_ => io.Complete(generation, result), null);
        else io.Complete(generation, result);
    }

    private BdevIoStatus CarryOut(BdevIo io)
    {
        lock (_lock)
        {
            int at = (int)(io.OffsetBlocks * BlockSize), length = (int)(io.NumBlocks * BlockSize);
            switch (io.Type)
            {
                case BdevIoType.Read:
                    byte[] now = Read(io.OffsetBlocks, io.NumBlocks);
                    for (int i = 0, from = 0; i < io.IovCount; from += (int)io.Iovs[i++].Length) now.AsSpan(from, (int)io.Iovs[i].Length).CopyTo(io.Iovs[i].Span);
                    break;
                case BdevIoType.Write:
                    byte[] data = new byte[length];
                    for (int i = 0, to = 0; i < io.IovCount; to += (int)io.Iovs[i++].Length) io.Iovs[i].Span.CopyTo(data.AsSpan(to));
                    Write(io.OffsetBlocks, data);
                    break;
                case BdevIoType.Unmap or BdevIoType.WriteZeroes:
                    Write(io.OffsetBlocks, new byte[length]);
                    break;
                case BdevIoType.Flush:
                    Settle();
                    break;
            }
        }
        return BdevIoStatus.Success;
    }

    private byte[] Read(ulong offset, ulong count)
    {
        byte[] bytes = _data.AsSpan((int)(offset * BlockSize), (int)(count * BlockSize)).ToArray();
        if (_cached.Count == 0) return bytes;
        for (ulong block = 0; block < count; block++)
            if (_cached.TryGetValue(offset + block, out byte[]? cached)) cached.CopyTo(bytes, (long)(block * BlockSize));
        return bytes;
    }

    private void Write(ulong offset, byte[] data)
    {
        if (!WriteCache)
        {
            data.CopyTo(_data, (long)(offset * BlockSize));
            return;
        }
        for (ulong block = 0; block * BlockSize < (ulong)data.Length; block++)
            _cached[offset + block] = data.AsSpan((int)(block * BlockSize), (int)BlockSize).ToArray();
    }

    private void Settle()
    {
        foreach (var (block, data) in _cached) data.CopyTo(_data, (long)(block * BlockSize));
        _cached.Clear();
    }

    private sealed class Channel : IoChannel;
}
