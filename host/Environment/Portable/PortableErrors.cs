using System.Net.Sockets;

namespace Spindle.Host.Environments.Portable;

/// <summary>.NET's exceptions as error numbers.</summary>
internal static class PortableErrors
{
    private const int ECONNABORTED = 103, ENETUNREACH = 101, EHOSTUNREACH = 113;

    /// <summary>ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL as HRESULTs; elsewhere .NET gives the system's own number.</summary>
    private const int DiskFull = unchecked((int)0x80070070), HandleDiskFull = unchecked((int)0x80070027);

    /// <summary>The positive error number.</summary>
    internal static int Of(Exception exception) => exception switch
    {
        SocketException socket => Of(socket.SocketErrorCode),
        OperationCanceledException => Errno.ECANCELED,
        ObjectDisposedException => Errno.EBADF,
        FileNotFoundException or DirectoryNotFoundException => Errno.ENOENT,
        UnauthorizedAccessException => Errno.EACCES,
        PathTooLongException or ArgumentException or NotSupportedException => Errno.EINVAL,
        OutOfMemoryException => Errno.ENOMEM,
        IOException { InnerException: SocketException inner } => Of(inner.SocketErrorCode),
        IOException io when io.HResult is DiskFull or HandleDiskFull or Errno.ENOSPC => Errno.ENOSPC,
        _ => Errno.EIO,
    };

    internal static int Of(SocketError error) => error switch
    {
        SocketError.Success => 0,
        SocketError.OperationAborted or SocketError.Interrupted => Errno.ECANCELED,
        SocketError.ConnectionReset => Errno.ECONNRESET,
        SocketError.ConnectionAborted => ECONNABORTED,
        SocketError.ConnectionRefused => Errno.ECONNREFUSED,
        SocketError.Shutdown => Errno.EPIPE,
        SocketError.NotConnected => Errno.ENOTCONN,
        SocketError.TimedOut => Errno.ETIMEDOUT,
        SocketError.AddressAlreadyInUse => Errno.EADDRINUSE,
        SocketError.AddressNotAvailable => Errno.EADDRNOTAVAIL,
        SocketError.AccessDenied => Errno.EACCES,
        SocketError.NetworkUnreachable => ENETUNREACH,
        SocketError.HostUnreachable or SocketError.HostNotFound => EHOSTUNREACH,
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable => Errno.ENOMEM,
        SocketError.InvalidArgument => Errno.EINVAL,
        _ => Errno.EIO,
    };
}
