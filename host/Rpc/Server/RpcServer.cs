using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Spindle.Host.Rpc.Server;
using Spindle.Rpc;

namespace Spindle.Host.Rpc;

/// <summary>The JSON-RPC server on a Unix socket. Reads and writes on the thread pool; handlers run on the app thread.</summary>
public sealed class RpcServer(RpcDispatcher dispatcher, RpcServerOptions options, ILogger<RpcServer> logger) : IAsyncDisposable
{
    readonly ConcurrentDictionary<RpcConnection, Task> _connections = new();
    readonly CancellationTokenSource _stopping = new();
    readonly RpcBudget _budget = new(options);
    ControlSocket? _listener;
    Task _accepting = Task.CompletedTask;

    /// <summary>Where it listens.</summary>
    public string SocketPath => options.SocketPath;

    /// <summary>Connections open now.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Calls running now.</summary>
    public int RunningCalls => _budget.Calls;

    /// <summary>Bytes of requests and replies held now.</summary>
    public long BufferedBytes => _budget.Bytes;

    /// <summary>Takes the socket's path. Clients may connect from now on; they are served after <see cref="Start"/>.</summary>
    /// <exception cref="SpindleException">The socket cannot be made: it is in use, or may not be written; the message has the remedy.</exception>
    public void Listen() => _listener = ControlSocket.Listen(options.SocketPath, Math.Min(options.MaxConnections, 1024));

    /// <summary>Serves clients; listens first unless <see cref="Listen"/> was called.</summary>
    /// <exception cref="SpindleException">As for <see cref="Listen"/>.</exception>
    public void Start()
    {
        if (_listener is null)
        {
            Listen();
        }
        _accepting = AcceptAsync(_listener!.Socket);
    }

    async Task AcceptAsync(Socket listener)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                if (_connections.Count >= options.MaxConnections)
                {
                    _ = RefuseAsync(socket);
                    continue;
                }
                var connection = new RpcConnection(socket, dispatcher, options, _budget, _stopping.Token);
                _connections[connection] = Task.CompletedTask;
                // It may have ended, and be gone from the list, already.
                _connections.TryUpdate(connection, ServeAsync(connection), Task.CompletedTask);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException exception)
            {
                logger.LogWarning("The control socket cannot accept a connection: {Reason}; trying again.", exception.Message);
                await Task.Delay(50).ConfigureAwait(false);
            }
        }
    }

    async Task ServeAsync(RpcConnection connection)
    {
        await Task.Yield();
        try
        {
            await connection.RunAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            logger.LogError("A control connection failed: {Exception}", exception.ToString());
            connection.Abort();
        }
        _connections.TryRemove(connection, out _);
    }

    async Task RefuseAsync(Socket socket)
    {
        var reply = new RpcReplyBuffer(4096);
        RpcReplies.Error(reply, default, new RpcError(RpcErrorCode.InternalError,
            $"Too many connections: {options.MaxConnections} are open already; close one, or send several calls over one connection"));
        reply.Write("\n"u8);
        try
        {
            await socket.SendAsync(reply.Written, SocketFlags.None, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // It is refused either way.
        }
        socket.Dispose();
        reply.Release();
    }

    /// <summary>Takes no more requests, lets the calls that run come to their end for a while, sends their replies, and removes the socket.</summary>
    public async Task StopAsync()
    {
        if (_listener is null)
        {
            return;
        }
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
        _listener.Dispose();
        _listener = null;
        var open = WhenAllEndedAsync();
        if (!await EndsWithinAsync(open, options.StopTimeout).ConfigureAwait(false))
        {
            foreach (var connection in _connections.Keys)
            {
                connection.Abort();
            }
            await EndsWithinAsync(open, options.StopTimeout).ConfigureAwait(false);
        }
    }

    async Task WhenAllEndedAsync()
    {
        while (_connections.Values.FirstOrDefault() is { } one)
        {
            // An entry whose task is not known yet gets it in a moment.
            await (one.IsCompleted ? Task.Delay(1) : one).ConfigureAwait(false);
        }
    }

    static async Task<bool> EndsWithinAsync(Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }
}
