using System.Runtime.CompilerServices;
using Spindle.Host.Environments.Linux.Interop;
using static Spindle.Host.Environments.Linux.Interop.IoUringAbi;

namespace Spindle.Host.Environments.Linux.IoUring;

/// <summary>One io_uring instance: its two queues in shared memory and the system call that drives them. Knows nothing of operations.
/// Used by the thread that made it.</summary>
internal sealed unsafe class IoUringQueue : IDisposable
{
    private readonly int _fd;
    private readonly byte* _rings;
    private readonly nuint _ringsSize;
    private readonly nuint _entriesSize;
    private readonly SubmissionEntry* _entries;
    private readonly CompletionEntry* _completions;
    private readonly uint* _sqHead;
    private readonly uint* _sqTail;
    private readonly uint* _sqFlags;
    private readonly uint* _cqHead;
    private readonly uint* _cqTail;
    private readonly uint _sqMask;
    private readonly uint _sqSize;
    private readonly uint _cqMask;
    private readonly int _enterFd;
    private readonly uint _enterFlags;
    private uint _tail;
    private bool _disposed;

    private IoUringQueue(int fd, in IoUringParams parameters, byte* rings, nuint ringsSize, SubmissionEntry* entries, nuint entriesSize)
    {
        _fd = fd;
        _rings = rings;
        _ringsSize = ringsSize;
        _entries = entries;
        _entriesSize = entriesSize;
        SetupFlags = parameters.Flags;
        _sqHead = (uint*)(rings + parameters.SqHead);
        _sqTail = (uint*)(rings + parameters.SqTail);
        _sqFlags = (uint*)(rings + parameters.SqFlags);
        _sqMask = *(uint*)(rings + parameters.SqMask);
        _sqSize = parameters.SqEntries;
        _cqHead = (uint*)(rings + parameters.CqHead);
        _cqTail = (uint*)(rings + parameters.CqTail);
        _cqMask = *(uint*)(rings + parameters.CqMask);
        _completions = (CompletionEntry*)(rings + parameters.CqEntriesOffset);

        // The index array is an indirection nobody needs: entry i is always at index i.
        var array = (uint*)(rings + parameters.SqArray);
        for (var i = 0u; i < parameters.SqEntries; i++) array[i] = i;
        _tail = *_sqTail;

        // A registered ring descriptor saves the kernel a file look-up per call (since 5.18); without it the descriptor itself does.
        var update = new ResourceUpdate { Offset = uint.MaxValue, Data = (ulong)fd };
        if (Register(fd, REGISTER_RING_FDS, &update, 1) == 1)
        {
            _enterFd = (int)update.Offset;
            _enterFlags = ENTER_REGISTERED_RING;
        }
        else
        {
            _enterFd = fd;
        }
    }

    /// <summary>The IORING_SETUP_* flags that the kernel accepted.</summary>
    internal uint SetupFlags { get; }

    /// <summary>Makes an instance with the best set of flags the kernel knows.</summary>
    /// <returns>Null with a positive error number when it refuses all.</returns>
    internal static IoUringQueue? Create(uint submissionEntries, uint completionEntries, out int error)
    {
        // Best first: 6.1 (completions run only when this thread asks), 5.19 (no interrupts for task work), 5.11.
        ReadOnlySpan<uint> attempts =
        [
            SETUP_SUBMIT_ALL | SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN,
            SETUP_SUBMIT_ALL | SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG,
            0,
        ];
        error = 0;
        foreach (var flags in attempts)
        {
            var parameters = new IoUringParams { Flags = flags | SETUP_CQSIZE | SETUP_CLAMP, CqEntries = completionEntries };
            var fd = Setup(submissionEntries, &parameters);
            if (fd < 0)
            {
                error = Libc.LastError;
                if (error == Errno.EINVAL) continue;
                return null;
            }
            const uint needed = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_EXT_ARG;
            if ((parameters.Features & needed) != needed)
            {
                _ = Libc.close(fd);
                error = Errno.ENOSYS;
                return null;
            }
            return Map(fd, parameters, out error);
        }
        return null;
    }

