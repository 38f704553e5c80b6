using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>
/// Saves and loads a host's configuration over the socket in the steps of SPDK's rpc.py (v26.01), and with the bytes that it sends: each
/// request is JSON indented over several lines, with no newline at its end, and no params where there are none.
/// </summary>
sealed class ConfigurationScript(RpcClient client)
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2, NewLine = "\n" };

    int lastId;

    /// <summary>The configuration of all subsystems, in the host's order.</summary>
    public async Task<JsonObject> SaveAsync(CancellationToken ct)
    {
        var subsystems = new JsonArray();
        foreach (var subsystem in (await CallAsync("framework_get_subsystems", null, ct))!.AsArray())
        {
            var name = (string)subsystem!["subsystem"]!;
            Assert.IsType<JsonArray>(subsystem["depends_on"]);
            var config = await CallAsync("framework_get_config", new JsonObject { ["name"] = name }, ct);
            subsystems.Add(new JsonObject { ["subsystem"] = name, ["config"] = config?.DeepClone() });
        }

        return new JsonObject { ["subsystems"] = subsystems };
    }

    /// <summary>Makes each call of a configuration in the first phase that allows it, initializes the framework between them where it waits for that.</summary>
    /// <returns>The methods of the calls that no phase was left for.</returns>
    public async Task<IReadOnlyList<string>> LoadAsync(JsonObject configuration, CancellationToken ct)
    {
        var left = configuration["subsystems"]!.AsArray().SelectMany(subsystem => subsystem!["config"]?.AsArray() ?? []).Select(call => call!.DeepClone().AsObject()).ToList();
        var known = await MethodsAsync(new JsonObject { ["include_aliases"] = false }, ct);
        Assert.All(left, call => Assert.Contains((string)call["method"]!, known));
        while (true)
        {
            var allowed = await MethodsAsync(new JsonObject { ["current"] = true, ["include_aliases"] = false }, ct);
            var now = left.Where(call => allowed.Contains((string)call["method"]!)).ToList();
            foreach (var call in now) await CallAsync((string)call["method"]!, call["params"]?.AsObject(), ct);
            left.RemoveAll(now.Contains);
            if (allowed.Contains("framework_start_init")) await CallAsync("framework_start_init", null, ct);
            else if (left.Count == 0 || now.Count == 0) return [.. left.Select(call => (string)call["method"]!)];
        }
    }

    async Task<HashSet<string>> MethodsAsync(JsonObject parameters, CancellationToken ct) =>
        [.. (await CallAsync("rpc_get_methods", parameters, ct))!.AsArray().Select(method => (string)method!)];

    async Task<JsonNode?> CallAsync(string method, JsonObject? parameters, CancellationToken ct)
    {
        var request = new JsonObject { ["jsonrpc"] = "2.0", ["method"] = method, ["id"] = ++lastId };
        if (parameters is { Count: > 0 }) request["params"] = parameters.DeepClone();
        await client.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString(Indented)), ct);
        var reply = JsonNode.Parse((await client.ReceiveAsync(ct)).GetRawText())!.AsObject();
        Assert.Equal(lastId, (int)reply["id"]!);
        Assert.False(reply.ContainsKey("error"), $"{method}: {reply["error"]}");
        return reply["result"];
    }
}
