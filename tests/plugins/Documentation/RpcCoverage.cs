using System.Globalization;
using System.Text;
using Newtonsoft.Json.Linq;

namespace Spindle.PluginTests.Documentation;

/// <summary>docs/rpc-coverage.md: SPDK's methods, and what there is of each.</summary>
internal static class RpcCoverage
{
    /// <summary>SPDK's methods with their parameters: "string", "number", "boolean", "object" or "array", and "!" where one is required.</summary>
    public static JObject Peer { get; } = Read("rpc-v26.01.json");

    /// <summary>Why there is none, by the longest prefix of its name.</summary>
    private static JObject Reasons { get; } = Read("rpc-status.json");

    private static JObject Read(string file) => JObject.Parse(File.ReadAllText(Path.Combine(RpcDeclarations.Root, "tests", "fixtures", "spdk", file)));

    public static string Of(IReadOnlyList<JObject> methods)
    {
        var present = methods.ToDictionary(method => (string)method["name"]!);
        var rows = Peer.Properties().Select(property => (property.Name, Row: Row(property, present.GetValueOrDefault(property.Name)))).ToArray();
        int Count(string status) => rows.Count(row => row.Row.Status == status);
        string[] own = [.. present.Keys.Where(name => Peer[name] is null).Order(StringComparer.Ordinal)];
        var page = new StringBuilder($"""
            # SPDK's RPC methods and Spindle's

            Made by `{RpcPage.Accept}` from the code's declarations and the names and types of SPDK v26.01's methods.

            Of SPDK's {rows.Length} methods {Count("have")} are there, {Count("not yet")} not yet, and {Count("not applicable")} are not applicable. Parameters have SPDK's names and types except where
            it is noted. Methods of Spindle's own: {string.Join(", ", own.Select(name => $"[{name}](rpc.md#{name})"))}.

            | method | status | |
            |---|---|---|

            """.ReplaceLineEndings("\n"));
        foreach (var (name, row) in rows) page.Append(CultureInfo.InvariantCulture, $"| {(row.Status == "have" ? $"[{name}](rpc.md#{name})" : name)} | {row.Status} | {row.Note} |\n");
        return page.ToString();
    }

    /// <summary>The reasons that hold for no method any more.</summary>
    public static IEnumerable<string> IdleReasons(IReadOnlyList<JObject> methods)
    {
        var present = methods.Select(method => (string)method["name"]!).ToHashSet();
        var used = Peer.Properties().Where(property => !present.Contains(property.Name)).Select(property => Prefix(property.Name)).ToHashSet();
        return Reasons.Properties().Select(reason => reason.Name).Where(name => !used.Contains(name));
    }

    /// <summary>How a method's parameters differ from SPDK's.</summary>
    public static IEnumerable<string> Differences(JObject peer, JObject method)
    {
        var own = ((JArray)method["params"]!).Cast<JObject>().ToDictionary(parameter => (string)parameter["name"]!);
        foreach (var (name, value) in peer)
        {
            string type = (string)value!;
            if (!own.Remove(name, out var parameter)) yield return $"without `{name}`";
            else if ((string)parameter["type"]! != type.TrimEnd('!')) yield return $"`{name}` is of type {parameter["type"]}, not {type.TrimEnd('!')}";
            else if ((bool?)parameter["required"] == true && type[^1] != '!') yield return $"`{name}` is required";
            else if ((bool?)parameter["required"] != true && type[^1] == '!') yield return $"`{name}` may be left out";
        }
        if (own.Count > 0) yield return $"more: {string.Join(", ", own.Keys.Select(name => $"`{name}`"))}";
    }

    private static (string Status, string Note) Row(JProperty peer, JObject? method)
    {
        if (method is not null) return ("have", string.Join("; ", Differences((JObject)peer.Value, method)));
        var reason = Reasons[Prefix(peer.Name) ?? throw new InvalidOperationException($"tests/fixtures/spdk/rpc-status.json says nothing about {peer.Name}.")]!;
        return ((string)reason[0]!, (string)reason[1]!);
    }

    private static string? Prefix(string method) => Reasons.Properties().Select(reason => reason.Name).Where(method.StartsWith).MaxBy(name => name.Length);
}
