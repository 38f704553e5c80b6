namespace Spindle;

/// <summary>The POSIX error numbers that Spindle's contract uses, as positive values. Methods that return an <c>int</c> result
/// return 0 (or a count) for success and the negated number for failure, as SPDK does.</summary>
public static class Errno
{
    /// <summary>Operation not permitted.</summary>
    public const int EPERM = 1;
    /// <summary>No such file, directory or object.</summary>
    public const int ENOENT = 2;
    /// <summary>Interrupted system call.</summary>
    public const int EINTR = 4;
    /// <summary>Input/output error.</summary>
    public const int EIO = 5;
    /// <summary>No such device or address.</summary>
    public const int ENXIO = 6;
    /// <summary>Bad file descriptor.</summary>
    public const int EBADF = 9;
    /// <summary>Try again.</summary>
    public const int EAGAIN = 11;
    /// <summary>Out of memory, or of pooled objects; retry when some were returned.</summary>
    public const int ENOMEM = 12;
    /// <summary>Permission denied.</summary>
    public const int EACCES = 13;
    /// <summary>Device or resource busy.</summary>
    public const int EBUSY = 16;
    /// <summary>The object exists already.</summary>
    public const int EEXIST = 17;
    /// <summary>No such device.</summary>
    public const int ENODEV = 19;
    /// <summary>Not a directory.</summary>
    public const int ENOTDIR = 20;
    /// <summary>Is a directory.</summary>
    public const int EISDIR = 21;
    /// <summary>Invalid argument.</summary>
    public const int EINVAL = 22;
    /// <summary>File too large.</summary>
    public const int EFBIG = 27;
    /// <summary>No space left on device.</summary>
    public const int ENOSPC = 28;
    /// <summary>Read-only file system.</summary>
    public const int EROFS = 30;
    /// <summary>Broken pipe.</summary>
    public const int EPIPE = 32;
    /// <summary>Result out of range.</summary>
    public const int ERANGE = 34;
    /// <summary>Function not implemented.</summary>
    public const int ENOSYS = 38;
    /// <summary>Bad message, or a metadata check that failed.</summary>
    public const int EILSEQ = 84;
    /// <summary>Operation not supported.</summary>
    public const int ENOTSUP = 95;
    /// <summary>Protocol error.</summary>
    public const int EPROTO = 71;
    /// <summary>Address in use.</summary>
    public const int EADDRINUSE = 98;
    /// <summary>Address not available on this machine.</summary>
    public const int EADDRNOTAVAIL = 99;
    /// <summary>Connection reset by the peer.</summary>
    public const int ECONNRESET = 104;
    /// <summary>The transport endpoint is not connected.</summary>
    public const int ENOTCONN = 107;
    /// <summary>Timed out.</summary>
    public const int ETIMEDOUT = 110;
    /// <summary>Connection refused.</summary>
    public const int ECONNREFUSED = 111;
    /// <summary>Already in progress.</summary>
    public const int EALREADY = 114;
    /// <summary>Operation now in progress.</summary>
    public const int EINPROGRESS = 115;
    /// <summary>Cancelled.</summary>
    public const int ECANCELED = 125;

    /// <summary>The C library's text for <paramref name="errno"/> (either sign), which RPC clients compare against.</summary>
    public static string Message(int errno) => Math.Abs(errno) switch
    {
        0 => "Success",
        EPERM => "Operation not permitted",
        ENOENT => "No such file or directory",
        EINTR => "Interrupted system call",
        EIO => "Input/output error",
        ENXIO => "No such device or address",
        EBADF => "Bad file descriptor",
        EAGAIN => "Resource temporarily unavailable",
        ENOMEM => "Cannot allocate memory",
        EACCES => "Permission denied",
        EBUSY => "Device or resource busy",
        EEXIST => "File exists",
        ENODEV => "No such device",
        ENOTDIR => "Not a directory",
        EISDIR => "Is a directory",
        EINVAL => "Invalid argument",
        EFBIG => "File too large",
        ENOSPC => "No space left on device",
        EROFS => "Read-only file system",
        EPIPE => "Broken pipe",
        ERANGE => "Numerical result out of range",
        ENOSYS => "Function not implemented",
        EILSEQ => "Invalid or incomplete multibyte or wide character",
        ENOTSUP => "Operation not supported",
        EPROTO => "Protocol error",
        EADDRINUSE => "Address already in use",
        EADDRNOTAVAIL => "Cannot assign requested address",
        ECONNRESET => "Connection reset by peer",
        ENOTCONN => "Transport endpoint is not connected",
        ETIMEDOUT => "Connection timed out",
        ECONNREFUSED => "Connection refused",
        EALREADY => "Operation already in progress",
        EINPROGRESS => "Operation now in progress",
        ECANCELED => "Operation canceled",
        var other => $"Unknown error {other}",
    };
}
