using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Aio;

/// <summary>A bdev on a file or block device. Each I/O is one operation, or a few, on the ring of its reactor.</summary>
public sealed class AioBdev : Bdevs.Bdev
{
    private readonly AioCreateParameters _parameters;
    private readonly bool _unmap, _writeZeroes;
    private readonly Lock _channelsLock = new(); // channels come and go on their own threads; not on the data path
    private AioChannel[] _channels = [];
    private int _flushError;

    internal AioBdev(AioCreateParameters parameters, RingFile file, uint blockSize, IModuleContext context)
        : base(parameters.Name, "AIO disk", blockSize, (ulong)file.Length / blockSize)
    {
        _parameters = parameters;
        File = file;
        Uuid = parameters.Uuid ?? AioIdentity.Of(parameters.Name, parameters.Filename);
        PhysicalBlockSize = blockSize;
        RequiredAlignment = file.Alignment;
        WriteCache = true;
        _unmap = parameters.Fallocate && !file.IsReadOnly && file.CanDeallocate;
        _writeZeroes = parameters.Fallocate && !file.IsReadOnly && (file.CanWriteZeroes || file.CanDeallocate);
    }

    /// <summary>What it was made with.</summary>
    internal AioCreateParameters Parameters => _parameters;

    /// <summary>The file.</summary>
    internal RingFile File { get; }

    /// <summary>True when zeroes are written by deallocating, which reads as zeroes too (tmpfs has nothing else).</summary>
    internal bool ZeroesByDeallocating => !File.CanWriteZeroes;

    /// <summary>The first error of a flush, negated; 0 for none. The kernel tells of a failed write-back once and may then drop the data,
    /// so that no later flush may succeed (see fsync(2)).</summary>
    internal int FlushError
    {
        get => Volatile.Read(ref _flushError);
        set => Volatile.Write(ref _flushError, value);
    }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type switch
    {
        BdevIoType.Read or BdevIoType.Flush or BdevIoType.Reset or BdevIoType.Abort => true,
        BdevIoType.Write => !File.IsReadOnly,
        BdevIoType.Unmap => _unmap,
        BdevIoType.WriteZeroes => _writeZeroes,
        _ => false,
    };

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread)
    {
        var channel = new AioChannel(this, thread.Ring);
        lock (_channelsLock) _channels = [.. _channels, channel];
        return channel;
    }

    internal void Forget(AioChannel channel)
    {
        lock (_channelsLock) _channels = [.. _channels.Where(c => c != channel)];
    }

    /// <summary>True when no channel has an I/O at the ring. Meaningful while the host lets no new I/O through, during a reset.</summary>
    internal bool IsQuiet()
    {
        foreach (var channel in Volatile.Read(ref _channels))
            if (channel.Outstanding != 0) return false;
        return true;
    }

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new AioIo(this, io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((AioIo)io.Context!).Start((AioChannel)channel);

    /// <inheritdoc/>
    public override ValueTask DestructAsync()
    {
        File.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("aio");
        writer.BeginObject();
        writer.Name("filename");
        writer.String(_parameters.Filename);
        writer.Name("block_size_override");
        writer.Boolean(_parameters.BlockSize != 0);
        writer.Name("readonly");
        writer.Boolean(_parameters.Readonly);
        writer.Name("fallocate");
        writer.Boolean(_parameters.Fallocate);
        writer.Name("nowait");
        writer.Boolean(_parameters.Nowait);
        writer.EndObject();
    }

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => writer.Call("bdev_aio_create", w =>
    {
        w.Name("name");
        w.String(Name);
        // A device has its own; that a file has it is remembered, as SPDK cannot guess it.
        if (_parameters.BlockSize != 0 || !File.IsBlockDevice)
        {
            w.Name("block_size");
            w.Number((ulong)BlockSize);
        }
        w.Name("filename");
        w.String(_parameters.Filename);
        w.Name("readonly");
        w.Boolean(_parameters.Readonly);
        w.Name("fallocate");
        w.Boolean(_parameters.Fallocate);
        w.Name("uuid");
        w.String(Uuid.ToString());
        w.Name("nowait");
        w.Boolean(_parameters.Nowait);
    });
}

/// <summary>One storage thread's way to the file.</summary>
internal sealed class AioChannel(AioBdev bdev, IIoRing ring) : IoChannel
{
    private int _outstanding;

    internal readonly IIoRing Ring = ring;

    /// <summary>I/Os at the ring. Changed by its own thread only; read by the one that resets.</summary>
    internal int Outstanding
    {
        get => Volatile.Read(ref _outstanding);
        set => Volatile.Write(ref _outstanding, value);
    }

    /// <inheritdoc/>
    protected override void Destroy() => bdev.Forget(this);
}
