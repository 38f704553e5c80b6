using System.Collections.Concurrent;
using Spindle.Bdevs;
using Spindle.Threading;

namespace Acme.Checksum.Tests;

/// <summary>A base that has read the data, and does not say so before the test lets it.</summary>
internal sealed class HoldingDisk(string name) : Bdev(name, "Test disk", 512, 2048)
{
    private readonly byte[] _data = new byte[512 * 2048];
    private readonly ConcurrentQueue<(IStorageThread Thread, BdevIo Io, uint Generation)> _held = new();

    public bool HoldsReads { get; set; }

    public int Held => _held.Count;

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override void Submit(IoChannel channel, BdevIo io)
    {
        int at = (int)io.OffsetBlocks * 512;
        foreach (ref readonly var piece in io.Iovs)
        {
            var here = _data.AsSpan(at, (int)piece.Length);
            if (io.Type == BdevIoType.Read) here.CopyTo(piece.Span);
            else piece.Span.CopyTo(here);
            at += (int)piece.Length;
        }
        if (HoldsReads && io.Type == BdevIoType.Read) _held.Enqueue((channel.Thread, io, io.Generation));
        else io.Complete(io.Generation, BdevIoStatus.Success);
    }

    public void Release()
    {
        while (_held.TryDequeue(out var held)) held.Thread.Send(_ => held.Io.Complete(held.Generation, BdevIoStatus.Success), null);
    }

    private sealed class Channel : IoChannel;
}
