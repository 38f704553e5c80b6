using System.Buffers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Spindle.InteropTests.Processes;

/// <summary>An error that the server answered with.</summary>
public sealed class RpcException(string method, int code, string message) : Exception($"{method}: error {code}: {message}")
{
    /// <summary>JSON-RPC's code, or a negated errno.</summary>
    public int Code { get; } = code;

    /// <summary>The server's text.</summary>
    public string Text { get; } = message;
}

/// <summary>
/// A small JSON-RPC 2.0 client over a Unix socket, independent of the host's own code. Calls go one at a time over one connection; replies
/// are told apart by JSON itself, as the protocol has no other delimiter.
/// </summary>
public sealed class RpcClient : IDisposable
{
    readonly Socket socket;
    readonly ArrayBufferWriter<byte> received = new();
    readonly SemaphoreSlim turn = new(1, 1);
    int lastId;

    RpcClient(Socket socket) => this.socket = socket;

    /// <summary>Connects to a server that is there already.</summary>
    /// <param name="path">The socket's path.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static async Task<RpcClient> ConnectAsync(string path, CancellationToken ct = default)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            return new RpcClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Calls a method.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">An object that serializes to the parameters (an anonymous one, a <see cref="JsonNode"/>), or null for none.</param>
    /// <param name="ct">Gives up the wait; the connection cannot be used after that.</param>
    /// <returns>The result.</returns>
    /// <exception cref="RpcException">The server answered with an error.</exception>
    /// <exception cref="IOException">The server closed the connection.</exception>
    public async Task<JsonElement> CallAsync(string method, object? parameters = null, CancellationToken ct = default)
    {
        await turn.WaitAsync(ct);
        try
        {
            var id = ++lastId;
            var request = new JsonObject { ["jsonrpc"] = "2.0", ["method"] = method, ["id"] = id };
            if (parameters is not null) request["params"] = JsonSerializer.SerializeToNode(parameters);
            await SendAsync(JsonSerializer.SerializeToUtf8Bytes(request), ct);
            var reply = await ReceiveAsync(ct);
            if (reply.TryGetProperty("error", out var error))
                throw new RpcException(method, error.GetProperty("code").GetInt32(), error.GetProperty("message").GetString() ?? "");
            if (!reply.TryGetProperty("id", out var echoed) || echoed.ValueKind != JsonValueKind.Number || echoed.GetInt32() != id)
                throw new IOException($"{method}: the reply has another id: {reply}");
            return reply.GetProperty("result");
        }
        finally { turn.Release(); }
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        while (bytes.Length > 0) bytes = bytes[await socket.SendAsync(bytes, ct)..];
    }

    /// <summary>The next JSON value that the server sends.</summary>
    /// <exception cref="IOException">The server closed the connection before a whole value.</exception>
    public async Task<JsonElement> ReceiveAsync(CancellationToken ct = default)
    {
        while (true)
        {
            if (TryTake(out var value)) return value;
            var n = await socket.ReceiveAsync(received.GetMemory(16384), ct);
            if (n == 0) throw new IOException("The RPC server closed the connection.");
            received.Advance(n);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        socket.Dispose();
        turn.Dispose();
    }

    bool TryTake(out JsonElement value)
    {
        var reader = new Utf8JsonReader(received.WrittenSpan, isFinalBlock: false, default);
        if (received.WrittenSpan.Trim(" \t\r\n"u8).IsEmpty || !JsonDocument.TryParseValue(ref reader, out var document))
        {
            value = default;
            return false;
        }

        using (document) value = document.RootElement.Clone();
        var rest = received.WrittenSpan[(int)reader.BytesConsumed..].ToArray();
        received.ResetWrittenCount();
        received.Write(rest);
        return true;
    }
}
