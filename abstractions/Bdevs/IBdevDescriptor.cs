using Spindle.Memory;

namespace Spindle.Bdevs;

/// <summary>What happened to an open bdev.</summary>
public enum BdevEventType
{
    /// <summary>It is going away: finish, put the channels and close the descriptor. New I/O is refused with -ENODEV, outstanding I/O completes.</summary>
    Remove,
    /// <summary>Its block count has changed; it has the new value.</summary>
    Resize,
    /// <summary>Media events are waiting: <see cref="IBdevDescriptor.TakeMediaEvents"/>. Told to those who have it open for writing.</summary>
    MediaManagement,
    /// <summary>Another version of its module has taken over: <see cref="IBdevDescriptor.Bdev"/> is another object with the same name, identity and
    /// geometry. I/O, channels and descriptors go on; whoever keeps the old object lets go of it, since it keeps the old version's code in memory.</summary>
    Replaced,
}

/// <summary>Called on the storage thread that opened the descriptor, or the app thread when it was opened on no storage thread.</summary>
public delegate void BdevEventCallback(BdevEventType type, Bdev bdev, object? state);

/// <summary>An open of a bdev. The opener gets channels from it, one for each storage thread that does I/O, and closes it after putting them all.</summary>
public interface IBdevDescriptor
{
    /// <summary>The bdev.</summary>
    Bdev Bdev { get; }

    /// <summary>True when it was opened for writing.</summary>
    bool IsWritable { get; }

    /// <summary>True when the opener sees no metadata: <see cref="BdevOpenOptions.HideMetadata"/>.</summary>
    bool HidesMetadata => false;

    /// <summary>Bytes of a block as the opener gives and gets it: <see cref="Bdev.BlockSize"/>, or the data alone.</summary>
    uint BlockSize => Bdev.BlockSize;

    /// <summary>Bytes of metadata of a block as the opener sees it; 0 when it is hidden.</summary>
    uint MetadataSize => Bdev.MetadataSize;

    /// <summary>For people: what it is open for, such as the namespace that shows the bdev to hosts. Empty unless the opener says it. On the app thread.</summary>
    string Purpose { get => ""; set { } }

    /// <summary>The calling storage thread's door to the bdev. Put it by <see cref="IBdevChannel.Put"/>.</summary>
    /// <exception cref="SpindleException">ENODEV: the bdev is being removed.</exception>
    IBdevChannel GetChannel();

    /// <summary>Takes the oldest media events that wait (<see cref="BdevEventType.MediaManagement"/>). On any thread.</summary>
    /// <returns>How many; 0 when none waits.</returns>
    int TakeMediaEvents(Span<BdevMediaEvent> events) => 0;

    /// <summary>As <see cref="GetChannel"/>, with metadata hidden whatever the descriptor does: for an opener whose users say for each I/O whether they bring it (NVMe's PRACT).
    /// Blocks are of <see cref="Bdev.BlockSize"/> less interleaved metadata.</summary>
    /// <exception cref="SpindleException">ENODEV: the bdev is being removed. ENOTSUP: its metadata cannot be hidden, as with <see cref="BdevOpenOptions.HideMetadata"/>.</exception>
    IBdevChannel GetHidingChannel() => HidesMetadata || Bdev.MetadataSize == 0 ? GetChannel() : throw new SpindleException(Errno.ENOTSUP, "This host cannot hide the metadata of a bdev.");

    /// <summary>Closes it, on the thread that opened it. A claim made through it is released. Calling it twice is harmless.</summary>
    void Close();
}

/// <summary>One storage thread's door to an open bdev. On that thread only. Submitting methods return 0, after which the callback runs
/// exactly once, or a negated error number, after which it does not: -EINVAL (range or vectors do not fit the bdev), -EBADF (opened
/// read-only, or claimed by another writer), -ENOTSUP, -ENODEV (being removed), -ENOMEM (the pool is empty: <see cref="QueueIoWait"/>).
/// The vectors are copied; the buffers are lent until the callback.</summary>
public interface IBdevChannel
{
    /// <summary>The bdev.</summary>
    Bdev Bdev { get; }

    /// <summary>True while the bdev has room to be asked: nothing queued for lack of memory.</summary>
    bool IsReady { get; }

    /// <summary>Reads <paramref name="numBlocks"/> blocks.</summary>
    int Read(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0);

    /// <summary>Reads without copying, where the bdev has the blocks in memory and nothing holds I/O back: the memory may be read until the channel is put.
    /// It is a read in the statistics. A write of the same blocks meanwhile shows, as it may in any read that overlaps it.</summary>
    /// <param name="offsetBlocks">The first block.</param>
    /// <param name="numBlocks">Blocks.</param>
    /// <param name="memory">Exactly the blocks.</param>
    /// <returns>False: use <see cref="Read"/>, which also tells what is wrong with the range if anything is.</returns>
    bool TryReadInPlace(ulong offsetBlocks, ulong numBlocks, out IoVec memory)
    {
        memory = default;
        return false;
    }

    /// <summary>Writes blocks. On a zoned bdev within one zone, at its write pointer.</summary>
    int Write(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0);

