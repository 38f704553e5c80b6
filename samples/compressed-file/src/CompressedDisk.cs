using Microsoft.Extensions.Logging;
using Spindle;
using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;

namespace Acme.CompressedFile;

/// <summary>The bdev. The file is one thing that all threads write to, so one storage thread of its own does the work (<see cref="ChunkStore"/>), and
/// I/O reaches it by message: no lock, and a write to a chunk sees what the one before it did.</summary>
internal sealed class CompressedDisk : Bdev
{
    private readonly string _path;
    private readonly LoadedStore _loaded;
    private readonly ChunkStore _store;
    private readonly ILogger _log;

    public CompressedDisk(string name, string path, LoadedStore loaded, ChunkStore store, ILogger log)
        : base(name, "Acme compressed disk", StoreFormat.BlockSize, loaded.Map.Chunks * StoreFormat.BlocksPerChunk)
    {
        (_path, _loaded, _store, _log) = (path, loaded, store, log);
        Uuid = loaded.Uuid;
        WriteCache = true;
        PhysicalBlockSize = StoreFormat.ChunkSize;
        // The host splits reads and writes so that each is in one chunk.
        OptimalIoBoundary = StoreFormat.BlocksPerChunk;
        SplitOnOptimalIoBoundary = true;
        // So long the others on the reactor wait at most.
        MaxUnmapBlocks = MaxWriteZeroesBlocks = 256 * StoreFormat.BlocksPerChunk;
    }

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.WriteZeroes;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override object CreateIoContext(BdevIo io) => new DiskIo(io, _store);

    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((DiskIo)io.Context!).Start(channel.Thread);

    /// <summary>After the last channel: what was written is made durable, as by a flush, and everything given back.</summary>
    public override async ValueTask DestructAsync()
    {
        int error = await _store.CloseAsync();
        if (error != 0) _log.LogError("{Disk}: what was written to {Path} since the last flush is lost: {Error}", Name, _path, Errno.Message(-error));
        _loaded.Dispose();
    }

    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("filename");
        writer.String(_path);
        writer.Name("chunk_size");
        writer.Number(StoreFormat.ChunkSize);
        // Read while the store's thread may change them: near enough for people.
        writer.Name("used_chunks");
        writer.Number(_store.UsedChunks);
        writer.Name("stored_bytes");
        writer.Number(_store.UsedUnits * StoreFormat.UnitSize);
    }

    public override void WriteConfig(IConfigWriter writer) => writer.Call("acme_compressedfile_create", parameters =>
    {
        parameters.Name("name");
        parameters.String(Name);
        parameters.Name("filename");
        parameters.String(_path);
    });

    private sealed class Channel : IoChannel;
}
