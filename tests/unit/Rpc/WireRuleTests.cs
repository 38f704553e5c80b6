using System.Text;

namespace Spindle.UnitTests.Rpc;

/// <summary>What clients of SPDK rely on, over a real socket.</summary>
public class WireRuleTests
{
    [Fact]
    public async Task A_call_is_answered_in_one_line()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\",\"params\":{\"a\":2,\"b\":3}}");
        Assert.Equal("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}", await client.LineAsync());
    }

    [Fact]
    public async Task Indented_requests_without_a_line_feed_are_taken()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\n  \"method\": \"add\",\n  \"params\": {\n    \"a\": 1e0,\n    \"b\": 2.0\n  },\n  \"jsonrpc\": \"2.0\",\n  \"id\": 7\n}");
        Assert.Equal("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":3}", await client.LineAsync());
    }

    [Theory]
    [InlineData("\"abc\"")]
    [InlineData("\"\\u00e9\\\"\"")]
    [InlineData("1.5")]
    [InlineData("-3e2")]
    [InlineData("123456789012345678901234567890")]
    public async Task Ids_come_back_as_they_were(string id)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync($"{{\"id\":{id},\"method\":\"echo\"}}");
        Assert.Equal($"{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":null}}", await client.LineAsync());
    }

    [Theory]
    [InlineData("{\"method\":\"echo\"}")]
    [InlineData("{\"id\":null,\"method\":\"echo\"}")]
    public async Task Without_an_id_there_is_no_success_reply(string request)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync(request);
        client.HalfClose();
        Assert.Empty(await client.RestAsync());
    }

    [Theory]
    [InlineData("{\"method\":\"nope\"}", -32601)]
    [InlineData("{\"id\":null,\"method\":\"fail\"}", -32602)]
    public async Task Without_an_id_errors_are_answered(string request, int code)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        var reply = await client.CallAsync(request);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, reply.GetProperty("id").ValueKind);
        Assert.Equal(code, reply.GetProperty("error").GetProperty("code").GetInt32());
    }

    [Theory]
    [InlineData("{\"id\":1,\"method\":\"add\",\"params\":null}")]
    [InlineData("{\"id\":1,\"method\":\"add\",\"params\":{}}")]
    public async Task Null_params_are_as_if_absent(string request)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        var reply = await client.CallAsync(request);
        Assert.True(reply.TryGetProperty(request.Contains("null") ? "error" : "result", out _)); // this method wants an object
        Assert.Equal("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}", (await client.CallAsync("{\"id\":2,\"method\":\"echo\",\"params\":null}")).GetRawText());
    }

    [Theory]
    [InlineData("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", "jsonrpc", "null")]
    [InlineData("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"echo\"}", "jsonrpc", "null")]
    [InlineData("{\"jsonrpc\":null,\"id\":1,\"method\":\"echo\"}", "jsonrpc", "null")]
    [InlineData("{\"id\":1}", "method", "null")]
    [InlineData("{\"id\":1,\"method\":5}", "method", "null")]
    [InlineData("{\"id\":1,\"method\":\"echo\",\"foo\":1}", "foo", "null")]
    [InlineData("{\"id\":1,\"id\":2,\"method\":\"echo\"}", "id", "null")]
    [InlineData("{\"id\":1,\"method\":\"echo\",\"meth\\u006fd\":\"echo\"}", "method", "null")]
    [InlineData("{\"id\":true,\"method\":\"echo\"}", "id", "null")]
    [InlineData("{\"id\":{},\"method\":\"echo\"}", "id", "null")]
    [InlineData("{\"id\":[1],\"method\":\"echo\"}", "id", "null")]
    [InlineData("{\"id\":1,\"method\":\"echo\",\"params\":5}", "params", "1")]
    [InlineData("{\"id\":1,\"method\":\"echo\",\"params\":\"x\"}", "params", "1")]
    [InlineData("{\"id\":1,\"method\":\"echo\",\"params\":true}", "params", "1")]
    [InlineData("{}", "method", "null")]
    [InlineData("[]", "empty", "null")]
    [InlineData("5", "object", "null")]
    [InlineData("\"echo\"", "object", "null")]
    [InlineData("null", "object", "null")]
    public async Task What_is_no_request_is_refused_and_the_connection_goes_on(string request, string names, string id)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        var reply = await client.CallAsync(request);
        Assert.Equal(-32600, reply.GetProperty("error").GetProperty("code").GetInt32());
        Assert.StartsWith("Invalid request: ", reply.GetProperty("error").GetProperty("message").GetString());
        Assert.Contains(names, reply.GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(id, reply.GetProperty("id").GetRawText());
        Assert.Equal(5, (await client.CallAsync("{\"id\":2,\"method\":\"add\",\"params\":{\"a\":5}}")).GetProperty("result").GetInt32());
    }

    [Fact]
    public async Task Positional_params_do_not_decode()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        var error = (await client.CallAsync("{\"id\":1,\"method\":\"add\",\"params\":[1,2]}")).GetProperty("error");
        Assert.Equal(-32603, error.GetProperty("code").GetInt32());
        Assert.StartsWith("spdk_json_decode_object failed: params", error.GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":}")]
    [InlineData("{\"jsonrpc\":\"2.0\", /* c */ \"id\":1,\"method\":\"echo\"}")]
    [InlineData("{\"id\":1,\"method\":\"echo\",}")]
    [InlineData("{\"id\":1,\"method\":\"\\ud800\"}")]
    public async Task A_parse_error_is_answered_and_then_the_connection_closes(string text)
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"id\":9,\"method\":\"echo\"}" + text);
        // More behind it must not turn the end of the stream into a reset that swallows the reply.
        await client.SendAsync(new string('x', 100_000));
        var replies = await client.RestAsync();
        Assert.Equal(2, replies.Length);
        Assert.Contains(replies, r => r.StartsWith("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error", StringComparison.Ordinal));
        Assert.Contains("{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":null}", replies);
    }

    [Fact]
    public async Task A_stream_that_ends_inside_a_value_is_a_parse_error()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"jsonrpc\":\"2.0\",\"id\":1");
        client.HalfClose();
        Assert.Contains("-32700", Assert.Single(await client.RestAsync()));
    }

    [Fact]
    public async Task Replies_come_after_a_half_close()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"id\":1,\"method\":\"wait\"}{\"id\":2,\"method\":\"echo\"}");
        client.HalfClose();
        Assert.Contains("\"id\":2", await client.LineAsync());
        await Task.Delay(50, TestContext.Current.CancellationToken);
        server.Gate.SetResult();
        Assert.Equal(["{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}"], await client.RestAsync());
    }

    [Fact]
    public async Task Replies_overtake_and_calls_of_one_connection_start_in_order()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"id\":0,\"method\":\"wait\"}" + string.Concat(Enumerable.Range(1, 200).Select(i => $"{{\"id\":{i},\"method\":\"echo\"}}")));
        for (var i = 1; i <= 200; i++)
        {
            Assert.StartsWith($"{{\"jsonrpc\":\"2.0\",\"id\":{i},", await client.LineAsync());
        }
        server.Gate.SetResult();
        Assert.Contains("\"id\":0", await client.LineAsync());
    }

    [Fact]
    public async Task Errors_have_spdks_codes_and_words()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        async Task<(int, string)> Error(string method)
        {
            var error = (await client.CallAsync($"{{\"id\":1,\"method\":\"{method}\"}}")).GetProperty("error");
            return (error.GetProperty("code").GetInt32(), error.GetProperty("message").GetString()!);
        }

        Assert.Equal((-32601, "Method not found"), await Error("nope"));
        Assert.Equal((-32602, "No space left on device"), await Error("fail"));
        Assert.Equal((-19, "No such device: there is no bdev 'x'."), await Error("errno"));
        Assert.Equal((-1, "Method may only be called before framework is initialized. Use --wait-for-rpc command line parameter and then issue this RPC before the framework_start_init RPC."), await Error("startup"));
        Assert.Equal(-32603, (await Error("crash")).Item1);
        Assert.Equal(-32603, (await Error("half")).Item1);
        server.Methods.Phase = Spindle.Rpc.RpcPhase.Startup;
        Assert.Equal((-1, "Method may only be called after framework is initialized using framework_start_init RPC."), await Error("echo"));
    }

    [Fact]
    public async Task A_batch_is_answered_by_one_array()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("[{\"id\":1,\"method\":\"add\",\"params\":{\"a\":1}},{\"method\":\"echo\"},{\"id\":2,\"method\":\"nope\"},5,{\"id\":\"x\",\"method\":\"echo\"}]");
        var replies = await client.ReplyAsync();
        var ids = replies.EnumerateArray().Select(r => r.GetProperty("id").GetRawText()).Order().ToArray();
        Assert.Equal(["\"x\"", "1", "2", "null"], ids);
        Assert.Equal(-32600, replies.EnumerateArray().Single(r => r.GetProperty("id").GetRawText() == "null").GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task A_batch_of_notifications_is_not_answered()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        await client.SendAsync("[{\"method\":\"echo\"},{\"method\":\"echo\"}]");
        client.HalfClose();
        Assert.Empty(await client.RestAsync());
    }

    [Fact]
    public async Task Any_split_of_any_requests_gives_the_same_replies()
    {
        var seed = System.Environment.TickCount;
        var random = new Random(seed);
        await using var server = await RpcTestServer.StartAsync();
        string[] requests =
        [
            "{\"id\":1,\"method\":\"add\",\"params\":{\"a\":2}}", "{\"id\":\"é😀\",\"method\":\"echo\",\"params\":{\"x\":[\"\\ud83d\\ude00\"]}}", "{\"method\":\"echo\"}",
            "{\"id\":3,\"method\":\"nope\"}", "[{\"id\":4,\"method\":\"echo\"}]", "[]", " \n", "17 ", "{\"id\":5,\"foo\":1}", "{\"id\":6,\"method\":\"add\",\"params\":{\"c\":1}}",
        ];
        for (var round = 0; round < 20; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => requests[random.Next(requests.Length)]));
            var bytes = Encoding.UTF8.GetBytes(random.Next(5) == 0 ? text + "!" : text);
            var whole = await RepliesAsync(server, bytes, () => bytes.Length);
            var split = await RepliesAsync(server, bytes, () => random.Next(1, 12));
            Assert.True(whole.SequenceEqual(split), $"seed {seed}, round {round}: {text}\n{string.Join('\n', whole)}\n--\n{string.Join('\n', split)}");
        }
    }

    static async Task<string[]> RepliesAsync(RpcTestServer server, byte[] bytes, Func<int> piece)
    {
        using var client = await server.ConnectAsync();
        for (var at = 0; at < bytes.Length;)
        {
            var count = Math.Min(piece(), bytes.Length - at);
            await client.SendAsync(bytes.AsMemory(at, count));
            at += count;
            if (at % 3 == 0)
            {
                await Task.Yield();
            }
        }
        client.HalfClose();
        return [.. (await client.RestAsync()).Order(StringComparer.Ordinal)];
    }
}
