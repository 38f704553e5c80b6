using System.Globalization;
using Newtonsoft.Json.Linq;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What there is to call, as its declarations say.</summary>
internal sealed class SchemaMethods(RpcMethodRegistry registry)
{
    /// <summary>Describes all methods, or one: what it takes, what it answers, what it fails with.</summary>
    /// <exception cref="RpcException">Method not found (-32601): no loaded module has the method that is asked for.</exception>
    [RpcMethod("rpc_get_schema", Phase = RpcPhase.Any, Summary = "Describes the methods of the host and its modules: parameters, results and errors.")]
    public RpcSchema GetSchema(GetSchemaParameters parameters)
    {
        var entries = registry.Entries;
        if (parameters.Method is null) return new RpcSchema(entries);
        var one = entries.Where(entry => entry.Handler.Name == parameters.Method || entry.Handler.DeprecatedAliases.Contains(parameters.Method)).ToArray();
        return one.Length == 1 ? new RpcSchema(one)
            : throw new RpcException(RpcErrorCode.MethodNotFound, $"Method not found: '{parameters.Method}' (method) is of no loaded module; rpc_get_methods lists those there are.");
    }
}

[RpcObject]
internal sealed class GetSchemaParameters
{
    [RpcMember(Summary = "Only this method; all when absent")]
    public string? Method { get; init; }
}

/// <summary>Methods with the members of SPDK's own schema file (name, params with name, type, required and description), and more.</summary>
internal sealed class RpcSchema(IReadOnlyList<RpcMethodEntry> entries) : IRpcResult
{
    public void Write(IRpcWriter writer)
    {
        writer.BeginObject();
        writer.Name("methods");
        writer.BeginArray();
        foreach (var entry in entries.OrderBy(entry => entry.Name, StringComparer.Ordinal)) Method(writer, entry);
        writer.EndArray();
        writer.EndObject();
    }

    private static void Method(IRpcWriter writer, RpcMethodEntry entry)
    {
        var handler = entry.Handler;
        writer.BeginObject();
        Text(writer, "name", handler.Name);
        Text(writer, "module", entry.Owner);
        Text(writer, "description", handler.Summary);
        Text(writer, "phase", handler.Phase switch { RpcPhase.Startup => "startup", RpcPhase.Runtime => "runtime", _ => "any" });
        if (handler.DeprecatedAliases.Count > 0) Texts(writer, "aliases", handler.DeprecatedAliases);
        writer.Name("params");
        Members(writer, handler.Parameters);
        writer.Name("result");
        writer.BeginObject();
        Type(writer, handler.ResultType);
        if (handler.ResultMembers.Count > 0)
        {
            writer.Name("members");
            Members(writer, handler.ResultMembers);
        }
        writer.EndObject();
        if (handler.Parameters.Count > 0)
        {
            writer.Name("params_error");
            writer.BeginObject();
            writer.Name("code");
            writer.Number((long)handler.ParameterErrorCode);
            Text(writer, "message", handler.ParameterErrorText);
            writer.EndObject();
        }
        if (handler.Errors.Count > 0) Texts(writer, "errors", handler.Errors);
        writer.EndObject();
    }

    private static void Members(IRpcWriter writer, IReadOnlyList<RpcParameterInfo> members)
    {
        writer.BeginArray();
        foreach (var member in members)
        {
            writer.BeginObject();
            Text(writer, "name", member.Name);
            Type(writer, member.Type);
            if (member.Required)
            {
                writer.Name("required");
                writer.Boolean(true);
            }
            if (member.Summary.Length > 0) Text(writer, "description", member.Summary);
            if (member.Default is { } value) Default(writer, value);
            if (member.Values.Count > 0) Texts(writer, "values", member.Values);
            if (member.Minimum is { } minimum)
            {
                writer.Name("minimum");
                writer.Number(minimum);
            }
            if (member.Maximum is { } maximum)
            {
                writer.Name("maximum");
                writer.Number(maximum);
            }
            if (member.Members.Count > 0)
            {
                writer.Name("members");
                Members(writer, member.Members);
            }
            writer.EndObject();
        }
        writer.EndArray();
    }

    private static void Default(IRpcWriter writer, string json)
    {
        writer.Name("default");
        var value = JToken.Parse(json);
        switch (value.Type)
        {
            case JTokenType.Boolean:
                writer.Boolean((bool)value);
                break;
            case JTokenType.Integer when json[0] == '-':
                writer.Number((long)value);
                break;
            case JTokenType.Integer:
                writer.Number(ulong.Parse(json, CultureInfo.InvariantCulture));
                break;
            case JTokenType.Float:
                writer.Number((double)value);
                break;
            default:
                writer.String((string?)value);
                break;
        }
    }

    // "array of string" is an array with items of type string.
    private static void Type(IRpcWriter writer, string type)
    {
        const string array = "array of ";
        bool isArray = type.StartsWith(array, StringComparison.Ordinal);
        Text(writer, "type", isArray ? "array" : type);
        if (isArray) Text(writer, "items", type[array.Length..]);
    }

    private static void Text(IRpcWriter writer, string name, string value)
    {
        writer.Name(name);
        writer.String(value);
    }

    private static void Texts(IRpcWriter writer, string name, IReadOnlyList<string> values)
    {
        writer.Name(name);
        writer.BeginArray();
        foreach (string value in values) writer.String(value);
        writer.EndArray();
    }
}
