using Spindle.Bdev.Crypto.Keys;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>A bdev whose blocks are encrypted on the one below.</summary>
public sealed class CryptoBdev : VirtualBdev
{
    private readonly CryptoKey _key;
    private readonly IIobuf _iobuf;

    /// <exception cref="SpindleException">ENOTSUP: the base has metadata. EINVAL: its blocks, or its units of writing, do not fit a buffer.</exception>
    internal CryptoBdev(string name, BaseShare share, Guid uuid, CryptoKey key, IIobuf iobuf) : base(name, "crypto", share, 0, share.Base.BlockCount)
    {
        _key = key;
        _iobuf = iobuf;
        Uuid = uuid;
        var lower = share.Base;
        if (lower.MetadataSize > 0)
        {
            throw new SpindleException(Errno.ENOTSUP, $"'{name}' cannot be put on '{lower.Name}', which has {lower.MetadataSize} bytes of metadata for each block: " +
                "they would stay in the clear, and protection information would not fit the encrypted blocks. Use a bdev without metadata.");
        }
        // A write is encrypted into one buffer, so it must fit; the host splits larger ones.
        uint most = iobuf.LargeBufferSize / BlockSize;
        if (SplitOnWriteUnit && WriteUnitBlocks > 1) most -= most % WriteUnitBlocks;
        if (most == 0)
        {
            throw new SpindleException(Errno.EINVAL, $"'{name}' cannot be put on '{lower.Name}', whose writes have at least {(ulong)BlockSize * Math.Max(1, WriteUnitBlocks)} bytes: " +
                $"a buffer has {iobuf.LargeBufferSize}. Raise large_bufsize (iobuf_set_options).");
        }
        MaxRwBlocks = most;
    }

    /// <summary>Other types are the host's to make from reads and writes: what the base would do by itself, it would do to encrypted data.</summary>
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Unmap or BdevIoType.Flush or BdevIoType.Reset or BdevIoType.Abort
        && Base.Supports(type);

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread)
    {
        var secret = _key.Secret ?? throw new SpindleException(Errno.ENODEV, $"Key '{_key.Name}' is gone.");
        return new CryptoChannel(OpenBase(), secret, _iobuf, BlockSize, MaxRwBlocks * BlockSize);
    }

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new CryptoIo(io);

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("crypto");
        writer.BeginObject();
        writer.Name("base_bdev_name");
        writer.String(Base.Name);
        writer.Name("name");
        writer.String(Name);
        writer.Name("key_name");
        writer.String(_key.Name);
        writer.EndObject();
    }
}
