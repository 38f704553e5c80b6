using System.Diagnostics;
using System.Text;
using Spindle.Host.Rpc.Client;

namespace Spindle.UnitTests.Rpc;

public class ServerLimitTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_thousand_calls_run_at_once_on_one_connection()
    {
        await using var server = await RpcTestServer.StartAsync();
        await using var client = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        var calls = Enumerable.Range(0, 1024).Select(_ => client.CallAsync("wait", null, Ct)).ToArray();
        await UntilAsync(() => server.Server.RunningCalls == 1024);
        server.Gate.SetResult();
        Assert.All(await Task.WhenAll(calls), r => Assert.Equal("true", r));
    }

    [Fact]
    public async Task At_its_limit_of_calls_a_connection_waits_and_others_do_not()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxCallsPerConnection = 10 });
        await using var greedy = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        await using var other = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        var calls = Enumerable.Range(0, 50).Select(_ => greedy.CallAsync("wait", null, Ct)).ToArray();
        await UntilAsync(() => server.Server.RunningCalls == 10);
        Assert.Equal("null", await other.CallAsync("echo", null, Ct));
        Assert.Equal(10, server.Server.RunningCalls);
        server.Gate.SetResult();
        Assert.All(await Task.WhenAll(calls), r => Assert.Equal("true", r));
    }

    [Fact]
    public async Task The_limit_of_all_calls_leaves_everyone_a_few()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxCalls = 40 });
        await using var greedy = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        await using var other = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        var calls = Enumerable.Range(0, 100).Select(_ => greedy.CallAsync("wait", null, Ct)).ToArray();
        await UntilAsync(() => server.Server.RunningCalls == 40);
        Assert.Equal("null", await other.CallAsync("echo", null, Ct));
        server.Gate.SetResult();
        Assert.All(await Task.WhenAll(calls), r => Assert.Equal("true", r));
    }

    [Fact]
    public async Task A_batch_larger_than_the_limit_of_calls_is_run_whole()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxCallsPerConnection = 10 });
        using var client = await server.ConnectAsync();
        var replies = await client.CallAsync("[" + string.Join(",", Enumerable.Range(0, 300).Select(i => $"{{\"id\":{i},\"method\":\"echo\"}}")) + "]");
        Assert.Equal(300, replies.GetArrayLength());
    }

    [Fact]
    public async Task A_request_beyond_the_limit_is_refused_and_the_connection_goes_on()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxRequestBytes = 10_000 });
        using var client = await server.ConnectAsync();
        await client.SendAsync("{\"id\":1,\"method\":\"echo\",\"params\":{\"x\":\"" + new string('x', 300_000) + "\"}}{\"id\":2,\"method\":\"echo\"}");
        var refused = await client.ReplyAsync();
        Assert.Equal(-32600, refused.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Contains("10000 bytes", refused.GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(2, (await client.ReplyAsync()).GetProperty("id").GetInt32());
    }

    [Fact]
    public async Task A_request_of_four_mebibytes_is_taken()
    {
        await using var server = await RpcTestServer.StartAsync();
        using var client = await server.ConnectAsync();
        var text = new string('x', (4 << 20) - 60);
        var send = client.SendAsync("{\"id\":1,\"method\":\"echo\",\"params\":{\"x\":\"" + text + "\"}}");
        Assert.Equal(text.Length, (await client.ReplyAsync()).GetProperty("result").GetProperty("x").GetString()!.Length);
        await send;
    }

    [Fact]
    public async Task A_reply_beyond_the_limit_is_an_error()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxReplyBytes = 100_000 });
        using var client = await server.ConnectAsync();
        var error = (await client.CallAsync("{\"id\":1,\"method\":\"big\",\"params\":{\"n\":2000000}}")).GetProperty("error");
        Assert.Equal(-32603, error.GetProperty("code").GetInt32());
        Assert.Contains("100000 bytes", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_client_that_reads_nothing_costs_others_nothing_and_is_bounded()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxBytesPerConnection = 1 << 20 });
        using var stuck = await server.ConnectAsync();
        await using var other = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        using var stop = new CancellationTokenSource();
        var flood = Task.Run(async () =>
        {
            var request = "{\"id\":1,\"method\":\"big\",\"params\":{\"n\":50000}}"u8.ToArray();
            try
            {
                for (var i = 0; i < 2000; i++)
                {
                    await stuck.Socket.SendAsync(request, stop.Token);
                }
            }
            catch (OperationCanceledException)
            {
                // The server has stopped reading, as it should.
            }
        }, Ct);
        await UntilAsync(() => server.Server.BufferedBytes > 1 << 20);
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal("null", await other.CallAsync("echo", null, Ct));
        }
        // Without the limit 2,000 replies of 50 kB would be 100 MB by now.
        Assert.InRange(server.Server.BufferedBytes, 1 << 20, 20 << 20);
        await stop.CancelAsync();
        await flood;
    }

    [Fact]
    public async Task Connections_beyond_the_limit_get_an_error()
    {
        await using var server = await RpcTestServer.StartAsync(o => o with { MaxConnections = 2 });
        using var one = await server.ConnectAsync();
        using var two = await server.ConnectAsync();
        await one.CallAsync("{\"id\":1,\"method\":\"echo\"}");
        await two.CallAsync("{\"id\":1,\"method\":\"echo\"}");
        using var three = await server.ConnectAsync();
        Assert.Contains("Too many connections", Assert.Single(await three.RestAsync()));
        two.Dispose();
        await UntilAsync(() => server.Server.ConnectionCount == 1);
        using var four = await server.ConnectAsync();
        Assert.Equal(4, (await four.CallAsync("{\"id\":4,\"method\":\"echo\"}")).GetProperty("id").GetInt32());
    }

    [Fact]
    public async Task Mutated_requests_never_disturb_another_connection()
    {
        var seed = System.Environment.TickCount;
        var random = new Random(seed);
        await using var server = await RpcTestServer.StartAsync();
        await using var witness = await RpcClient.ConnectAsync(server.Server.SocketPath, Ct);
        var source = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\",\"params\":{\"a\":12,\"b\":-3}}[{\"id\":\"x\",\"method\":\"echo\",\"params\":{\"y\":[1,{}]}}]"u8.ToArray();
        for (var i = 0; i < 300; i++)
        {
            using var client = await server.ConnectAsync();
            var text = JsonScannerTests.Mutate(random, source);
            await client.SendAsync(text);
            client.HalfClose();
            foreach (var reply in await client.RestAsync())
            {
                Assert.True(reply.StartsWith("{\"jsonrpc\":\"2.0\",\"id\":", StringComparison.Ordinal) || reply.StartsWith("[{\"jsonrpc\"", StringComparison.Ordinal),
                    $"seed {seed}: {Encoding.Latin1.GetString(text)} → {reply}");
            }
            if (i % 20 == 0)
            {
                Assert.Equal("null", await witness.CallAsync("echo", null, Ct));
            }
        }
        await UntilAsync(() => server.Server.ConnectionCount == 1);
    }

    [Fact]
    public async Task Clients_that_vanish_with_calls_running_leave_nothing_behind()
    {
        await using var server = await RpcTestServer.StartAsync();
        for (var i = 0; i < 10; i++)
        {
            var client = await server.ConnectAsync();
            await client.SendAsync("{\"id\":1,\"method\":\"wait\"}{\"id\":2,\"method\":\"big\",\"params\":{\"n\":100000}}{\"id\":3,");
            client.Dispose();
        }
        await UntilAsync(() => server.Server.RunningCalls == 10);
        server.Gate.SetResult();
        await UntilAsync(() => server.Server.ConnectionCount == 0);
        Assert.Equal(0, server.Server.BufferedBytes);
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), "It did not come to be within a minute.");
            await Task.Delay(5, Ct);
        }
    }
}
