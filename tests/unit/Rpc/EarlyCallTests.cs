using System.Text.Json;
using Spindle.Host.Rpc;
using Spindle.Rpc;

namespace Spindle.UnitTests.Rpc;

/// <summary>Clients are served while the host still starts; they see no error that they would not see later.</summary>
public sealed class EarlyCallTests
{
    private static string Request(int id, string method) => $$"""{"jsonrpc":"2.0","id":{{id}},"method":"{{method}}"}""";

    [Fact]
    public async Task Calls_wait_in_their_order_until_the_host_is_ready_but_those_with_a_settled_answer()
    {
        await using var server = await RpcTestServer.StartAsync();
        server.Methods.ForModule("spindle").Register(new TestMethod("spdk_get_version", (_, w, _) => { w.Boolean(true); return default; }));
        server.Dispatcher.Hold();
        using var client = await server.ConnectAsync();
        await client.SendAsync(Request(1, "late") + Request(2, "echo") + Request(3, "spdk_get_version"));
        Assert.Equal(3, (await client.ReplyAsync()).GetProperty("id").GetInt32());
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(2, server.Server.RunningCalls);

        // What a module brings while they wait is there when they run.
        var order = new List<string>();
        server.Methods.ForModule("module").Register(new TestMethod("late", (_, w, _) => { order.Add("late"); w.Boolean(true); return default; }));
        server.Dispatcher.Release();
        var replies = new[] { await client.ReplyAsync(), await client.ReplyAsync() };
        Assert.Equal([1, 2], replies.Select(r => r.GetProperty("id").GetInt32()));
        Assert.All(replies, reply => Assert.True(reply.TryGetProperty("result", out _), reply.ToString()));
        Assert.Equal(["late"], order);
        Assert.Equal(JsonValueKind.Null, (await client.CallAsync(Request(4, "echo"))).GetProperty("result").ValueKind);
    }

    [Fact]
    public async Task Calls_that_wait_when_the_host_gives_up_are_told_so()
    {
        await using var server = await RpcTestServer.StartAsync();
        server.Dispatcher.Hold();
        using var client = await server.ConnectAsync();
        await client.SendAsync(Request(1, "echo"));
        while (server.Server.RunningCalls == 0) await Task.Delay(1, TestContext.Current.CancellationToken);
        server.Dispatcher.RefuseHeld();
        Assert.Equal(-Errno.ECANCELED, (await client.ReplyAsync()).GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(-Errno.ECANCELED, (await client.CallAsync(Request(2, "echo"))).GetProperty("error").GetProperty("code").GetInt32());
    }
}
