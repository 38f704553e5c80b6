using System.Net.Sockets;
using System.Text;

namespace Spindle.InteropTests.Processes;

/// <summary>The tests' own RPC client against a server of a few lines.</summary>
public sealed class RpcClientTests
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Answers each request with the next list of chunks.</summary>
    static async Task WithServerAsync(Func<RpcClient, Task> test, params string[][] replies)
    {
        var folder = Directory.CreateTempSubdirectory("spindle-rpc-");
        try
        {
            var path = Path.Combine(folder.FullName, "s");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            using var client = await RpcClient.ConnectAsync(path, Ct);
            using var server = await listener.AcceptAsync(Ct);
            var serving = Task.Run(async () =>
            {
                foreach (var chunks in replies)
                {
                    await server.ReceiveAsync(new byte[65536], Ct);
                    foreach (var chunk in chunks)
                    {
                        await server.SendAsync(Encoding.UTF8.GetBytes(chunk), Ct);
                        await Task.Delay(20, Ct);
                    }
                }

                server.Shutdown(SocketShutdown.Both);
            }, Ct);
            await test(client);
            await serving;
        }
        finally { folder.Delete(recursive: true); }
    }

    [Fact]
    public Task A_reply_in_pieces_and_the_next_one_without_a_newline() => WithServerAsync(async client =>
    {
        Assert.Equal("ä", (await client.CallAsync("a", null, Ct)).GetProperty("x").GetString());
        Assert.True((await client.CallAsync("b", new { y = 1 }, Ct)).GetBoolean());
    }, ["""{"jsonrpc":"2.0","id":1,"resu""", """lt":{"x":"ä"}""", "}\n"], ["""{"jsonrpc":"2.0","id":2,"result":true}"""]);

    [Fact]
    public Task An_error_carries_the_code_and_the_text() => WithServerAsync(async client =>
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync("nope", null, Ct));
        Assert.Equal((-32601, "Method not found"), (error.Code, error.Text));
        Assert.Contains("nope", error.Message);
    }, ["""{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"""]);

    [Fact]
    public Task A_closed_connection_and_a_wrong_id_are_no_results() => WithServerAsync(async client =>
    {
        Assert.Contains("another id", (await Assert.ThrowsAsync<IOException>(() => client.CallAsync("a", null, Ct))).Message);
        Assert.Contains("closed", (await Assert.ThrowsAsync<IOException>(() => client.CallAsync("b", null, Ct))).Message);
    }, ["""{"jsonrpc":"2.0","id":9,"result":1}"""], ["{\"jsonrpc\":"]);
}
