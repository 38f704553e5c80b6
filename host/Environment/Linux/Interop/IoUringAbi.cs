using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>The kernel's io_uring interface (include/uapi/linux/io_uring.h), as far as it is used.</summary>
internal static unsafe partial class IoUringAbi
{
    internal const uint SETUP_CQSIZE = 1 << 3, SETUP_CLAMP = 1 << 4, SETUP_SUBMIT_ALL = 1 << 7, SETUP_COOP_TASKRUN = 1 << 8,
        SETUP_TASKRUN_FLAG = 1 << 9, SETUP_SINGLE_ISSUER = 1 << 12, SETUP_DEFER_TASKRUN = 1 << 13;
    internal const uint FEAT_SINGLE_MMAP = 1 << 0, FEAT_NODROP = 1 << 1, FEAT_EXT_ARG = 1 << 8;
    internal const uint SQ_CQ_OVERFLOW = 1 << 1, SQ_TASKRUN = 1 << 2;
    internal const uint ENTER_GETEVENTS = 1 << 0, ENTER_EXT_ARG = 1 << 3, ENTER_REGISTERED_RING = 1 << 4;
    internal const uint CQE_F_SOCK_NONEMPTY = 1 << 2;
    internal const long OFF_SQ_RING = 0, OFF_SQES = 0x10000000;
    internal const uint REGISTER_PROBE = 8, REGISTER_RING_FDS = 20, UNREGISTER_RING_FDS = 21;
    internal const ushort RECVSEND_POLL_FIRST = 1;
    internal const uint FSYNC_DATASYNC = 1;
    internal const uint ASYNC_CANCEL_ANY = 1 << 2, ASYNC_CANCEL_ALL = 1 << 0;

    internal const byte OP_READV = 1, OP_WRITEV = 2, OP_FSYNC = 3, OP_SENDMSG = 9, OP_RECVMSG = 10, OP_TIMEOUT = 11, OP_ACCEPT = 13,
        OP_ASYNC_CANCEL = 14, OP_FALLOCATE = 17, OP_READ = 22, OP_WRITE = 23, OP_SEND = 26, OP_RECV = 27;

    /// <summary>System call numbers; the same on every architecture.</summary>
    private const nint NR_setup = 425, NR_enter = 426, NR_register = 427;

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    internal static int Setup(uint entries, IoUringParams* parameters) =>
        (int)syscall(NR_setup, (nint)entries, (nint)parameters, 0, 0, 0, 0);

    /// <returns>Entries submitted, or -1 with errno.</returns>
    internal static int Enter(int fd, uint toSubmit, uint minimumComplete, uint flags, void* argument, nuint argumentSize)
    {
        SystemCallCount.Add();
        return (int)syscall(NR_enter, fd, (nint)toSubmit, (nint)minimumComplete, (nint)flags, (nint)argument, (nint)argumentSize);
    }

    internal static int Register(int fd, uint opcode, void* argument, uint count) =>
        (int)syscall(NR_register, fd, (nint)opcode, (nint)argument, (nint)count, 0, 0);
}

/// <summary>struct io_uring_sqe.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct SubmissionEntry
{
    [FieldOffset(0)] internal byte Opcode;
    [FieldOffset(1)] internal byte Flags;
    [FieldOffset(2)] internal ushort IoPriority;
    [FieldOffset(4)] internal int Fd;
    [FieldOffset(8)] internal ulong Offset;
    [FieldOffset(16)] internal ulong Address;
    [FieldOffset(24)] internal uint Length;
    [FieldOffset(28)] internal uint OperationFlags;
    [FieldOffset(32)] internal ulong UserData;
}

/// <summary>struct io_uring_cqe.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct CompletionEntry
{
    internal ulong UserData;
    internal int Result;
    internal uint Flags;
}

/// <summary>struct io_uring_params.</summary>
[StructLayout(LayoutKind.Explicit, Size = 120)]
internal struct IoUringParams
{
    [FieldOffset(0)] internal uint SqEntries;
    [FieldOffset(4)] internal uint CqEntries;
    [FieldOffset(8)] internal uint Flags;
    [FieldOffset(20)] internal uint Features;
    [FieldOffset(40)] internal uint SqHead;
    [FieldOffset(44)] internal uint SqTail;
    [FieldOffset(48)] internal uint SqMask;
    [FieldOffset(56)] internal uint SqFlags;
    [FieldOffset(64)] internal uint SqArray;
    [FieldOffset(80)] internal uint CqHead;
    [FieldOffset(84)] internal uint CqTail;
    [FieldOffset(88)] internal uint CqMask;
    [FieldOffset(100)] internal uint CqEntriesOffset;
}

/// <summary>struct io_uring_getevents_arg: what EXT_ARG passes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
internal unsafe struct GetEventsArgument
{
    internal ulong SignalMask;
    internal uint SignalMaskSize;
    internal uint MinimumWaitMicroseconds;
    internal KernelTimespec* Timeout;
}

/// <summary>struct io_uring_rsrc_update, as REGISTER_RING_FDS takes it.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct ResourceUpdate
{
    internal uint Offset;
    internal uint Reserved;
    internal ulong Data;
}
