using System.IO.Compression;
using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Acme.CompressedFile;

/// <summary>Works on one chunk at a time: reads and unpacks it, changes it, packs and writes it. Made once, used again.</summary>
internal sealed class ChunkSlot : FileOperation
{
    public const int MemorySize = 2 * Chunk4K;

    private const int Chunk4K = (int)StoreFormat.ChunkSize;

    // Fast rather than small: this runs between the I/Os of every disk on the reactor.
    private const int Quality = 1, Window = 15;

    private enum Step { Idle, Reading, Writing, Starved }

    private readonly ChunkStore _store;
    private readonly IStoreFile _file;
    private readonly IoVec _plain, _packed;
    private Step _step;
    private DiskIo? _io, _firstQueued, _lastQueued;
    private ChunkEntry _entry;
    private int _done, _total;
    private bool _starting;

    public ChunkSlot(ChunkStore store, IStoreFile file, IoVec memory)
    {
        (_store, _file) = (store, file);
        (_plain, _packed) = (memory.Slice(0, StoreFormat.ChunkSize), memory.Slice(StoreFormat.ChunkSize, StoreFormat.ChunkSize));
    }

    public bool IsBusy => _step != Step.Idle;

    public ulong Chunk { get; private set; }

    /// <summary>Has the I/O wait for its turn at this chunk.</summary>
    [DataPath]
    public void Queue(DiskIo io)
    {
        io.Next = null;
        if (_firstQueued is null) _firstQueued = io;
        else _lastQueued!.Next = io;
        _lastQueued = io;
    }

    [DataPath]
    public void Start(DiskIo io)
    {
        _starting = true;
        Begin(io);
        Next();
    }

    /// <summary>Goes on with those that wait for this chunk. A loop, since what touches no file ends at once.</summary>
    [DataPath]
    private void Next()
    {
        _starting = true;
        while (!IsBusy && _firstQueued is { } next)
        {
            _firstQueued = next.Next;
            next.Next = null;
            Begin(next);
        }
        _starting = false;
        if (!IsBusy) _store.OnSlotFree();
    }

    [DataPath]
    private void Begin(DiskIo io)
    {
        _io = io;
        Chunk = io.Chunk;
        if (io.Type != BdevIoType.Read && _store.BrokenBy != 0)
        {
            End(BdevIoResult.FromErrno(_store.BrokenBy));
            return;
        }
        _entry = _store.Map[Chunk];
        // A chunk that is written whole need not be read, and one without units is zeroes.
        if ((io.Type != BdevIoType.Read && io.IsWholeChunk) || _entry.IsHole) Loaded(isHole: true);
        else Transfer(Step.Reading, _entry.Length);
    }

    /// <summary>Reads or writes the packed bytes, one row of units after the other; a transfer may also end early, and goes on from there.</summary>
    [DataPath]
    private void Transfer(Step step, int total)
    {
        (_step, _done, _total) = (step, 0, total);
        Continue();
    }

    [DataPath]
    private void Continue()
    {
        int unit = _done / (int)StoreFormat.UnitSize, end = unit + 1;
        while (end * (int)StoreFormat.UnitSize < _total && _entry.Unit(end) == _entry.Unit(end - 1) + 1) end++;
        int length = Math.Min(end * (int)StoreFormat.UnitSize, _total) - _done;
        long at = _store.UnitsOffset + (long)_entry.Unit(unit) * StoreFormat.UnitSize + _done % StoreFormat.UnitSize;
        var piece = _packed.Slice((uint)_done, (uint)length);
        int error = _step == Step.Reading ? _file.Read(_store.Thread.Ring, new ReadOnlySpan<IoVec>(in piece), at, this) : _file.Write(_store.Thread.Ring, new ReadOnlySpan<IoVec>(in piece), at, this);
        if (error < 0) Failed(error);
    }

    [DataPath]
    public override void Completed(int result)
    {
        // No bytes: the file is shorter than its map says, or takes no more.
        if (result <= 0) Failed(result < 0 ? result : -Errno.EIO);
        else if ((_done += result) < _total) Continue();
        else if (_step == Step.Reading) Unpack();
        else Written();
    }

