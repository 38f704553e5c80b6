using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>File descriptors: the C library's functions, one to one. Those that set errno are read with <see cref="LastError"/>.</summary>
internal static unsafe partial class Libc
{
    internal const int O_RDONLY = 0, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000;
    internal const int SEEK_END = 2;
    internal const int F_GETFL = 3, F_SETFL = 4;
    internal const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;
    internal const int FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2, FALLOC_FL_ZERO_RANGE = 0x10;
    internal const nuint BLKSSZGET = 0x1268, BLKGETSIZE64 = 0x80081272;
    internal const int ETIME = 62, EOVERFLOW = 75, EOPNOTSUPP = 95;

    /// <summary>O_DIRECT differs between architectures (asm-generic/fcntl.h and arch/arm64/include/uapi/asm/fcntl.h).</summary>
    internal static readonly int O_DIRECT = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>errno of the calling thread's last call, positive.</summary>
    internal static int LastError => Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ioctl(int fd, nuint request, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint read_uncounted(int fd, void* buffer, nuint count);

    internal static nint read(int fd, void* buffer, nuint count)
    {
        SystemCallCount.Add();
        return read_uncounted(fd, buffer, count);
    }

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint pread_uncounted(int fd, void* buffer, nuint count, long offset);

    internal static nint pread(int fd, void* buffer, nuint count, long offset)
    {
        SystemCallCount.Add();
        return pread_uncounted(fd, buffer, count, offset);
    }

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint pwrite_uncounted(int fd, void* buffer, nuint count, long offset);

    internal static nint pwrite(int fd, void* buffer, nuint count, long offset)
    {
        SystemCallCount.Add();
        return pwrite_uncounted(fd, buffer, count, offset);
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint write_uncounted(int fd, void* buffer, nuint count);

    internal static nint write(int fd, void* buffer, nuint count)
    {
        SystemCallCount.Add();
        return write_uncounted(fd, buffer, count);
    }

    [LibraryImport("libc", EntryPoint = "preadv", SetLastError = true)]
    private static partial nint preadv_uncounted(int fd, IoVector* vector, int count, long offset);

    internal static nint preadv(int fd, IoVector* vector, int count, long offset)
    {
        SystemCallCount.Add();
        return preadv_uncounted(fd, vector, count, offset);
    }

    [LibraryImport("libc", EntryPoint = "pwritev", SetLastError = true)]
    private static partial nint pwritev_uncounted(int fd, IoVector* vector, int count, long offset);

    internal static nint pwritev(int fd, IoVector* vector, int count, long offset)
    {
        SystemCallCount.Add();
        return pwritev_uncounted(fd, vector, count, offset);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int fdatasync_uncounted(int fd);

    internal static int fdatasync(int fd)
    {
        SystemCallCount.Add();
        return fdatasync_uncounted(fd);
    }

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int fallocate_uncounted(int fd, int mode, long offset, long length);

    internal static int fallocate(int fd, int mode, long offset, long length)
    {
        SystemCallCount.Add();
        return fallocate_uncounted(fd, mode, offset, length);
    }

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int poll(PollFd* fds, nuint count, int timeoutMilliseconds);
}

/// <summary>struct iovec.</summary>
internal unsafe struct IoVector
{
    internal void* Base;
    internal nuint Length;
}

/// <summary>struct pollfd.</summary>
internal struct PollFd
{
    internal const short POLLIN = 1, POLLOUT = 4;

    internal int Fd;
    internal short Events;
    internal short Revents;
}

/// <summary>struct __kernel_timespec.</summary>
internal struct KernelTimespec
{
    internal long Seconds;
    internal long Nanoseconds;

    internal static KernelTimespec From(TimeSpan span)
    {
        var ticks = Math.Max(span.Ticks, 0);
        return new KernelTimespec { Seconds = ticks / TimeSpan.TicksPerSecond, Nanoseconds = ticks % TimeSpan.TicksPerSecond * 100 };
    }
}
