using System.Net;
using System.Net.Sockets;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Io;

namespace Spindle.Host.Environments.Linux.Io;

/// <summary>Opens files, sockets and events on Linux.</summary>
/// <param name="nonBlocking">Listeners and events shall not block: for the epoll ring. io_uring waits by itself, but gives up with EAGAIN on a
/// descriptor that says not to.</param>
internal sealed unsafe class LinuxIoPlatform(bool nonBlocking) : IIoPlatform
{
    /// <summary>How long a connection attempt stays deaf to its cancellation.</summary>
    private const int CancellationLatencyMilliseconds = 20;

    public string Name => "linux";

    public RingFile OpenFile(string path, FileOpenOptions options) => LinuxFile.Open(path, options);

    public RingEvent CreateEvent()
    {
        var fd = Libc.eventfd(0, Libc.EFD_CLOEXEC | (nonBlocking ? Libc.EFD_NONBLOCK : 0));
        if (fd >= 0) return new LinuxEvent(fd);
        var error = Libc.LastError;
        throw new SpindleException(error, $"Cannot make an event: {Errno.Message(error)}. Raise the limit of open files (ulimit -n).");
    }

    public RingListener Listen(EndPoint endPoint, int backlog = 512)
    {
        Span<byte> address = stackalloc byte[Libc.MaxSocketAddress];
        address.Clear();
        var length = KernelSocketAddress.Write(endPoint, address, out var family);
        var fd = Socket(family, endPoint, nonBlocking);
        try
        {
            if (family != Libc.AF_UNIX && Libc.SetOption(fd, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1) < 0) throw ListenError(endPoint);
            // [::] listens for IPv6 alone: 0.0.0.0 on the same port may then be a listener of its own.
            if (family == Libc.AF_INET6 && Libc.SetOption(fd, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY, 1) < 0) throw ListenError(endPoint);
            fixed (byte* pointer = address)
            {
                if (Libc.bind(fd, pointer, length) < 0) throw ListenError(endPoint);
            }
            if (Libc.listen(fd, backlog) < 0) throw ListenError(endPoint);
            var path = family == Libc.AF_UNIX && endPoint.ToString() is { } name && !name.StartsWith('@') ? name : null;
            return new LinuxListener(fd, path);
        }
        catch
        {
            _ = Libc.close(fd);
            throw;
        }
    }

    public Task<RingSocket> ConnectAsync(EndPoint endPoint, CancellationToken cancellationToken) =>
        // A thread of its own: connecting is rare, and waiting for it must not hold up the thread pool.
        Task.Factory.StartNew(() => Connect(endPoint, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default);

    private RingSocket Connect(EndPoint endPoint, CancellationToken cancellationToken)
    {
        Span<byte> address = stackalloc byte[Libc.MaxSocketAddress];
        address.Clear();
        var length = KernelSocketAddress.Write(endPoint, address, out var family);
        var fd = Socket(family, endPoint, nonBlocking: true);
        try
        {
            fixed (byte* pointer = address)
            {
                if (Libc.connect(fd, pointer, length) < 0)
                {
                    if (Libc.LastError is not (Errno.EINPROGRESS or Errno.EINTR)) throw ConnectError(endPoint, Libc.LastError);
                    WaitForConnection(fd, endPoint, cancellationToken);
                }
            }
            var flags = Libc.fcntl(fd, Libc.F_GETFL, 0);
            if (!nonBlocking && Libc.fcntl(fd, Libc.F_SETFL, flags & ~Libc.O_NONBLOCK) < 0) throw ConnectError(endPoint, Libc.LastError);
            return LinuxSocket.Accepted(fd);
        }
        catch
        {
            _ = Libc.close(fd);
            throw;
        }
    }

    private static void WaitForConnection(int fd, EndPoint endPoint, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var poll = new PollFd { Fd = fd, Events = PollFd.POLLOUT };
            if (Libc.poll(&poll, 1, CancellationLatencyMilliseconds) > 0) break;
        }
        var error = 0;
        uint size = sizeof(int);
        if (Libc.getsockopt(fd, Libc.SOL_SOCKET, Libc.SO_ERROR, &error, &size) < 0) error = Libc.LastError;
        if (error != 0) throw ConnectError(endPoint, error);
    }

    private static int Socket(int family, EndPoint endPoint, bool nonBlocking)
    {
        var fd = Libc.socket(family, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC | (nonBlocking ? Libc.SOCK_NONBLOCK : 0), 0);
        if (fd >= 0) return fd;
        var error = Libc.LastError;
        throw new SpindleException(error, $"Cannot make a socket for {endPoint}: {Errno.Message(error)}.");
    }

    private static SpindleException ListenError(EndPoint endPoint)
    {
        var error = Libc.LastError;
        var remedy = error switch
        {
            Errno.EADDRINUSE when endPoint is UnixDomainSocketEndPoint => " Another process listens there, or its file was left behind: remove it or choose another path.",
            Errno.EADDRINUSE => " Another socket listens there: stop its owner or choose another port.",
            Errno.EACCES => " Ports below 1024 need CAP_NET_BIND_SERVICE; a path needs write access to its folder.",
            Errno.EADDRNOTAVAIL => " No network interface of this machine has that address.",
            _ => "",
        };
        return new SpindleException(error, $"Cannot listen on {endPoint}: {Errno.Message(error)}.{remedy}");
    }

    private static SpindleException ConnectError(EndPoint endPoint, int error) =>
        new(error, $"Cannot connect to {endPoint}: {Errno.Message(error)}.");
}
