using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Server;

/// <summary>The members of a request (JSON-RPC 2.0, section 4, with SPDK's rules: "jsonrpc" may be left out, no other members are taken).</summary>
internal readonly struct RpcEnvelope
{
    /// <summary>The method's name.</summary>
    public string Method { get; private init; }

    /// <summary>The parameters as they came; empty without any, or with null.</summary>
    public ReadOnlyMemory<byte> Parameters { get; private init; }

    /// <summary>The id as it came, to be sent back; empty without one, or with null.</summary>
    public ReadOnlyMemory<byte> Id { get; private init; }

    /// <summary>Takes a request apart.</summary>
    /// <param name="json">One valid JSON value.</param>
    /// <param name="envelope">Its members; after an error just the id, where it is known to be one.</param>
    /// <returns>Null, or what is wrong.</returns>
    public static string? TryRead(ReadOnlyMemory<byte> json, out RpcEnvelope envelope)
    {
        envelope = default;
        try
        {
            return Read(json, ref envelope);
        }
        catch (RpcException exception)
        {
            return exception.Message;
        }
    }

    static string? Read(ReadOnlyMemory<byte> json, ref RpcEnvelope envelope)
    {
        var reader = new RpcJsonReader(json, "request", RpcErrorCode.InvalidRequest, "Invalid request");
        if (reader.Kind != RpcValueKind.Object)
        {
            return "Invalid request: it must be an object";
        }
        ReadOnlyMemory<byte> version = default, parameters = default, id = default;
        RpcValueKind idKind = RpcValueKind.None, parametersKind = RpcValueKind.None;
        string? name = null;
        var isMethodThere = false;
        reader.BeginObject();
        while (reader.NextMember(out var member))
        {
            switch (member)
            {
                case "jsonrpc":
                    version = reader.TakeRaw();
                    break;
                case "method":
                    isMethodThere = true;
                    if (reader.Kind == RpcValueKind.String)
                    {
                        name = reader.ReadString();
                    }
                    else
                    {
                        reader.Skip();
                    }
                    break;
                case "params":
                    (parametersKind, parameters) = (reader.Kind, reader.TakeRaw());
                    break;
                case "id":
                    (idKind, id) = (reader.Kind, reader.TakeRaw());
                    break;
                default:
                    return $"Invalid request: member '{member}' is not known; a request has jsonrpc, method, params and id";
            }
        }
        if (name is null)
        {
            return isMethodThere ? "Invalid request: method must be a string" : "Invalid request: method is missing";
        }
        if (!version.IsEmpty && !IsVersion2(version))
        {
            return "Invalid request: jsonrpc must be \"2.0\", or be left out";
        }
        if (idKind is not (RpcValueKind.None or RpcValueKind.Null or RpcValueKind.String or RpcValueKind.Number))
        {
            return "Invalid request: id must be a string, a number or null";
        }
        envelope = new RpcEnvelope { Method = name, Id = idKind == RpcValueKind.Null ? default : id, Parameters = parametersKind == RpcValueKind.Null ? default : parameters };
        return parametersKind is RpcValueKind.None or RpcValueKind.Null or RpcValueKind.Object or RpcValueKind.Array ? null
            : "Invalid request: params must be an object or null";
    }

    static bool IsVersion2(ReadOnlyMemory<byte> version) => new RpcJsonReader(version) is { Kind: RpcValueKind.String } reader && reader.ReadString() == "2.0";
}
