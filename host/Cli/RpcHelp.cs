using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.Host.Rpc.Client;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle rpc METHOD --help</c>: the method's documentation, as the running host has it.</summary>
internal static class RpcHelp
{
    public static async Task<int> RunAsync(string method, string socket, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await RpcClient.ConnectAsync(socket, cancellationToken);
            string parameters = new JsonObject { ["method"] = method }.ToJsonString();
            using var reply = JsonDocument.Parse(await client.CallAsync("rpc_get_schema", parameters, cancellationToken));
            foreach (var described in reply.RootElement.GetProperty("methods").EnumerateArray()) Write(Console.Out, described);
            return ExitCode.Success;
        }
        catch (RpcException e)
        {
            Console.Error.WriteLine($"spindle rpc: {e.Message}");
            return ExitCode.Failure;
        }
        catch (SpindleException e)
        {
            Console.Error.WriteLine($"spindle rpc: the methods are those of a running host, and there is none: {e.Message}");
            return ExitCode.Failure;
        }
    }

    /// <summary>One method of the schema for people.</summary>
    internal static void Write(TextWriter output, JsonElement method)
    {
        string name = method.GetProperty("name").GetString()!;
        output.WriteLine($"{name} ({method.GetProperty("module").GetString()}): {method.GetProperty("description").GetString()}");
        var parameters = Flat(method.GetProperty("params"), "").ToArray();
        output.WriteLine();
        output.WriteLine($"  spindle rpc {name}{string.Concat(method.GetProperty("params").EnumerateArray().Where(IsRequired).Select(p => $" {p.GetProperty("name").GetString()}=…"))}");
        output.WriteLine();
        if (parameters.Length > 0)
        {
            ServedTable.WriteTable(output, ["Parameter", "Type", "Default", "What it is"], parameters.Select(p => new[]
            {
                p.Path, TypeOf(p.Member), IsRequired(p.Member) ? "required" : p.Member.TryGetProperty("default", out var value) ? value.GetRawText() : "", TextOf(p.Member, "description"),
            }));
        }
        var result = method.GetProperty("result");
        output.WriteLine($"Result: {TypeOf(result)}");
        if (result.TryGetProperty("members", out var members))
            ServedTable.WriteTable(output, ["Member", "Type", "What it is"], Flat(members, "").Select(m => new[] { m.Path, TypeOf(m.Member), TextOf(m.Member, "description") }));
        foreach (var error in method.TryGetProperty("errors", out var errors) ? errors.EnumerateArray() : default) output.WriteLine($"Fails: {error.GetString()}");
    }

    private static bool IsRequired(JsonElement member) => member.TryGetProperty("required", out var required) && required.GetBoolean();

    private static string TextOf(JsonElement member, string name) => member.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static string TypeOf(JsonElement member)
    {
        if (member.TryGetProperty("values", out var values)) return string.Join(" | ", values.EnumerateArray().Select(value => value.GetString()));
        string type = member.GetProperty("type").GetString()!;
        return member.TryGetProperty("items", out var items) ? $"{type} of {items.GetString()}" : type;
    }

    private static IEnumerable<(string Path, JsonElement Member)> Flat(JsonElement members, string above)
    {
        foreach (var member in members.EnumerateArray())
        {
            string path = above + member.GetProperty("name").GetString();
            yield return (path, member);
            if (!member.TryGetProperty("members", out var inner)) continue;
            foreach (var below in Flat(inner, path + ".")) yield return below;
        }
    }
}
