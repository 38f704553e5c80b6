using System.Net;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Spindle.Io;

namespace Spindle.Host.Environments.Portable;

/// <summary>Opens files, sockets and events with .NET's own means.</summary>
internal sealed class PortableIoPlatform : IIoPlatform
{
    public string Name => "portable";

    public RingEvent CreateEvent() => new PortableEvent();

    public RingFile OpenFile(string path, FileOpenOptions options)
    {
        if (string.IsNullOrEmpty(path) || path.Contains('\0')) throw new SpindleException(Errno.EINVAL, "A file's path must not be empty or hold a zero byte.");
        if (Directory.Exists(path)) throw new SpindleException(Errno.EISDIR, $"'{path}' is a directory; give a file.");
        try
        {
            if (options.Create && !File.Exists(path)) Create(path, options.CreateLength);
            var access = options.ReadOnly ? FileAccess.Read : FileAccess.ReadWrite;
            return new PortableFile(File.OpenHandle(path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete), path, options.ReadOnly);
        }
        catch (Exception exception) when (exception is not SpindleException)
        {
            throw new SpindleException(PortableErrors.Of(exception), $"Cannot open '{path}': {exception.Message}");
        }
    }

    public RingListener Listen(EndPoint endPoint, int backlog = 512)
    {
        Socket? socket = null;
        try
        {
            socket = NewSocket(endPoint);
            // [::] listens for IPv6 alone: 0.0.0.0 on the same port may then be a listener of its own.
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = false;
            socket.Bind(endPoint);
            socket.Listen(backlog);
            return new PortableListener(socket, endPoint is UnixDomainSocketEndPoint ? endPoint.ToString() : null);
        }
        catch (Exception exception) when (exception is not SpindleException)
        {
            socket?.Dispose();
            throw new SpindleException(PortableErrors.Of(exception), $"Cannot listen on {endPoint}: {exception.Message}. Choose another address, or stop its owner.");
        }
    }

    public async Task<RingSocket> ConnectAsync(EndPoint endPoint, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            socket = NewSocket(endPoint);
            await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
            return new PortableSocket(socket);
        }
        catch (Exception exception) when (exception is not (SpindleException or OperationCanceledException))
        {
            socket?.Dispose();
            throw new SpindleException(PortableErrors.Of(exception), $"Cannot connect to {endPoint}: {exception.Message}");
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    private static Socket NewSocket(EndPoint endPoint) => endPoint switch
    {
        IPEndPoint ip => new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp),
        UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        _ => throw new SpindleException(Errno.EINVAL, $"'{endPoint}' is not an IPv4, IPv6 or Unix socket address."),
    };

    private static void Create(string path, long length)
    {
        if (length < 0) throw new SpindleException(Errno.EINVAL, $"The length for creating '{path}' must not be negative.");
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (IOException) when (File.Exists(path))
        {
            return;
        }
        try
        {
            RandomAccess.SetLength(handle, length);
        }
        catch
        {
            handle.Dispose();
            File.Delete(path);
            throw;
        }
        handle.Dispose();
    }
}
