using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>epoll(7).</summary>
internal static unsafe partial class Libc
{
    internal const int EPOLL_CLOEXEC = 0x80000, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;
    internal const uint EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 0x10, EPOLLRDHUP = 0x2000, EPOLLET = 1u << 31;

    /// <summary>struct epoll_event is packed on x86-64 only (linux/eventpoll.h, EPOLL_PACKED).</summary>
    internal static readonly int EpollEventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    internal static readonly int EpollDataOffset = EpollEventSize - 8;

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int fd, byte* ev);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int epoll_wait_uncounted(int epoll, byte* events, int capacity, int timeoutMilliseconds);

    internal static int epoll_wait(int epoll, byte* events, int capacity, int timeoutMilliseconds)
    {
        SystemCallCount.Add();
        return epoll_wait_uncounted(epoll, events, capacity, timeoutMilliseconds);
    }

    /// <summary>Watches a descriptor, edge-triggered.</summary>
    /// <returns>0 or a positive error number.</returns>
    internal static int EpollWatch(int epoll, int fd, uint events, ulong data)
    {
        var ev = stackalloc byte[16];
        *(uint*)ev = events | EPOLLET;
        *(ulong*)(ev + EpollDataOffset) = data;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, ev) == 0) return 0;
        if (LastError == Errno.EEXIST && epoll_ctl(epoll, EPOLL_CTL_MOD, fd, ev) == 0) return 0;
        return LastError;
    }
}
