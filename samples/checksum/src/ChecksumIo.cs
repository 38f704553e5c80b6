using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>One I/O on its way: from the thread that submitted it to the disk's and back. Made with the pooled I/O object, so that nothing is allocated for each.</summary>
internal sealed unsafe class ChecksumIo(BdevIo io, ChecksumEngine engine) : BdevIoWait
{
    private static readonly StorageMessage s_arrive = static state => ((ChecksumIo)state!).Arrive();
    private static readonly StorageMessage s_complete = static state => ((ChecksumIo)state!).Complete();
    private static readonly BdevIoCallback s_completed = static (object? state, in BdevIoResult result) => ((ChecksumIo)state!).OnCompleted(in result);

    private IStorageThread? _home;
    private uint _generation;
    private BdevIoResult _result;
    private IoVec* _iovs;
    private int _iovCount;

    /// <summary>The next one in a list of the engine's: of those at work, those that wait for blocks, or those that wait for a commit. It is in one at a time.</summary>
    public ChecksumIo? Next { get; set; }

    public BdevIoType Type { get; private set; }

    public ulong First { get; private set; }

    /// <summary>The block after the last.</summary>
    public ulong End { get; private set; }

    /// <summary>It is at work, but not at the base's yet.</summary>
    public bool WaitsForIntent { get; set; }

    public bool Writes => Type != BdevIoType.Read;

    private ReadOnlySpan<IoVec> Iovs => new(_iovs, _iovCount);

    [DataPath]
    public void Start(IStorageThread home)
    {
        _home = home;
        _generation = io.Generation;
        (Type, First, End) = (io.Type, io.OffsetBlocks, io.OffsetBlocks + io.NumBlocks);
        // The I/O object is its own thread's, but the vectors stay where they are until it completes, and their memory may be used on any.
        fixed (IoVec* iovs = io.Iovs) _iovs = iovs;
        _iovCount = io.IovCount;
        if (!engine.Thread.Send(s_arrive, this)) io.Complete(_generation, BdevIoStatus.Failed);
    }

    [DataPath]
    private void Arrive()
    {
        if (Type == BdevIoType.Flush) engine.Commit(this);
        else engine.Submit(this);
    }

    /// <summary>Two I/Os that must not be under way at once: a read beside a write of the same block would find either's checksum with the other's data.</summary>
    [DataPath]
    public bool Conflicts(ChecksumIo other) => First < other.End && other.First < End && (Writes || other.Writes);

    /// <summary>Hands it to the base.</summary>
    [DataPath]
    public void Forward()
    {
        ulong at = engine.FirstDataBlock + First, blocks = End - First;
        int error = Type switch
        {
            BdevIoType.Read => engine.Base.Read(Iovs, at, blocks, s_completed, this),
            BdevIoType.Write => engine.Base.Write(Iovs, at, blocks, s_completed, this),
            BdevIoType.WriteZeroes => engine.Base.WriteZeroes(at, blocks, s_completed, this),
            _ => -Errno.ENOTSUP,
        };
        if (error == 0) return;
        // No I/O object is free below: wait for one. Where one came free meanwhile, the host submits this I/O again.
        if (error == -Errno.ENOMEM && engine.Base.QueueIoWait(this) == 0) return;
        engine.End(this, BdevIoResult.FromErrno(error));
    }

    [DataPath]
    protected override void OnAvailable() => Forward();

    [DataPath]
    private void OnCompleted(in BdevIoResult result)
    {
        if (!result.IsSuccess) engine.End(this, in result);
        else if (Type == BdevIoType.Read) engine.End(this, Verify());
        else
        {
            Remember();
            engine.End(this, in result);
        }
    }

    [DataPath]
    private BdevIoResult Verify()
    {
        var reader = new BlockReader(_iovs, engine.BlockSize);
        for (ulong block = First; block < End; block++)
        {
            uint found = reader.Next();
            if (found == engine.Table.Get(block)) continue;
            engine.Report(block, found);
            // NVM Command Set Specification 1.0, unrecovered read error: the data is lost, and trying again helps nobody.
            return BdevIoResult.FromNvme(2, 0x81, doNotRetry: true);
        }
        return BdevIoResult.Of(BdevIoStatus.Success);
    }

    [DataPath]
    private void Remember()
    {
        var reader = new BlockReader(_iovs, engine.BlockSize);
        for (ulong block = First; block < End; block++) engine.Table.Set(block, Type == BdevIoType.WriteZeroes ? engine.ChecksumOfZeroes : reader.Next());
    }

    /// <summary>Sends the result home.</summary>
    [DataPath]
    public void Finish(in BdevIoResult result)
    {
        _result = result;
        _home!.Send(s_complete, this);
    }

    [DataPath]
    private void Complete() => io.Complete(_generation, in _result);

    /// <summary>Checksums of block after block, wherever the vectors split them.</summary>
    private ref struct BlockReader(IoVec* iovs, uint blockSize)
    {
        private int _piece;
        private uint _at;

        [DataPath]
        public uint Next()
        {
            uint crc = Crc32C.Start;
            for (uint left = blockSize; left > 0;)
            {
                ref readonly var piece = ref iovs[_piece];
                uint length = Math.Min(left, piece.Length - _at);
                crc = Crc32C.Append(crc, piece.Slice(_at, length).Span);
                left -= length;
                _at += length;
                if (_at == piece.Length) (_piece, _at) = (_piece + 1, 0);
            }
            return ~crc;
        }
    }
}
