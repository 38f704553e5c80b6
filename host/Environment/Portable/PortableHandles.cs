using System.Net;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Spindle.Io;

namespace Spindle.Host.Environments.Portable;

/// <summary>A regular file, buffered by the system.</summary>
internal sealed class PortableFile(SafeFileHandle handle, string path, bool readOnly) : RingFile
{
    internal SafeFileHandle Handle => handle;

    public override string Path => path;
    public override long Length => RandomAccess.GetLength(handle);
    public override bool IsDirect => false;
    public override uint Alignment => 1;
    public override bool IsBlockDevice => false;
    public override uint LogicalBlockSize => 1;
    public override bool IsReadOnly => readOnly;
    public override bool CanDeallocate => false;
    public override bool CanWriteZeroes => false;
    public override void Dispose() => handle.Dispose();
}

/// <summary>A connected socket.</summary>
internal sealed class PortableSocket : RingSocket
{
    internal PortableSocket(Socket socket)
    {
        Socket = socket;
        if (socket.ProtocolType == ProtocolType.Tcp) socket.NoDelay = true;
        // Asked now: a peer that has gone has no name any more.
        LocalEndPoint = Name(static s => s.LocalEndPoint);
        RemoteEndPoint = Name(static s => s.RemoteEndPoint);
    }

    internal Socket Socket { get; }

    internal bool IsClosed { get; private set; }

    /// <summary>The receive and the send that are pending, one each.</summary>
    internal bool Receiving, Sending;

    public override EndPoint LocalEndPoint { get; }
    public override EndPoint RemoteEndPoint { get; }

    public override void ShutdownSend() => End(SocketShutdown.Send);

    public override void Shutdown() => End(SocketShutdown.Both);

    private void End(SocketShutdown directions)
    {
        try
        {
            if (!IsClosed) Socket.Shutdown(directions);
        }
        catch (SocketException)
        {
            // Not connected any more, which is what was wanted.
        }
    }

    public override void Dispose()
    {
        IsClosed = true;
        Socket.Dispose();
    }

    private EndPoint Name(Func<Socket, EndPoint?> ask)
    {
        try
        {
            return ask(Socket) ?? new IPEndPoint(IPAddress.None, 0);
        }
        catch (SocketException)
        {
            return new IPEndPoint(IPAddress.None, 0);
        }
    }
}

/// <summary>A listening socket.</summary>
internal sealed class PortableListener(Socket socket, string? unixPath) : RingListener
{
    internal Socket Socket => socket;

    internal bool IsClosed { get; private set; }

    public override EndPoint LocalEndPoint { get; } = socket.LocalEndPoint!;

    public override void Dispose()
    {
        if (IsClosed) return;
        IsClosed = true;
        socket.Dispose();
        if (unixPath is not null) File.Delete(unixPath);
    }
}

/// <summary>A flag, and whoever waits for it.</summary>
internal sealed class PortableEvent : RingEvent
{
    private readonly Lock _lock = new();
    private PortableOperation? _waiter;
    private bool _signalled;

    internal bool IsClosed { get; private set; }

    public override void Signal()
    {
        PortableOperation? waiter;
        lock (_lock)
        {
            waiter = _waiter;
            _waiter = null;
            if (waiter is null) _signalled = true;
        }
        waiter?.Finish(0);
    }

    public override void Dispose() => IsClosed = true;

    /// <summary>Waits for the flag, or takes it.</summary>
    /// <returns>False when another one waits.</returns>
    internal bool TryWait(PortableOperation operation)
    {
        lock (_lock)
        {
            if (_waiter is not null) return false;
            if (!_signalled)
            {
                _waiter = operation;
                return true;
            }
            _signalled = false;
        }
        operation.Finish(0);
        return true;
    }

    /// <summary>Takes a waiter off, and ends it, if the signal was not faster.</summary>
    internal void CancelWait(PortableOperation operation)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(_waiter, operation)) return;
            _waiter = null;
        }
        operation.Finish(-Errno.ECANCELED);
    }
}
