using System.Buffers.Binary;
using System.Net;
using Spindle;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Threading;

namespace Acme.Fast;

/// <summary>Serves the blocks of a bdev over TCP: a client sends a block's number (8 bytes, big-endian) and gets the block. All of it runs on the
/// storage thread that made it, by operations on the reactor's ring; nothing blocks and nothing is allocated per request.</summary>
internal sealed class BlockServer
{
    private readonly IModuleContext _context;
    private readonly IStorageThread _thread = StorageThread.Required;
    private readonly RingListener _listener;
    private readonly AcceptNext _accept;
    private readonly HashSet<Connection> _connections = [];
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IBdevDescriptor? _descriptor;
    private IBdevChannel? _channel;
    private bool _stopping;

    public BlockServer(IModuleContext context, string bdev, int port)
    {
        _context = context;
        _listener = context.Io.Listen(new IPEndPoint(IPAddress.Loopback, port));
        _accept = new AcceptNext(this);
        try
        {
            _descriptor = context.Bdevs.Open(bdev, write: false, OnEvent, this);
            _channel = _descriptor.GetChannel();
        }
        catch
        {
            _descriptor?.Close();
            _listener.Dispose();
            throw;
        }
        _thread.Ring.Accept(_listener, _accept);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint).Port;
    public bool IsStopping => _stopping;
    public string BdevName => _channel!.Bdev.Name;
    public int Connections => _connections.Count;

    public Task StopAsync()
    {
        if (_stopping) return _stopped.Task;
        _stopping = true;
        if (_accept.IsPending) _thread.Ring.Cancel(_accept);
        foreach (var connection in _connections) connection.Socket.Shutdown();
        EndIfIdle();
        return _stopped.Task;
    }

    private static void OnEvent(BdevEventType type, Bdev bdev, object? state)
    {
        if (type == BdevEventType.Remove) _ = ((BlockServer)state!).StopAsync();
    }

    private void EndIfIdle()
    {
        if (!_stopping || _accept.IsPending || _connections.Count > 0 || _channel is null) return;
        _channel.Put();
        _channel = null;
        _descriptor!.Close();
        _listener.Dispose();
        _stopped.TrySetResult();
    }

    private sealed class AcceptNext(BlockServer server) : AcceptOperation
    {
        protected override void OnCompleted(int result)
        {
            if (result == 0 && Accepted is { } socket)
            {
                if (server._stopping) socket.Dispose();
                else new Connection(server, socket).Receive();
            }
            if (!server._stopping) server._thread.Ring.Accept(server._listener, this);
            server.EndIfIdle();
        }
    }

    /// <summary>A connection does one thing at a time: receive a number, read the block, send it.</summary>
    private sealed class Connection : RingOperation
    {
        private readonly BlockServer _server;
        private readonly DmaBuffer _memory;
        private uint _have;
        private bool _sending;

        public Connection(BlockServer server, RingSocket socket)
        {
            _server = server;
            Socket = socket;
            _memory = server._context.Memory.Allocate(Length + 8u);
            server._connections.Add(this);
        }

        public RingSocket Socket { get; }

        private uint Length => _server._channel!.Bdev.BlockSize;

        // The number lies behind the block, so that the block is aligned.
        private IoVec Number => _memory.Slice(Length, 8);

        public void Receive()
        {
            var rest = Number.Slice(_have, 8 - _have);
            if (_server._thread.Ring.Receive(Socket, new(in rest), this) != 0) Close();
        }

        protected override void OnCompleted(int result)
        {
            if (result <= 0)
            {
                Close();
                return;
            }
            _have += (uint)result;
            if (_sending) Send();
            else if (_have < 8) Receive();
            else Read();
        }

        private void Read()
        {
            _have = 0;
            var block = _memory.Slice(0, Length);
            ulong number = BinaryPrimitives.ReadUInt64BigEndian(Number.Span);
            // A number beyond the end is refused here, and the connection closed.
            if (_server._channel!.Read(new(in block), number, 1, OnRead, this) != 0) Close();
        }

        private static void OnRead(object? state, in BdevIoResult result)
        {
            var self = (Connection)state!;
            self._sending = true;
            if (result.IsSuccess) self.Send();
            else self.Close();
        }

        private void Send()
        {
            if (_have == Length)
            {
                _have = 0;
                _sending = false;
                Receive();
                return;
            }
            var rest = _memory.Slice(_have, Length - _have);
            if (_server._thread.Ring.Send(Socket, new(in rest), this) != 0) Close();
        }

        private void Close()
        {
            Socket.Dispose();
            _memory.Dispose();
            _server._connections.Remove(this);
            _server.EndIfIdle();
        }
    }
}
