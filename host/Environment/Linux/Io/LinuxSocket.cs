using System.Net;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Io;

namespace Spindle.Host.Environments.Linux.Io;

/// <summary>A connected socket's descriptor.</summary>
internal sealed class LinuxSocket : RingSocket
{
    private const int BufferBytes = 2 << 20;

    private int _fd;

    private LinuxSocket(int fd) => _fd = fd;

    /// <summary>The descriptor, -1 when closed.</summary>
    internal int Fd => _fd;

    /// <summary>The last receive took all there was.</summary>
    internal bool Drained { get; set; }

    /// <summary>What the epoll ring keeps about it.</summary>
    internal object? RingState { get; set; }

    public override EndPoint LocalEndPoint => field ??= KernelSocketAddress.Ask(_fd, peer: false);

    public override EndPoint RemoteEndPoint => field ??= KernelSocketAddress.Ask(_fd, peer: true);

    /// <summary>Takes over the descriptor of a connection.</summary>
    internal static LinuxSocket Accepted(int fd)
    {
        // A PDU's header and data often go in separate sends: Nagle's algorithm would hold them back. Fails, harmlessly, on Unix sockets.
        _ = Libc.SetOption(fd, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
        // As large as SPDK has them (the kernel caps them at net.core.wmem_max and rmem_max): a batch of large transfers goes out in few sends.
        _ = Libc.SetOption(fd, Libc.SOL_SOCKET, Libc.SO_SNDBUF, BufferBytes);
        _ = Libc.SetOption(fd, Libc.SOL_SOCKET, Libc.SO_RCVBUF, BufferBytes);
        return new LinuxSocket(fd);
    }

    public override void ShutdownSend()
    {
        if (_fd >= 0) _ = Libc.shutdown(_fd, Libc.SHUT_WR);
    }

    public override void Shutdown()
    {
        if (_fd >= 0) _ = Libc.shutdown(_fd, Libc.SHUT_RDWR);
    }

    public override void Dispose()
    {
        var fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0) _ = Libc.close(fd);
    }
}

/// <summary>A listening socket's descriptor.</summary>
internal sealed class LinuxListener(int fd, string? unixPath) : RingListener
{
    private int _fd = fd;
    private readonly EndPoint _local = KernelSocketAddress.Ask(fd, peer: false);

    /// <summary>The descriptor, -1 when closed.</summary>
    internal int Fd => _fd;

    /// <summary>What the epoll ring keeps about it.</summary>
    internal object? RingState { get; set; }

    public override EndPoint LocalEndPoint => _local;

    public override void Dispose()
    {
        var fd = Interlocked.Exchange(ref _fd, -1);
        if (fd < 0) return;
        if (unixPath is not null) _ = Libc.unlink(unixPath);
        _ = Libc.close(fd);
    }
}

/// <summary>An eventfd.</summary>
internal sealed unsafe class LinuxEvent(int fd) : RingEvent
{
    private int _fd = fd;

    /// <summary>The descriptor, -1 when closed.</summary>
    internal int Fd => _fd;

    /// <summary>What the epoll ring keeps about it.</summary>
    internal object? RingState { get; set; }

    public override void Signal()
    {
        var one = 1ul;
        if (_fd >= 0) _ = Libc.write(_fd, &one, sizeof(ulong));
    }

    public override void Dispose()
    {
        var fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0) _ = Libc.close(fd);
    }
}