    /// <summary>Writes by copying before it returns, where the bdev has its blocks in memory and nothing holds I/O back. It is a write in the statistics, and as durable as one.</summary>
    /// <param name="offsetBlocks">The first block.</param>
    /// <param name="data">Whole blocks, anywhere in memory; at most 2 GiB less a block.</param>
    /// <returns>False: nothing was written; use <see cref="Write"/>, which also tells what is wrong with the range if anything is.</returns>
    bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data) => false;

    /// <summary>Compares blocks with the buffers; a difference is <see cref="BdevIoStatus.Miscompare"/>.</summary>
    int Compare(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0);

    /// <summary>Writes if equal, atomically with respect to all other I/O of the bdev to those blocks.</summary>
    int CompareAndWrite(ReadOnlySpan<IoVec> compare, ReadOnlySpan<IoVec> write, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state);

    /// <summary>Makes blocks read as zeroes.</summary>
    int WriteZeroes(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state);

    /// <summary>Deallocates blocks.</summary>
    int Unmap(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state);

    /// <summary>Makes completed writes to the range durable.</summary>
    int Flush(ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state);

    /// <summary>Aborts all outstanding I/O of the bdev, on all threads, and resets the device.</summary>
    int Reset(BdevIoCallback callback, object? state);

    /// <summary>Aborts the outstanding I/Os of this channel that were submitted with <paramref name="target"/> as their state. Success: all were aborted or had ended.</summary>
    int Abort(object target, BdevIoCallback callback, object? state);

    /// <summary>Copies blocks within the bdev; the ranges may not overlap.</summary>
    int Copy(ulong destinationOffset, ulong sourceOffset, ulong numBlocks, BdevIoCallback callback, object? state);

    /// <summary>Finds the first allocated block at or after the offset: the result's value; all ones when there is none.</summary>
    int SeekData(ulong offsetBlocks, BdevIoCallback callback, object? state);

    /// <summary>Finds the first unallocated block at or after the offset: the result's value; all ones when there is none.</summary>
    int SeekHole(ulong offsetBlocks, BdevIoCallback callback, object? state);

    /// <summary>Makes a loan of the bdev's buffers, to be used again and again on this thread until the channel is put, which ends it.</summary>
    /// <exception cref="SpindleException">ENOTSUP: this host, or this opener's view of the bdev, has none.</exception>
    IBdevZcopy CreateZcopy() => throw new SpindleException(Errno.ENOTSUP, "Buffers of this bdev cannot be borrowed here: read and write instead.");

    /// <summary>Finds out what zones are.</summary>
    /// <param name="zoneStart">The first block of the first zone.</param>
    /// <param name="zones">Filled with one zone after the other; lent until the callback. As many as there are from the first one, or fewer.</param>
    /// <param name="callback">Called when it is done.</param>
    /// <param name="state">Handed to it.</param>
    int GetZoneInfo(ulong zoneStart, Memory<BdevZoneInfo> zones, BdevIoCallback callback, object? state) => -Errno.ENOTSUP;

    /// <summary>Changes the state of a zone. What the state does not allow ends as <see cref="BdevZoneErrors"/> says.</summary>
    /// <param name="zoneStart">The zone's first block.</param>
    /// <param name="action">What to do.</param>
    /// <param name="callback">Called when it is done.</param>
    /// <param name="state">Handed to it.</param>
    int ZoneManagement(ulong zoneStart, BdevZoneAction action, BdevIoCallback callback, object? state) => -Errno.ENOTSUP;

    /// <summary>Writes blocks at a zone's write pointer, wherever that is: the result's value is the first one's. Those of several threads may go to one zone at a time.</summary>
    /// <param name="buffers">The data. Where they do not fit the bdev's alignment or its limits of vectors they are copied, and must fit a large I/O buffer then.</param>
    /// <param name="zoneStart">The zone's first block.</param>
    /// <param name="numBlocks">Blocks, at most <see cref="Bdev.MaxZoneAppendBlocks"/>.</param>
    /// <param name="callback">Called when it is done.</param>
    /// <param name="state">Handed to it.</param>
    /// <param name="metadata">Separate metadata, where the bdev has some.</param>
    int ZoneAppend(ReadOnlySpan<IoVec> buffers, ulong zoneStart, ulong numBlocks, BdevIoCallback callback, object? state, nint metadata = 0) => -Errno.ENOTSUP;

    /// <summary>Has the entry called, once, when an I/O object is free again. Use after -ENOMEM only.</summary>
    /// <returns>0, or -EINVAL when the pool is not empty.</returns>
    int QueueIoWait(BdevIoWait entry);

    /// <summary>Hands submitted I/O to the device now. The host does so at the end of each loop; calling it is never needed for progress.</summary>
    void Flush();

    /// <summary>Gives the channel back; no I/O submitted through it may be outstanding.</summary>
    void Put();
}

/// <summary>Someone who waits for a free I/O object. Made once, used again.</summary>
public abstract class BdevIoWait
{
    internal BdevIoWait? Next;
    internal bool Queued;

    /// <summary>Try again now. Called on the waiting thread.</summary>
    protected internal abstract void OnAvailable();
}