    [DataPath]
    private void Failed(int error)
    {
        if (_step == Step.Writing) ReturnUnits();
        End(BdevIoResult.FromErrno(error));
    }

    [DataPath]
    private void Unpack()
    {
        var packed = _packed.Span[.._entry.Length];
        bool good = Crc32C.Of(packed) == _entry.Crc;
        if (good && _entry.Length == StoreFormat.ChunkSize) packed.CopyTo(_plain.Span);
        else good = good && BrotliDecoder.TryDecompress(packed, _plain.Span, out int written) && written == Chunk4K;
        if (good) Loaded(isHole: false);
        // NVM Command Set Specification 1.0, unrecovered read error: the data is lost, and trying again helps nobody.
        else End(BdevIoResult.FromNvme(2, 0x81, doNotRetry: true));
    }

    [DataPath]
    private void Loaded(bool isHole)
    {
        // Also where nothing was read: the slot is taken while the chunk is worked on.
        _step = Step.Reading;
        var io = _io!;
        var plain = _plain.Span;
        if (isHole) plain.Clear();
        switch (io.Type)
        {
            case BdevIoType.Read:
                io.Scatter(plain[io.From..io.To]);
                End(BdevIoResult.Of(BdevIoStatus.Success));
                return;
            case BdevIoType.Write:
                io.Gather(plain[io.From..io.To]);
                break;
            default:
                plain[io.From..io.To].Clear();
                break;
        }
        if (plain.IndexOfAnyExcept((byte)0) >= 0) Pack();
        else
        {
            if (!_store.Map[Chunk].IsHole) _store.Replace(Chunk, default);
            End(BdevIoResult.Of(BdevIoStatus.Success));
        }
    }

    [DataPath]
    private void Pack()
    {
        Span<byte> plain = _plain.Span, packed = _packed.Span;
        // What does not shrink by a unit is stored as it is.
        if (!BrotliEncoder.TryCompress(plain, packed[..^(int)StoreFormat.UnitSize], out int length, Quality, Window))
        {
            plain.CopyTo(packed);
            length = Chunk4K;
        }
        int units = (length + (int)StoreFormat.UnitSize - 1) / (int)StoreFormat.UnitSize;
        // No byte of another chunk is left behind the end.
        packed[length..(units * (int)StoreFormat.UnitSize)].Clear();
        _entry = new ChunkEntry(0, 0, 0, 0, (ushort)length, Crc32C.Of(packed[..length]));
        Store();
    }

    [DataPath]
    private void Store()
    {
        int units = _entry.UnitCount;
        if (_store.Units.Free < (uint)units)
        {
            // A commit frees more than all slots together need.
            _step = Step.Starved;
            _store.WaitForUnits();
            return;
        }
        _entry = _entry with
        {
            Unit0 = _store.Units.Take(), Unit1 = units > 1 ? _store.Units.Take() : 0, Unit2 = units > 2 ? _store.Units.Take() : 0, Unit3 = units > 3 ? _store.Units.Take() : 0,
        };
        Transfer(Step.Writing, units * (int)StoreFormat.UnitSize);
    }

    /// <summary>A commit has ended, and freed units if it succeeded.</summary>
    [DataPath]
    public void RetryIfStarved(int error)
    {
        if (_step != Step.Starved) return;
        if (error != 0) End(BdevIoResult.FromErrno(error));
        else Store();
    }

    [DataPath]
    private void Written()
    {
        _store.Replace(Chunk, in _entry);
        End(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private void ReturnUnits()
    {
        for (int i = 0; i < _entry.UnitCount; i++) _store.Units.Return(_entry.Unit(i));
    }

    /// <summary>The I/O is done with this chunk.</summary>
    [DataPath]
    private void End(in BdevIoResult result)
    {
        var io = _io!;
        (_io, _step) = (null, Step.Idle);
        if (result.Status == BdevIoStatus.Success && io.Advance()) _store.Enqueue(io);
        else io.Finish(in result);
        // Whoever started it goes on with the next one.
        if (!_starting) Next();
    }
}
