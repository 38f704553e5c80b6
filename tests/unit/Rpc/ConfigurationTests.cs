using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Host.Rpc.Configuration;
using Spindle.Rpc;

namespace Spindle.UnitTests.Rpc;

public class ConfigurationTests
{
    const string Good = """
        {
          // what people write
          "subsystems": [
            { "subsystem": "iobuf", "config": null },
            { "subsystem": "bdev", "config": [
              { "method": "late", "params": { "n": 1 } },
              { "method": "early", "params": { "n": 2 } }, /* and more */
              { "method": "both" }
            ] }
          ]
        }
        """;

    [Fact]
    public void Files_of_spdks_form_are_read_with_their_lines()
    {
        var file = ConfigurationFile.Parse(Good, "c.json");
        Assert.Equal([("bdev", "late", "{\"n\":1}", 6), ("bdev", "early", "{\"n\":2}", 7), ("bdev", "both", null, 8)],
            file.Entries.Select(e => (e.Subsystem, e.Method, e.Parameters, e.Line)));
    }

    [Theory]
    [InlineData("{\n \"subsystems\": 5\n}", "c.json:2:", "array")]
    [InlineData("[]", "c.json:1:", "object")]
    [InlineData("{\n\"subsystems\":[{\n\"config\":[]}]}", "c.json:2:", "\"subsystem\" is missing")]
    [InlineData("{\"subsystems\":[{\"subsystem\":\"a\",\"config\":[{\n\n\"params\":{}}]}]}", "c.json:1:", "\"method\" is missing")]
    [InlineData("{\"subsystems\":[{\"subsystem\":\"a\",\"config\":[{\"method\":\"m\",\n\"params\":[1]}]}]}", "c.json:2:", "\"params\" must be an object")]
    [InlineData("{\"subsystems\":[{\"subsystem\":\"a\",\n\"konfig\":[]}]}", "c.json:2:", "'konfig' is not known")]
    [InlineData("{\"subsystems\":[],\n\"subsystems\":[]}", "c.json", "subsystems")]
    [InlineData("{\"subsystems\":[\n", "c.json:2:", "")]
    [InlineData("{\"subsystems\":[]}\n{}", "c.json:2:", "Additional text")]
    [InlineData("", "c.json", "")]
    public void Errors_name_the_line_and_the_remedy(string text, string place, string words)
    {
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationFile.Parse(text, "c.json"));
        Assert.StartsWith(place, error.Message);
        Assert.Contains(words, error.Message);
    }

    static async Task<(List<string> Log, RpcTestServer Server)> HostAsync()
    {
        var server = await RpcTestServer.StartAsync();
        var log = new List<string>();
        var registrar = server.Methods.ForModule("config");
        foreach (var (name, phase) in new[] { ("early", RpcPhase.Startup), ("late", RpcPhase.Runtime), ("both", RpcPhase.Any) })
        {
            registrar.Register(new TestMethod(name, (_, w, _) => { log.Add(name); w.Boolean(true); return default; }, phase));
        }
        server.Methods.Phase = RpcPhase.Startup;
        return (log, server);
    }

    static ConfigurationLoader Loader(RpcTestServer server) => new(server.Dispatcher, NullLogger<ConfigurationLoader>.Instance);

    [Fact]
    public async Task Startup_methods_run_before_initialization_and_the_rest_after()
    {
        var (log, server) = await HostAsync();
        await using var _ = server;
        await Loader(server).LoadAsync(ConfigurationFile.Parse(Good, "c.json"), () =>
        {
            log.Add("init");
            server.Methods.Phase = RpcPhase.Runtime;
            return Task.CompletedTask;
        }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["early", "both", "init", "late"], log);
    }

    [Fact]
    public async Task A_running_host_takes_what_may_still_be_called()
    {
        var (log, server) = await HostAsync();
        await using var _ = server;
        server.Methods.Phase = RpcPhase.Runtime;
        await Loader(server).LoadAsync(ConfigurationFile.Parse(Good, "c.json"), () => throw new InvalidOperationException(), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["late", "both"], log);
    }

    [Fact]
    public async Task Unknown_methods_are_reported_together_or_passed_over()
    {
        var (log, server) = await HostAsync();
        await using var _ = server;
        var file = ConfigurationFile.Parse("{\"subsystems\":[{\"subsystem\":\"a\",\"config\":[\n{\"method\":\"no1\"},\n{\"method\":\"both\"},\n{\"method\":\"no2\"}]}]}", "c.json");
        var error = await Assert.ThrowsAsync<ConfigurationException>(() => Loader(server).LoadAsync(file, () => Task.CompletedTask, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("c.json:2: 'no1'", error.Message);
        Assert.Contains("c.json:4: 'no2'", error.Message);
        Assert.Contains("--ignore-unknown", error.Message);
        Assert.Empty(log);
        await Loader(server).LoadAsync(file, () => Task.CompletedTask, ignoreUnknown: true, TestContext.Current.CancellationToken);
        Assert.Equal(["both"], log);
    }

    [Fact]
    public async Task A_failing_call_is_named_with_its_line()
    {
        var (_, server) = await HostAsync();
        await using var s = server;
        server.Methods.Phase = RpcPhase.Runtime;
        var file = ConfigurationFile.Parse("{\"subsystems\":[{\"subsystem\":\"a\",\"config\":[\n{\"method\":\"errno\"}]}]}", "c.json");
        var error = await Assert.ThrowsAsync<ConfigurationException>(() => Loader(server).LoadAsync(file, () => Task.CompletedTask, cancellationToken: TestContext.Current.CancellationToken));
        Assert.StartsWith("c.json:2: 'errno' failed: No such device", error.Message);
    }

    [Fact]
    public void Saved_calls_are_written_in_spdks_form()
    {
        var calls = new ConfigCalls();
        calls.Call("bdev_malloc_create", w =>
        {
            w.Name("name");
            w.String("M0");
        });
        calls.Call("bdev_wait_for_examine");
        var text = System.Text.Encoding.UTF8.GetString(Spindle.Host.Rpc.Json.RpcJsonText.Capture(calls.Write).Json.Span);
        Assert.Equal("[{\"method\":\"bdev_malloc_create\",\"params\":{\"name\":\"M0\"}},{\"method\":\"bdev_wait_for_examine\"}]", text);
    }
}
