using System.Globalization;
using System.Text;
using Newtonsoft.Json.Linq;

namespace Spindle.PluginTests.Documentation;

/// <summary>docs/rpc.md: each method with its parameters, its result and its errors, by module.</summary>
internal static class RpcPage
{
    public const string Accept = "SPINDLE_ACCEPT_DOCS=1 ./build.sh test --filter RpcDocumentationTests";

    public static string Of(IReadOnlyList<JObject> methods)
    {
        var page = new StringBuilder($"""
            # RPC methods

            Made from the declarations in the code, which `rpc_get_schema` tells of a running host too, by `{Accept}`. [rpc.schema.json](rpc.schema.json) has the same for programs,
            [rpc-coverage.md](rpc-coverage.md) what of SPDK's methods there is.

            A call is a JSON-RPC 2.0 request on the control socket: `spindle rpc METHOD name=value …` makes one. A call with a parameter that is missing, unknown or of a wrong type or range
            fails as the method's first error says, with the member's name and the remedy behind the words shown. Numbers are integers unless a description says otherwise.


            """.ReplaceLineEndings("\n"));
        var modules = methods.GroupBy(method => (string)method["module"]!).OrderBy(group => group.Key != "spindle").ThenBy(group => group.Key, StringComparer.Ordinal).ToArray();
        foreach (var module in modules) page.Append(CultureInfo.InvariantCulture, $"- [{Title(module.Key)}](#{Anchor(Title(module.Key))}): {string.Join(", ", module.Select(method => $"[{method["name"]}](#{method["name"]})"))}\n");
        foreach (var module in modules)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {Title(module.Key)}\n");
            foreach (var method in module) Method(page, method);
        }
        return page.ToString();
    }

    private static string Title(string module) => module == "spindle" ? "The host" : module;

    private static string Anchor(string title) => title.ToLowerInvariant().Replace(' ', '-');

    private static void Method(StringBuilder page, JObject method)
    {
        page.Append(CultureInfo.InvariantCulture, $"\n### {method["name"]}\n\n{Sentence((string)method["description"]!)}");
        if ((string)method["phase"]! == "any") page.Append(" May be called before the framework is initialized.");
        if ((string)method["phase"]! == "startup") page.Append(" Only before the framework is initialized (`--wait-for-rpc`).");
        if (method["aliases"] is JArray aliases) page.Append(CultureInfo.InvariantCulture, $" Older names: {string.Join(", ", aliases.Select(alias => $"`{alias}`"))}.");
        page.Append("\n\n");
        Members(page, "parameter", (JArray)method["params"]!, parameters: true);
        var result = (JObject)method["result"]!;
        page.Append(CultureInfo.InvariantCulture, $"Result: {TypeOf(result)}.\n");
        if (result["members"] is JArray members)
        {
            page.Append('\n');
            Members(page, "member", members, parameters: false);
        }
        string[] errors = [.. Errors(method)];
        if (errors.Length > 0) page.Append(page[^2] == '\n' ? "" : "\n").Append("Errors:\n\n").AppendJoin('\n', errors.Select(error => $"- {error}")).Append('\n');
    }

    private static IEnumerable<string> Errors(JObject method)
    {
        if (method["params_error"] is JObject error) yield return $"{error["code"]} `{error["message"]}`: the parameters";
        foreach (var text in method["errors"] ?? new JArray()) yield return Sentence(Cell((string)text!));
    }

    private static void Members(StringBuilder page, string heading, JArray members, bool parameters)
    {
        if (members.Count == 0) return;
        bool described = parameters || Flat(members, "").Any(member => member.Member["description"] is not null);
        page.Append(CultureInfo.InvariantCulture, $"| {heading} | type |{(parameters ? " default |" : "")}{(described ? " what it is |" : "")}\n|---|---|{(parameters ? "---|" : "")}{(described ? "---|" : "")}\n");
        foreach (var (path, member) in Flat(members, ""))
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{path}` | {TypeOf(member)} |");
            if (parameters) page.Append(CultureInfo.InvariantCulture, $" {((bool?)member["required"] == true ? "**required**" : member["default"] is { } value ? $"`{value.ToString(Newtonsoft.Json.Formatting.None)}`" : "")} |");
            if (described) page.Append(CultureInfo.InvariantCulture, $" {Cell((string?)member["description"] ?? "")} |");
            page.Append('\n');
        }
        page.Append('\n');
    }

    private static IEnumerable<(string Path, JObject Member)> Flat(JArray members, string above)
    {
        foreach (var member in members.Cast<JObject>())
        {
            string path = above + (string)member["name"]! + ((string)member["type"]! == "array" && member["members"] is not null ? "[]" : "");
            yield return (path, member);
            foreach (var inner in Flat((JArray?)member["members"] ?? [], path + ".")) yield return inner;
        }
    }

    private static string TypeOf(JObject member)
    {
        string type = (string)member["type"]!;
        if (type == "array") type = $"array of {member["items"]}";
        if (member["values"] is JArray values) type = string.Join(", ", values.Select(value => $"`{value}`"));
        // The whole range of 32 bits says nothing.
        return member["maximum"] is { } maximum && (long)maximum is not (uint.MaxValue or int.MaxValue) ? $"{type}, {member["minimum"]} to {maximum}" : type;
    }

    private static string Cell(string text) => text.Replace("|", "\\|");

    private static string Sentence(string text) => text.Length == 0 || text[^1] is '.' or '!' or '?' ? text : text + ".";
}
