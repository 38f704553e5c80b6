using System.Buffers;
using System.Net.Sockets;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Server;

/// <summary>One client. Requests are started in the order they arrive; replies go out as calls end. The client may half-close: what it asked
/// for is still answered.</summary>
internal sealed class RpcConnection
{
    readonly Socket _socket;
    readonly RpcDispatcher _dispatcher;
    readonly RpcServerOptions _options;
    readonly RpcBudget _budget;
    readonly RpcBudget.Share _share = new();
    readonly RpcSendQueue _replies;
    readonly CancellationToken _stopping;
    readonly Lock _lock = new();
    int _pending;
    TaskCompletionSource? _idle;

    public RpcConnection(Socket socket, RpcDispatcher dispatcher, RpcServerOptions options, RpcBudget budget, CancellationToken stopping)
    {
        (_socket, _dispatcher, _options, _budget, _stopping) = (socket, dispatcher, options, budget, stopping);
        _replies = new RpcSendQueue(socket, budget, _share);
    }

    /// <summary>Serves the client until it has gone, has sent something that is not JSON, or the server stops.</summary>
    public async Task RunAsync()
    {
        var isBroken = false;
        try
        {
            isBroken = await ReceiveAsync().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The client is gone, or the server stops: what is running is brought to its end below.
        }
        await WhenIdleAsync().ConfigureAwait(false);
        await _replies.DrainAsync().ConfigureAwait(false);
        if (isBroken)
        {
            await LingerAsync().ConfigureAwait(false);
        }
        _socket.Dispose();
    }

    /// <summary>Breaks the connection off.</summary>
    public void Abort() => _socket.Dispose();

    /// <returns>True when the stream broke off with a parse error.</returns>
    async Task<bool> ReceiveAsync()
    {
        using var framer = new JsonFramer(_options.MaxRequestBytes, _options.MaxDepth);
        var held = 0;
        try
        {
            while (true)
            {
                await _budget.WaitAsync(_share, _stopping).ConfigureAwait(false);
                var count = await _socket.ReceiveAsync(framer.ReceiveMemory(), SocketFlags.None, _stopping).ConfigureAwait(false);
                if (count == 0)
                {
                    if (framer.IsInsideValue)
                    {
                        Fail(RpcErrorCode.ParseError, "Parse error: the stream ended inside a value");
                    }
                    return false;
                }
                framer.Advance(count);
                if (!await TakeAsync(framer).ConfigureAwait(false))
                {
                    return true;
                }
                _budget.AddBytes(_share, framer.BufferedBytes - held);
                held = framer.BufferedBytes;
            }
        }
        finally
        {
            _budget.AddBytes(_share, -held);
        }
    }

    /// <returns>False after a parse error.</returns>
    async ValueTask<bool> TakeAsync(JsonFramer framer)
    {
        while (true)
        {
            switch (framer.Next(out var value))
            {
                case JsonFrame.None:
                    return true;
                case JsonFrame.Value when value.Span[0] == (byte)'[':
                    await StartBatchAsync(new RpcRequestMemory(value.Span)).ConfigureAwait(false);
                    break;
                case JsonFrame.Value:
                    await _budget.WaitAsync(_share, _stopping).ConfigureAwait(false);
                    Start(new RpcRequestMemory(value.Span));
                    break;
                case JsonFrame.Scalar:
                    Fail(RpcErrorCode.InvalidRequest, "Invalid request: it must be an object, or an array of them");
                    break;
                case JsonFrame.TooLarge:
                    Fail(RpcErrorCode.InvalidRequest, $"Invalid request: it is larger than {_options.MaxRequestBytes} bytes; send less in one request");
                    break;
                default:
                    Fail(RpcErrorCode.ParseError, $"Parse error: {framer.Error}");
                    return false;
            }
        }
    }

    void Fail(int code, string message)
    {
        var reply = new RpcReplyBuffer(_options.MaxReplyBytes);
        RpcReplies.Error(reply, default, new RpcError(code, message));
        Send(reply);
    }

    void Send(RpcReplyBuffer reply)
    {
        reply.Write("\n"u8);
        _replies.Add(reply);
    }

    void Start(RpcRequestMemory memory)
    {
        Enter(memory.Length);
        RpcCall.Start(_dispatcher, memory.Json, _options.MaxReplyBytes, _stopping, (reply, isAbandoned) =>
        {
            if (reply is not null)
            {
                Send(reply);
            }
            Leave(memory, isAbandoned);
        });
    }

    /// <summary>Runs an array of requests (JSON-RPC 2.0, section 6): started in order, answered together.</summary>
    async ValueTask StartBatchAsync(RpcRequestMemory memory)
    {
        var batch = new RpcBatch(_options.MaxReplyBytes);
        var reader = new RpcJsonReader(memory.Json);
        Enter(memory.Length);
        reader.BeginArray();
        try
        {
            while (reader.NextElement())
            {
                await _budget.WaitForCallAsync(_share, _stopping).ConfigureAwait(false);
                batch.Add();
                _budget.BeginCall(_share);
                RpcCall.Start(_dispatcher, reader.TakeRaw(), _options.MaxReplyBytes, _stopping, (reply, isAbandoned) =>
                {
                    _budget.EndCall(_share);
                    batch.End(reply, isAbandoned);
                });
            }
        }
        finally
        {
            _ = EndBatchAsync(batch, memory);
        }
    }

    async Task EndBatchAsync(RpcBatch batch, RpcRequestMemory memory)
    {
        var reply = await batch.WhenEnded().ConfigureAwait(false);
        if (batch.Count == 0)
        {
            Fail(RpcErrorCode.InvalidRequest, "Invalid request: the batch is empty");
        }
        else if (reply is not null)
        {
            Send(reply);
        }
        Leave(memory, batch.HasAbandoned);
    }

    void Enter(int bytes)
    {
        _budget.BeginCall(_share);
        _budget.AddBytes(_share, bytes);
        lock (_lock)
        {
            _pending++;
        }
    }

    void Leave(RpcRequestMemory memory, bool isAbandoned)
    {
        _budget.AddBytes(_share, -memory.Length);
        _budget.EndCall(_share);
        if (!isAbandoned)
        {
            memory.Release();
        }
        lock (_lock)
        {
            if (--_pending == 0)
            {
                _idle?.TrySetResult();
            }
        }
    }

    Task WhenIdleAsync()
    {
        lock (_lock)
        {
            return _pending == 0 ? Task.CompletedTask : (_idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Ends the stream towards the client, then takes what it is still sending for a while: closing a socket with bytes unread
    /// may reset the connection before the client has seen the last reply.</summary>
    async Task LingerAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(16 << 10);
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
            limit.CancelAfter(TimeSpan.FromSeconds(2));
            while (await _socket.ReceiveAsync(buffer, SocketFlags.None, limit.Token).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Gone, or patience has ended.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
