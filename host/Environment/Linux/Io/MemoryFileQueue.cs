using Spindle.Host.Environments.Linux.Interop;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux.Io;

/// <summary>Reads, writes and flushes of files that live in memory (see <see cref="LinuxFile.IsInMemory"/>): a plain system call for each, by the
/// ring's own thread. There is no device to wait for, and io_uring knows no way to try such files without blocking, so it hands every operation to a
/// worker thread: that took ten times as long.</summary>
/// <remarks>Operations wait here until the ring's next poll, as everywhere: a completion never comes inside a submission.</remarks>
internal sealed unsafe class MemoryFileQueue(OperationTable table)
{
    private readonly OperationTable _table = table;
    private OperationSlot? _first;
    private OperationSlot? _last;

    /// <summary>True when there are operations to do.</summary>
    internal bool HasQueued => _first is not null;

    /// <summary>True for the slot of an operation that is queued here.</summary>
    internal static bool Holds(OperationSlot slot) => slot.Target is LinuxFile { IsInMemory: true }
        && slot.Kind is OperationKind.Read or OperationKind.Write or OperationKind.Flush;

    /// <summary>Queues a read or a write.</summary>
    [DataPath]
    internal void Add(OperationSlot slot, LinuxFile file, ReadOnlySpan<IoVec> buffers, long offset)
    {
        slot.Offset = offset;
        slot.SetVectors(buffers);
        Add(slot, file);
    }

    /// <summary>Queues a flush, or a transfer that is set up.</summary>
    [DataPath]
    internal void Add(OperationSlot slot, LinuxFile file)
    {
        slot.Fd = file.Fd;
        slot.Next = null;
        if (_last is null) _first = slot;
        else _last.Next = slot;
        _last = slot;
    }

    /// <summary>Does what is queued now and runs the completions; what these queue is for the next time.</summary>
    /// <returns>Operations that were ended.</returns>
    [DataPath]
    internal int Run()
    {
        var slot = _first;
        _first = _last = null;
        var ended = 0;
        try
        {
            while (slot is not null)
            {
                var current = slot;
                slot = slot.Next;
                ended++;
                _table.Complete(current, current.Cancelled ? -Errno.ECANCELED : Do(current));
            }
        }
        finally
        {
            // Only after an exception out of a completion: the rest goes before what was queued meanwhile.
            if (slot is not null) PutBack(slot);
        }
        return ended;
    }

    [DataPath]
    private static int Do(OperationSlot slot)
    {
        var vectors = slot.Vectors;
        var result = slot.Kind switch
        {
            OperationKind.Read when slot.VectorCount == 1 => Libc.pread(slot.Fd, vectors->Base, vectors->Length, slot.Offset),
            OperationKind.Read => Libc.preadv(slot.Fd, vectors, slot.VectorCount, slot.Offset),
            OperationKind.Write when slot.VectorCount == 1 => Libc.pwrite(slot.Fd, vectors->Base, vectors->Length, slot.Offset),
            OperationKind.Write => Libc.pwritev(slot.Fd, vectors, slot.VectorCount, slot.Offset),
            _ => Libc.fdatasync(slot.Fd),
        };
        return result >= 0 ? (int)result : -Libc.LastError;
    }

    private void PutBack(OperationSlot slot)
    {
        var last = slot;
        while (last.Next is { } next) last = next;
        last.Next = _first;
        _last ??= last;
        _first = slot;
    }
}
