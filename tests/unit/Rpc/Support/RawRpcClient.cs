using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Spindle.UnitTests.Rpc;

/// <summary>A socket that sends any bytes and reads lines.</summary>
internal sealed class RawRpcClient : IDisposable
{
    static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly StringBuilder _received = new();

    private RawRpcClient(Socket socket) => Socket = socket;

    public Socket Socket { get; }

    public static async Task<RawRpcClient> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return new RawRpcClient(socket);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await Socket.SendAsync(bytes, SocketFlags.None, limit.Token)..];
        }
    }

    public void HalfClose() => Socket.Shutdown(SocketShutdown.Send);

    /// <summary>The next reply.</summary>
    public async Task<string> LineAsync()
    {
        while (true)
        {
            var text = _received.ToString();
            var end = text.IndexOf('\n');
            if (end >= 0)
            {
                _received.Remove(0, end + 1);
                return text[..end];
            }
            Assert.True(await ReceiveAsync(), "The server closed the connection instead of replying; received: " + text);
        }
    }

    public async Task<JsonElement> ReplyAsync() => JsonDocument.Parse(await LineAsync()).RootElement;

    public async Task<JsonElement> CallAsync(string request)
    {
        await SendAsync(request);
        return await ReplyAsync();
    }

    /// <summary>All replies until the server closes.</summary>
    public async Task<string[]> RestAsync()
    {
        while (await ReceiveAsync())
        {
        }
        var text = _received.ToString();
        _received.Clear();
        Assert.True(text.Length == 0 || text[^1] == '\n', "A reply does not end with a line feed: " + text);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private async Task<bool> ReceiveAsync()
    {
        var buffer = new byte[64 * 1024];
        using var limit = new CancellationTokenSource(s_limit);
        int count;
        try
        {
            count = await Socket.ReceiveAsync(buffer, SocketFlags.None, limit.Token);
        }
        catch (SocketException)
        {
            return false;
        }
        _received.Append(Encoding.UTF8.GetString(buffer, 0, count));
        return count > 0;
    }

    public void Dispose() => Socket.Dispose();
}
