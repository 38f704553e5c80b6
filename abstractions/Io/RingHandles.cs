using System.Net;

namespace Spindle.Io;

/// <summary>An open file or block device. Opened by <see cref="IIoPlatform"/>; usable on the ring of every reactor.</summary>
public abstract class RingFile : IDisposable
{
    /// <summary>The path it was opened with.</summary>
    public abstract string Path { get; }

    /// <summary>Size in bytes; asks the operating system each time.</summary>
    public abstract long Length { get; }

    /// <summary>True when I/O goes past the page cache (O_DIRECT); buffers, offsets and lengths must then be multiples of <see cref="Alignment"/>.</summary>
    public abstract bool IsDirect { get; }

    /// <summary>Bytes; 1 when there is no constraint.</summary>
    public abstract uint Alignment { get; }

    /// <summary>True for a block device.</summary>
    public abstract bool IsBlockDevice { get; }

    /// <summary>The logical block size of a block device, in bytes; for a regular file with direct I/O, what the filesystem needs; else 1.</summary>
    public abstract uint LogicalBlockSize { get; }

    /// <summary>True when it was opened for reading only.</summary>
    public abstract bool IsReadOnly { get; }

    /// <summary>True when <see cref="IIoRing.Deallocate"/> works on it.</summary>
    public abstract bool CanDeallocate { get; }

    /// <summary>True when <see cref="IIoRing.WriteZeroes"/> works on it.</summary>
    public abstract bool CanWriteZeroes { get; }

    /// <summary>Closes it. No operation may be pending.</summary>
    public abstract void Dispose();
}

/// <summary>A connected stream socket. Operations on it go through the ring of one reactor at a time.</summary>
public abstract class RingSocket : IDisposable
{
    /// <summary>The local address.</summary>
    public abstract EndPoint LocalEndPoint { get; }

    /// <summary>The peer's address.</summary>
    public abstract EndPoint RemoteEndPoint { get; }

    /// <summary>Ends the sending direction once what was sent before has gone out: the peer reads the end of the stream, and can still be received from. No send may be pending.
    /// Any thread of the reactor; never blocks; does nothing on a connection that has broken.</summary>
    public abstract void ShutdownSend();

    /// <summary>Ends both directions at once: pending operations complete with an error or 0. Then cancel or wait for them, then dispose.</summary>
    public abstract void Shutdown();

    /// <summary>Closes it. No operation may be pending.</summary>
    public abstract void Dispose();
}

/// <summary>A listening stream socket.</summary>
public abstract class RingListener : IDisposable
{
    /// <summary>The bound address, with the port chosen by the system where 0 was asked for.</summary>
    public abstract EndPoint LocalEndPoint { get; }

    /// <summary>Closes it. No operation may be pending.</summary>
    public abstract void Dispose();
}

/// <summary>A signal that any operating-system thread may raise to wake a reactor (an eventfd on Linux). Signals before a wait are kept as one.</summary>
public abstract class RingEvent : IDisposable
{
    /// <summary>Raises it. On any thread; never blocks.</summary>
    public abstract void Signal();

    /// <summary>Closes it. No operation may be pending.</summary>
    public abstract void Dispose();
}

/// <summary>How to open a file.</summary>
/// <param name="ReadOnly">Open for reading only.</param>
/// <param name="Direct">Past the page cache where the file allows; otherwise buffered (see <see cref="RingFile.IsDirect"/>).</param>
/// <param name="Create">Create a regular file of <paramref name="CreateLength"/> bytes if there is none.</param>
/// <param name="CreateLength">Bytes.</param>
public sealed record FileOpenOptions(bool ReadOnly = false, bool Direct = true, bool Create = false, long CreateLength = 0);

/// <summary>Opens what the rings work on. Control plane: may block briefly; on any thread.</summary>
public interface IIoPlatform
{
    /// <summary>"linux" or "portable".</summary>
    string Name { get; }

    /// <summary>Opens a file or block device.</summary>
    /// <exception cref="SpindleException">With the system's error number.</exception>
    RingFile OpenFile(string path, FileOpenOptions options);

    /// <summary>Listens for stream connections. IPv4, IPv6 or a Unix socket path.</summary>
    /// <param name="endPoint">Port 0: the system chooses.</param>
    /// <param name="backlog">Connections that may wait to be accepted.</param>
    /// <exception cref="SpindleException">EADDRINUSE, EADDRNOTAVAIL, EACCES …</exception>
    RingListener Listen(EndPoint endPoint, int backlog = 512);

    /// <summary>Connects a stream socket.</summary>
    /// <exception cref="SpindleException">ECONNREFUSED, ETIMEDOUT …</exception>
    Task<RingSocket> ConnectAsync(EndPoint endPoint, CancellationToken cancellationToken);

    /// <summary>Makes an event.</summary>
    RingEvent CreateEvent();
}
