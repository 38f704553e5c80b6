using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>Sockets.</summary>
internal static unsafe partial class Libc
{
    internal const int AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10;
    internal const int SOCK_STREAM = 1, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
    internal const int SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_ERROR = 4, SO_SNDBUF = 7, SO_RCVBUF = 8;
    internal const int IPPROTO_TCP = 6, TCP_NODELAY = 1, IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26;
    internal const int SHUT_WR = 1;
    internal const int SHUT_RDWR = 2;
    internal const int MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;

    /// <summary>The largest struct sockaddr_*: sockaddr_un, 110 bytes.</summary>
    internal const int MaxSocketAddress = 128;

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int bind(int fd, byte* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int connect(int fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int accept4_uncounted(int fd, byte* address, uint* length, int flags);

    internal static int accept4(int fd, byte* address, uint* length, int flags)
    {
        SystemCallCount.Add();
        return accept4_uncounted(fd, address, length, flags);
    }

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int shutdown(int fd, int how);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int getsockname(int fd, byte* address, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int getpeername(int fd, byte* address, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int getsockopt(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setsockopt(int fd, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint recv_uncounted(int fd, void* buffer, nuint length, int flags);

    internal static nint recv(int fd, void* buffer, nuint length, int flags)
    {
        SystemCallCount.Add();
        return recv_uncounted(fd, buffer, length, flags);
    }

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint send_uncounted(int fd, void* buffer, nuint length, int flags);

    internal static nint send(int fd, void* buffer, nuint length, int flags)
    {
        SystemCallCount.Add();
        return send_uncounted(fd, buffer, length, flags);
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint recvmsg_uncounted(int fd, MessageHeader* message, int flags);

    internal static nint recvmsg(int fd, MessageHeader* message, int flags)
    {
        SystemCallCount.Add();
        return recvmsg_uncounted(fd, message, flags);
    }

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint sendmsg_uncounted(int fd, MessageHeader* message, int flags);

    internal static nint sendmsg(int fd, MessageHeader* message, int flags)
    {
        SystemCallCount.Add();
        return sendmsg_uncounted(fd, message, flags);
    }

    internal static int SetOption(int fd, int level, int name, int value) => setsockopt(fd, level, name, &value, sizeof(int));
}

/// <summary>struct msghdr, as the kernel and glibc lay it out on 64-bit machines.</summary>
[StructLayout(LayoutKind.Sequential, Size = 56)]
internal unsafe struct MessageHeader
{
    internal void* Name;
    internal uint NameLength;
    internal IoVector* Vector;
    internal nuint VectorLength;
    internal void* Control;
    internal nuint ControlLength;
    internal int Flags;
}
