using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Acme.CompressedFile;

/// <summary>One I/O on its way: from the thread that submitted it to the store's and back. Made with the pooled I/O object, so that nothing is allocated for each.</summary>
internal sealed unsafe class DiskIo(BdevIo io, ChunkStore store) : CommitWaiter
{
    private static readonly StorageMessage s_arrive = static state => ((DiskIo)state!).Arrive();
    private static readonly StorageMessage s_complete = static state => ((DiskIo)state!).Complete();

    private IStorageThread? _home;
    private uint _generation;
    private BdevIoResult _result;
    private IoVec* _iovs;
    private int _iovCount;
    private ulong _at, _end;

    /// <summary>The next one in a queue of the store's; it is in one at a time.</summary>
    public DiskIo? Next { get; set; }

    public BdevIoType Type { get; private set; }

    /// <summary>The chunk to work on now.</summary>
    public ulong Chunk => _at / StoreFormat.ChunkSize;

    /// <summary>The first byte of it.</summary>
    public int From => (int)(_at % StoreFormat.ChunkSize);

    /// <summary>The byte after the last one of it.</summary>
    public int To => (int)Math.Min(_end - Chunk * StoreFormat.ChunkSize, StoreFormat.ChunkSize);

    public bool IsWholeChunk => From == 0 && To == (int)StoreFormat.ChunkSize;

    [DataPath]
    public void Start(IStorageThread home)
    {
        _home = home;
        _generation = io.Generation;
        Type = io.Type;
        _at = io.OffsetBlocks * StoreFormat.BlockSize;
        _end = _at + io.NumBlocks * StoreFormat.BlockSize;
        // The I/O object is its own thread's, but the vectors stay where they are until it completes, and their memory may be used on any.
        fixed (IoVec* iovs = io.Iovs) _iovs = iovs;
        _iovCount = io.IovCount;
        if (!store.Thread.Send(s_arrive, this)) io.Complete(_generation, BdevIoStatus.Failed);
    }

    [DataPath]
    private void Arrive()
    {
        if (Type == BdevIoType.Flush) store.Commit(this);
        else store.Submit(this);
    }

    /// <summary>Copies the chunk's bytes to the reader.</summary>
    [DataPath]
    public void Scatter(ReadOnlySpan<byte> from)
    {
        for (int i = 0; i < _iovCount; i++)
        {
            var piece = _iovs[i].Span;
            from[..piece.Length].CopyTo(piece);
            from = from[piece.Length..];
        }
    }

    /// <summary>Copies the writer's bytes into the chunk.</summary>
    [DataPath]
    public void Gather(Span<byte> to)
    {
        for (int i = 0; i < _iovCount; i++)
        {
            var piece = _iovs[i].Span;
            piece.CopyTo(to);
            to = to[piece.Length..];
        }
    }

    /// <summary>Goes to the next chunk.</summary>
    /// <returns>False when that was the last one.</returns>
    [DataPath]
    public bool Advance()
    {
        _at = (Chunk + 1) * StoreFormat.ChunkSize;
        return _at < _end;
    }

    /// <summary>Sends the result home.</summary>
    [DataPath]
    public void Finish(in BdevIoResult result)
    {
        _result = result;
        _home!.Send(s_complete, this);
    }

    [DataPath]
    public override void OnCommitted(int error) => Finish(BdevIoResult.FromErrno(error));

    [DataPath]
    private void Complete() => io.Complete(_generation, in _result);
}
