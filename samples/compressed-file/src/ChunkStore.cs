using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Acme.CompressedFile;

/// <summary>The disk's contents: chunks, compressed each by itself, in a file. On its own storage thread, unless a member says otherwise.</summary>
/// <remarks>A chunk is never written over. Its new version goes into free units, and the map in memory leads there at once; the map in the file follows with the next
/// commit (<see cref="StoreCommit"/>). One operation works on a chunk at a time, and a fixed number on the whole disk; the others wait in order.</remarks>
internal sealed class ChunkStore
{
    private const int SlotCount = 32;

    private readonly DmaBuffer _memory;
    private readonly ChunkSlot[] _slots = new ChunkSlot[SlotCount];
    private readonly StoreCommit _commit;
    private readonly IStoreFile _file;
    private DiskIo? _firstWaiting, _lastWaiting;
    private bool _pumping;

    /// <summary>On the app thread.</summary>
    public ChunkStore(LoadedStore loaded, IStoreFile file, IStorageThread thread, IDmaMemory memory)
    {
        (Map, Units, Thread, _file) = (loaded.Map, loaded.Units, thread, file);
        UnitsOffset = StoreFormat.UnitsOffset(Map.Chunks);
        _memory = memory.Allocate(SlotCount * ChunkSlot.MemorySize);
        for (int i = 0; i < SlotCount; i++) _slots[i] = new ChunkSlot(this, file, _memory.Slice((nuint)(i * ChunkSlot.MemorySize), ChunkSlot.MemorySize));
        try
        {
            _commit = new StoreCommit(this, file, memory);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    public ChunkMap Map { get; }

    public UnitAllocator Units { get; }

    public IStorageThread Thread { get; }

    /// <summary>Byte of the file where unit 0 lies.</summary>
    public long UnitsOffset { get; }

    /// <summary>On any thread: about.</summary>
    public ulong UsedChunks => Map.Used;

    /// <summary>On any thread: about.</summary>
    public ulong UsedUnits => Units.Units - Units.Free;

    /// <summary>The error after which nothing is written any more: a file whose flush failed may have lost what it had taken, and no later flush would tell. 0: none.</summary>
    public int BrokenBy => _commit.BrokenBy;

    [DataPath]
    public void Submit(DiskIo io)
    {
        io.Next = null;
        ChunkSlot? free = null;
        foreach (var slot in _slots)
        {
            if (!slot.IsBusy) free ??= slot;
            else if (slot.Chunk == io.Chunk)
            {
                slot.Queue(io);
                return;
            }
        }
        // Those that wait for any slot were first.
        if (free is not null && _firstWaiting is null) free.Start(io);
        else Enqueue(io);
    }

    /// <summary>Has the I/O wait for a slot.</summary>
    [DataPath]
    public void Enqueue(DiskIo io)
    {
        io.Next = null;
        if (_firstWaiting is null) _firstWaiting = io;
        else _lastWaiting!.Next = io;
        _lastWaiting = io;
    }

    /// <summary>A slot is free: whoever waits goes on. A loop, since an I/O over many chunks that touches no file is back at once.</summary>
    [DataPath]
    public void OnSlotFree()
    {
        if (_pumping) return;
        _pumping = true;
        while (_firstWaiting is { } io && FreeSlot() is { } free)
        {
            _firstWaiting = io.Next;
            io.Next = null;
            if (Working(io.Chunk) is { } slot) slot.Queue(io);
            else free.Start(io);
        }
        _pumping = false;
    }

    [DataPath]
    private ChunkSlot? FreeSlot()
    {
        foreach (var slot in _slots) if (!slot.IsBusy) return slot;
        return null;
    }

    [DataPath]
    private ChunkSlot? Working(ulong chunk)
    {
        foreach (var slot in _slots) if (slot.IsBusy && slot.Chunk == chunk) return slot;
        return null;
    }

    /// <summary>Makes everything durable that has completed until now.</summary>
    [DataPath]
    public void Commit(CommitWaiter waiter) => _commit.Request(waiter);

    /// <summary>A chunk has a new version: the old one's units are free after the next commit.</summary>
    [DataPath]
    public void Replace(ulong chunk, in ChunkEntry entry)
    {
        var old = Map[chunk];
        for (int i = 0; i < old.UnitCount; i++) Units.Retire(old.Unit(i));
        Map.Set(chunk, in entry);
        // Nobody has to flush for space to come back.
        if (Units.Retired > StoreFormat.ReserveUnits(Map.Chunks) / 2) _commit.Request(null);
    }

    /// <summary>Has the slot called when there are free units again.</summary>
    [DataPath]
    public void WaitForUnits() => _commit.Request(null);

    [DataPath]
    public void OnCommitEnded(int error)
    {
        foreach (var slot in _slots) slot.RetryIfStarved(error);
    }

    /// <summary>Commits, and gives everything back. On the app thread, when no I/O comes any more.</summary>
    /// <returns>0, or the negated error number for which the last writes are lost.</returns>
    public async ValueTask<int> CloseAsync()
    {
        int error = 0;
        await Thread.InvokeAsync(async () =>
        {
            var last = new AwaitedCommit();
            Commit(last);
            error = await last.Task;
        });
        await Thread.ExitAsync();
        _commit.Dispose();
        _memory.Dispose();
        _file.Dispose();
        return error;
    }
}
