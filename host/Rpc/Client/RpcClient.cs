using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Client;

/// <summary>A client of the control socket, for the command line, for tests and for programs that drive Spindle or SPDK. Calls may be made
/// on any thread and overlap.</summary>
public sealed class RpcClient : IAsyncDisposable
{
    const int MaxReplyBytes = 256 << 20;

    readonly Socket _socket;
    readonly Lock _lock = new();
    readonly Dictionary<long, TaskCompletionSource<string>> _calls = [];
    readonly SemaphoreSlim _sending = new(1);
    Task _receiving = Task.CompletedTask;
    string? _ended;
    long _nextId;

    RpcClient(Socket socket) => _socket = socket;

    /// <summary>Connects to a control socket.</summary>
    /// <exception cref="SpindleException">Nobody listens there; the message says what to do.</exception>
    public static async Task<RpcClient> ConnectAsync(string path, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            socket.Dispose();
            var reason = File.Exists(path) ? exception.Message : "there is no such socket.";
            throw new SpindleException(Errno.ECONNREFUSED,
                $"Connection refused: cannot connect to control socket '{path}': {reason} Is Spindle running, and with this --rpc-socket?");
        }
        var client = new RpcClient(socket);
        client._receiving = client.ReceiveAsync();
        return client;
    }

    /// <summary>Calls a method.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">JSON text of an object; null for none.</param>
    /// <param name="cancellationToken">Waits no longer; the call goes on.</param>
    /// <returns>The result as JSON text.</returns>
    /// <exception cref="RpcException">The server answered with an error.</exception>
    /// <exception cref="SpindleException">The connection has ended.</exception>
    public async Task<string> CallAsync(string method, string? parameters = null, CancellationToken cancellationToken = default)
    {
        var call = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        long id;
        lock (_lock)
        {
            if (_ended is not null)
            {
                throw Ended();
            }
            id = ++_nextId;
            _calls.Add(id, call);
        }
        var name = JsonEncodedText.Encode(method, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        var request = string.Create(CultureInfo.InvariantCulture,
            $"{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{name}\"{(parameters is null ? "" : ",\"params\":" + parameters)}}}");
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var rest = (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(request);
            while (!rest.IsEmpty)
            {
                rest = rest[await _socket.SendAsync(rest, SocketFlags.None, CancellationToken.None).ConfigureAwait(false)..];
            }
        }
        catch (SocketException)
        {
            // The receiver sees the end as well, and may have the server's last words.
        }
        finally
        {
            _sending.Release();
        }
        return await call.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    SpindleException Ended() => new(Errno.ECONNRESET, $"Connection reset by peer: {_ended}");

    async Task ReceiveAsync()
    {
        var reason = "the server has closed the connection.";
        using var framer = new JsonFramer(MaxReplyBytes, 64);
        try
        {
            while (true)
            {
                var count = await _socket.ReceiveAsync(framer.ReceiveMemory(), SocketFlags.None).ConfigureAwait(false);
                if (count == 0)
                {
                    break;
                }
                framer.Advance(count);
                JsonFrame frame;
                while ((frame = framer.Next(out var value)) == JsonFrame.Value)
                {
                    Take(value);
                }
                if (frame != JsonFrame.None)
                {
                    reason = frame == JsonFrame.TooLarge ? "a reply was too large." : $"the server sent something that is no reply: {framer.Error}.";
                    break;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or RpcException)
        {
            reason = exception.Message;
        }
        EndAll(reason, null);
    }

    void Take(ReadOnlyMemory<byte> json)
    {
        var reader = new RpcJsonReader(json, "reply", RpcErrorCode.InternalError, "The server's reply cannot be read");
        long? id = null;
        string? result = null;
        RpcException? error = null;
        reader.BeginObject();
        while (reader.NextMember(out var name))
        {
            switch (name)
            {
                case "id" when reader.Kind == RpcValueKind.Number:
                    id = reader.ReadSigned();
                    break;
                case "result":
                    result = Encoding.UTF8.GetString(reader.TakeRaw().Span);
                    break;
                case "error":
                    error = TakeError(reader);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (id is null)
        {
            EndAll(null, error); // about something that was sent, but the server cannot tell what
            return;
        }
        TaskCompletionSource<string>? call;
        lock (_lock)
        {
            _calls.Remove(id.Value, out call);
        }
        if (error is not null)
        {
            call?.TrySetException(error);
        }
        else
        {
            call?.TrySetResult(result ?? "null");
        }
    }

    static RpcException TakeError(RpcJsonReader reader)
    {
        long code = RpcErrorCode.InternalError;
        var message = "";
        reader.BeginObject();
        while (reader.NextMember(out var name))
        {
            switch (name)
            {
                case "code":
                    code = reader.ReadSigned(int.MinValue, int.MaxValue);
                    break;
                case "message":
                    message = reader.ReadString();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        return new RpcException((int)code, message);
    }

    void EndAll(string? reason, RpcException? error)
    {
        TaskCompletionSource<string>[] calls;
        lock (_lock)
        {
            _ended ??= reason;
            calls = [.. _calls.Values];
            _calls.Clear();
        }
        foreach (var call in calls)
        {
            call.TrySetException(error is not null ? new RpcException(error.Code, error.Message) : Ended());
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _receiving.ConfigureAwait(false);
        _sending.Dispose();
    }
}
