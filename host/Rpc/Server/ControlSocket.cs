using System.Net.Sockets;

namespace Spindle.Host.Rpc.Server;

/// <summary>The listening Unix socket: takes its path, after one left behind by a process that has died; refuses one in use.</summary>
internal sealed class ControlSocket : IDisposable
{
    const int MaxPathBytes = 107; // sockaddr_un has 108, with the end mark

    readonly string _path;
    readonly FileStream _lock;

    ControlSocket(string path, FileStream lockFile, Socket socket) => (_path, _lock, Socket) = (path, lockFile, socket);

    /// <summary>The listening socket.</summary>
    public Socket Socket { get; }

    /// <summary>Listens, for the owner of the process alone.</summary>
    /// <exception cref="SpindleException">The path cannot be used; the message says why and what to do.</exception>
    public static ControlSocket Listen(string path, int backlog)
    {
        if (path.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            throw new SpindleException(Errno.EINVAL, $"Control socket path '{path}' is longer than {MaxPathBytes} bytes, or empty; choose another by --rpc-socket.");
        }
        path = Path.GetFullPath(path);
        var lockFile = Lock(path);
        Socket? socket = null;
        try
        {
            RemoveStale(path);
            socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            if (!OperatingSystem.IsWindows())
            {
                // Before listening, so that nobody else ever gets a connection, whatever the umask.
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
            socket.Listen(backlog);
            return new ControlSocket(path, lockFile, socket);
        }
        catch (Exception exception)
        {
            socket?.Dispose();
            Unlock(path, lockFile);
            throw exception is SocketException or IOException or UnauthorizedAccessException
                ? new SpindleException(Errno.EACCES, $"Control socket '{path}' cannot be made: {exception.Message} Choose another path by --rpc-socket.")
                : exception is SpindleException known ? new SpindleException(known.Errno, known.Message)
                : new InvalidOperationException($"Control socket '{path}': {exception.Message}", exception);
        }
    }

    /// <summary>Takes the lock that SPDK takes as well: an flock on PATH.lock. The system drops it when the process ends, however it ends.</summary>
    static FileStream Lock(string path)
    {
        try
        {
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (DirectoryNotFoundException)
        {
            throw new SpindleException(Errno.ENOENT, $"Control socket '{path}' cannot be made: its folder does not exist; make it, or choose another path by --rpc-socket.");
        }
        catch (UnauthorizedAccessException)
        {
            throw new SpindleException(Errno.EACCES,
                $"Control socket '{path}' cannot be made: no permission to write '{path}.lock', which may be another user's; remove it, or choose another path by --rpc-socket.");
        }
        catch (IOException)
        {
            throw InUse(path);
        }
    }

    static SpindleException InUse(string path) => new(Errno.EADDRINUSE,
        $"Control socket '{path}' is in use by another running process; stop that one ('spindle rpc -s {path} spdk_kill_instance sig_name=SIGTERM'), or choose another path by --rpc-socket.");

    static void RemoveStale(string path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
        {
            return;
        }
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            throw new SpindleException(Errno.EEXIST, $"Control socket '{path}' cannot be made: something else is there, and it is left alone; choose another path by --rpc-socket.");
        }
        throw InUse(path);
    }

    /// <summary>Connecting to an ordinary file is refused in the same way, and that is not ours to delete.</summary>
    static bool IsSocket(string path)
    {
        var attributes = File.GetAttributes(path);
        if (attributes.HasFlag(FileAttributes.Directory))
        {
            return false;
        }
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
        catch (IOException)
        {
            return true; // a socket cannot be opened as a file (ENXIO)
        }
    }

    static void Unlock(string path, FileStream lockFile)
    {
        try
        {
            File.Delete(path + ".lock"); // while it is held: nobody else's can be deleted by mistake
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A lock file left behind does no harm.
        }
        lockFile.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Socket.Dispose();
        try
        {
            File.Delete(_path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next start finds it stale and removes it.
        }
        Unlock(_path, _lock);
    }
}
