using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>The kernel's asynchronous I/O (include/uapi/linux/aio_abi.h), by system call: libaio itself is a thin shell round the same.</summary>
internal static unsafe partial class AioAbi
{
    internal const ushort IOCB_CMD_PREAD = 0, IOCB_CMD_PWRITE = 1, IOCB_CMD_PREADV = 7, IOCB_CMD_PWRITEV = 8;
    internal const uint IOCB_FLAG_RESFD = 1;

    private static readonly bool Generic = RuntimeInformation.ProcessArchitecture != Architecture.X64;

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e);

    internal static int Setup(int events, nuint* context) => (int)syscall(Generic ? 0 : 206, events, (nint)context, 0, 0, 0);

    internal static int Destroy(nuint context) => (int)syscall(Generic ? 1 : 207, (nint)context, 0, 0, 0, 0);

    internal static int Submit(nuint context, int count, AioControlBlock** blocks)
    {
        SystemCallCount.Add();
        return (int)syscall(Generic ? 2 : 209, (nint)context, count, (nint)blocks, 0, 0);
    }

    internal static int GetEvents(nuint context, int minimum, int maximum, AioEvent* events, KernelTimespec* timeout)
    {
        SystemCallCount.Add();
        return (int)syscall(Generic ? 4 : 208, (nint)context, minimum, maximum, (nint)events, (nint)timeout);
    }
}

/// <summary>struct iocb (little-endian).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct AioControlBlock
{
    [FieldOffset(0)] internal ulong Data;
    [FieldOffset(16)] internal ushort Opcode;
    [FieldOffset(20)] internal int Fd;
    [FieldOffset(24)] internal ulong Buffer;
    [FieldOffset(32)] internal ulong Bytes;
    [FieldOffset(40)] internal long Offset;
    [FieldOffset(56)] internal uint Flags;
    [FieldOffset(60)] internal int EventFd;
}

/// <summary>struct io_event.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct AioEvent
{
    internal ulong Data;
    internal ulong Object;
    internal long Result;
    internal long Result2;
}

/// <summary>The head of the completion ring that a context's identifier points to (fs/aio.c, struct aio_ring); user space has long read it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AioRingHeader
{
    internal const uint ExpectedMagic = 0xa10a10a1;

    internal uint Id;
    internal uint Size;
    internal uint Head;
    internal uint Tail;
    internal uint Magic;
}
