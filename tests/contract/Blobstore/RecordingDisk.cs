using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.ContractTests.Blobstore;

/// <summary>A bdev in memory that writes down what comes, and keeps what a test tells it to keep until it is let go on.</summary>
internal sealed class RecordingDisk(string name, uint blockSize, ulong bytes) : Spindle.Bdevs.Bdev(name, "Recording disk", blockSize, bytes / blockSize)
{
    private readonly Lock _lock = new();
    private readonly byte[] _data = new byte[bytes];
    private readonly List<(BdevIoType Type, ulong Offset, ulong Length)> _seen = [];
    private readonly List<Action> _kept = [];
    private Func<BdevIoType, ulong, bool>? _keep;

    /// <summary>What has come since <see cref="Clear"/>: type, first byte, bytes.</summary>
    public IReadOnlyList<(BdevIoType Type, ulong Offset, ulong Length)> Seen
    {
        get { lock (_lock) return [.. _seen]; }
    }

    /// <summary>I/Os that are kept now.</summary>
    public int Kept
    {
        get { lock (_lock) return _kept.Count; }
    }

    public void Clear()
    {
        lock (_lock) _seen.Clear();
    }

    /// <summary>Keeps what is told by type and first byte; null ends it and lets go on what was kept.</summary>
    public void Keep(Func<BdevIoType, ulong, bool>? which)
    {
        Action[] kept = [];
        lock (_lock)
        {
            _keep = which;
            if (which is null)
            {
                kept = [.. _kept];
                _kept.Clear();
            }
        }
        foreach (var go in kept) go();
    }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Copy;

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    /// <inheritdoc/>
    public override void Submit(IoChannel channel, BdevIo io)
    {
        uint generation = io.Generation;
        void Go() => channel.Thread.Send(_ =>
        {
            lock (_lock) CarryOut(io);
            io.Complete(generation, BdevIoStatus.Success);
        }, null);
        lock (_lock)
        {
            _seen.Add((io.Type, io.OffsetBlocks * BlockSize, io.NumBlocks * BlockSize));
            if (_keep?.Invoke(io.Type, io.OffsetBlocks * BlockSize) == true)
            {
                _kept.Add(Go);
                return;
            }
        }
        Go();
    }

    private void CarryOut(BdevIo io)
    {
        int at = (int)(io.OffsetBlocks * BlockSize), length = (int)(io.NumBlocks * BlockSize);
        if (io.Type == BdevIoType.Copy) _data.AsSpan((int)(io.CopySourceOffset * BlockSize), length).ToArray().CopyTo(_data, at);
        else if (io.Type is BdevIoType.Unmap or BdevIoType.WriteZeroes) _data.AsSpan(at, length).Clear();
        else
        {
            foreach (ref readonly var piece in io.Iovs)
            {
                var here = _data.AsSpan(at, (int)piece.Length);
                if (io.Type == BdevIoType.Read) here.CopyTo(piece.Span);
                else piece.Span.CopyTo(here);
                at += (int)piece.Length;
            }
        }
    }

    private sealed class Channel : IoChannel;
}