    /// <summary>True when there are entries the kernel has not taken.</summary>
    internal bool HasQueued
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _tail != Volatile.Read(ref *_sqHead);
    }

    /// <summary>True when the kernel has completions that it hands out only when asked.</summary>
    internal bool KernelNeedsEntry
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Volatile.Read(ref *_sqFlags) & (SQ_TASKRUN | SQ_CQ_OVERFLOW)) != 0;
    }

    /// <summary>Where the completions end that are there now.</summary>
    internal uint CompletionTail
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *_cqTail);
    }

    /// <summary>Where the completions begin; only this thread moves it.</summary>
    internal uint CompletionHead
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => *_cqHead;
    }

    /// <summary>Takes the completion at the head, so that the kernel may use its place again.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CompletionEntry Take()
    {
        var head = *_cqHead;
        var entry = _completions[head & _cqMask];
        // Release: the entry has been read before the kernel sees its place as free.
        Volatile.Write(ref *_cqHead, head + 1);
        return entry;
    }

    /// <summary>A zeroed entry to fill, or null when the queue is full and the kernel takes nothing now. The entry is submitted by the next
    /// <see cref="Enter"/>, so it must be filled at once.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal SubmissionEntry* Next()
    {
        if (_tail - Volatile.Read(ref *_sqHead) >= _sqSize && !MakeRoom()) return null;
        var entry = _entries + (_tail++ & _sqMask);
        *entry = default;
        return entry;
    }

    /// <summary>Submits what is queued and lets the kernel run what it held back; never blocks.</summary>
    [DataPath]
    internal int Enter()
    {
        // Release: the entries are complete before the kernel sees the tail.
        Volatile.Write(ref *_sqTail, _tail);
        return IoUringAbi.Enter(_enterFd, _tail - Volatile.Read(ref *_sqHead), 0, ENTER_GETEVENTS | _enterFlags, null, 0);
    }

    /// <summary>Submits what is queued and blocks until a completion is there or the time has passed.</summary>
    /// <param name="timeout">Infinite when negative.</param>
    internal void EnterAndWait(TimeSpan timeout)
    {
        Volatile.Write(ref *_sqTail, _tail);
        var time = KernelTimespec.From(timeout);
        var argument = new GetEventsArgument { Timeout = timeout < TimeSpan.Zero ? null : &time };
        _ = IoUringAbi.Enter(_enterFd, _tail - Volatile.Read(ref *_sqHead), 1, ENTER_GETEVENTS | ENTER_EXT_ARG | _enterFlags,
            &argument, (nuint)sizeof(GetEventsArgument));
    }

    /// <summary>Whether the kernel knows all of the given operations.</summary>
    internal bool Supports(ReadOnlySpan<byte> opcodes)
    {
        // struct io_uring_probe: last_op u8, ops_len u8, 14 bytes reserved; then 256 × { op u8, resv u8, flags u16, resv u32 }.
        var probe = stackalloc byte[16 + 256 * 8];
        new Span<byte>(probe, 16 + 256 * 8).Clear();
        if (Register(_fd, REGISTER_PROBE, probe, 256) < 0) return false;
        foreach (var opcode in opcodes)
        {
            if (opcode > probe[0] || (probe[16 + opcode * 8 + 2] & 1) == 0) return false;
        }
        return true;
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_enterFlags != 0)
        {
            var update = new ResourceUpdate { Offset = (uint)_enterFd };
            _ = Register(_fd, UNREGISTER_RING_FDS, &update, 1);
        }
        _ = Libc.munmap(_entries, _entriesSize);
        _ = Libc.munmap(_rings, _ringsSize);
        _ = Libc.close(_fd);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool MakeRoom()
    {
        Volatile.Write(ref *_sqTail, _tail);
        _ = IoUringAbi.Enter(_enterFd, _tail - Volatile.Read(ref *_sqHead), 0, _enterFlags, null, 0);
        return _tail - Volatile.Read(ref *_sqHead) < _sqSize;
    }

    private static IoUringQueue? Map(int fd, in IoUringParams parameters, out int error)
    {
        var ringsSize = (nuint)Math.Max(parameters.SqArray + parameters.SqEntries * sizeof(uint),
            parameters.CqEntriesOffset + parameters.CqEntries * (uint)sizeof(CompletionEntry));
        var entriesSize = (nuint)parameters.SqEntries * (nuint)sizeof(SubmissionEntry);
        const int protection = Libc.PROT_READ | Libc.PROT_WRITE, flags = Libc.MAP_SHARED | Libc.MAP_POPULATE;
        var rings = Libc.mmap(null, ringsSize, protection, flags, fd, OFF_SQ_RING);
        if (rings == Libc.MAP_FAILED)
        {
            error = Libc.LastError;
            _ = Libc.close(fd);
            return null;
        }
        var entries = Libc.mmap(null, entriesSize, protection, flags, fd, OFF_SQES);
        if (entries == Libc.MAP_FAILED)
        {
            error = Libc.LastError;
            _ = Libc.munmap(rings, ringsSize);
            _ = Libc.close(fd);
            return null;
        }
        error = 0;
        return new IoUringQueue(fd, parameters, (byte*)rings, ringsSize, (SubmissionEntry*)entries, entriesSize);
    }
}
