using Spindle;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Acme.Fast;

public sealed class Module : BdevModule
{
    public override string Name => "acme-fast";
}

public sealed class Disk(string name, ulong blocks) : Bdev(name, "Acme.Fast disk", 512, blocks)
{
    private readonly byte[] _data = new byte[checked((int)(blocks * 512))];

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    [DataPath]
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
        io.Complete(io.Generation, BdevIoStatus.Success);
    }

    private sealed class Channel : IoChannel;
}

[RpcObject]
public sealed class DiskParameters
{
    [RpcMember(Required = true)] public string Name { get; set; } = "";
    public ulong NumBlocks { get; set; } = 131072;
}

public sealed class Methods(IBdevRegistry bdevs)
{
    [RpcMethod("acme_fast_create", Summary = "Create a disk of num_blocks blocks of 512 bytes; returns its name.")]
    public string Create(DiskParameters p)
    {
        if (p.NumBlocks is 0 or > 1 << 21) throw new SpindleException(Errno.EINVAL, $"num_blocks is {p.NumBlocks}; it must be 1 to {1 << 21}.");
        bdevs.Register(new Disk(p.Name, p.NumBlocks));
        return p.Name;
    }

    [RpcMethod("acme_fast_delete", Summary = "Delete a disk.")]
    public Task Delete(DiskParameters p) =>
        bdevs.UnregisterAsync(bdevs.Find(p.Name) as Disk ?? throw new SpindleException(Errno.ENODEV, $"There is no Acme.Fast disk '{p.Name}'."));
}
