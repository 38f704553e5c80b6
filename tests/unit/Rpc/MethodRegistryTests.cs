using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Host.Rpc;
using Spindle.Rpc;

namespace Spindle.UnitTests.Rpc;

public class MethodRegistryTests
{
    static RpcMethodRegistry New() => new(NullLogger<RpcMethodRegistry>.Instance);

    static TestMethod Method(string name, RpcPhase phase = RpcPhase.Any, params string[] aliases) => new(name, (_, w, _) => { w.Boolean(true); return default; }, phase, aliases);

    [Fact]
    public void A_taken_name_is_refused_with_its_owner()
    {
        var registry = New();
        registry.ForModule("one").Register(Method("a", RpcPhase.Any, "old_a"));
        foreach (var name in new[] { "a", "old_a" })
        {
            var error = Assert.Throws<SpindleException>(() => registry.ForModule("two").Register(Method(name)));
            Assert.Equal(Errno.EEXIST, error.Errno);
            Assert.Contains("'one'", error.Message);
        }
        Assert.Throws<SpindleException>(() => registry.ForModule("two").Register(Method("b", RpcPhase.Any, "a")));
        Assert.False(registry.TryFind("b", out _));
    }

    [Fact]
    public void Names_are_listed_by_phase_and_with_aliases_on_demand()
    {
        var registry = New();
        var registrar = registry.ForModule("m");
        registrar.Register(Method("always", RpcPhase.Any, "always_old"));
        registrar.Register(Method("early", RpcPhase.Startup));
        registrar.Register(Method("late", RpcPhase.Runtime));
        Assert.Equal(["late", "early", "always"], registry.Names());
        Assert.Equal(["early", "always"], registry.Names(current: true));
        registry.Phase = RpcPhase.Runtime;
        Assert.Equal(["late", "always_old", "always"], registry.Names(current: true, includeAliases: true));
    }

    [Fact]
    public async Task Withdrawing_waits_for_running_calls()
    {
        var registry = New();
        registry.ForModule("m").Register(Method("a"));
        registry.ForModule("n").Register(Method("b"));
        var call = registry.BeginCall("a");
        var withdrawn = registry.WithdrawAsync("m");
        Assert.False(withdrawn.IsCompleted);
        Assert.Equal(RpcErrorCode.MethodNotFound, Assert.Throws<RpcException>(() => registry.BeginCall("a")).Code);
        registry.EndCall(call);
        await withdrawn.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(["b"], registry.Names());
        await registry.WithdrawAsync("n");
    }

    [Fact]
    public async Task The_dispatcher_gives_results_and_errors_as_clients_see_them()
    {
        await using var server = await RpcTestServer.StartAsync();
        Assert.Equal("{\"x\":[1,2.50]}", await server.Dispatcher.InvokeAsync("echo", " {\"x\":[1,2.50]} ", TestContext.Current.CancellationToken));
        Assert.Equal("null", await server.Dispatcher.InvokeAsync("echo", "null", TestContext.Current.CancellationToken));
        Assert.Equal(-32601, (await Assert.ThrowsAsync<RpcException>(() => server.Dispatcher.InvokeAsync("nope", null, TestContext.Current.CancellationToken))).Code);
        Assert.Equal(-19, (await Assert.ThrowsAsync<RpcException>(() => server.Dispatcher.InvokeAsync("errno", null, TestContext.Current.CancellationToken))).Code);
        foreach (var bad in new[] { "{", "{}x", "{,}", "{} {}" })
        {
            Assert.Equal(-32700, (await Assert.ThrowsAsync<RpcException>(() => server.Dispatcher.InvokeAsync("echo", bad, TestContext.Current.CancellationToken))).Code);
        }
    }
}
