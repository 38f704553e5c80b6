using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Configuration;

/// <summary>One saved call.</summary>
/// <param name="Method">The RPC method.</param>
/// <param name="Parameters">Its parameters, an object; null without any.</param>
public sealed record ConfigCall(string Method, RpcJsonText? Parameters);

/// <summary>Gathers the calls of one subsystem's configuration.</summary>
public sealed class ConfigCalls : IConfigWriter, IRpcResult
{
    readonly List<ConfigCall> _calls = [];

    /// <summary>The calls in the order in which they load.</summary>
    public IReadOnlyList<ConfigCall> Calls => _calls;

    /// <inheritdoc/>
    public void Call(string method, Action<IRpcWriter>? writeParameters = null)
    {
        var parameters = writeParameters is null ? null : RpcJsonText.Capture(writer =>
        {
            writer.BeginObject();
            writeParameters(writer);
            writer.EndObject();
        });
        _calls.Add(new ConfigCall(method, parameters));
    }

    /// <summary>Writes the array that <c>framework_get_config</c> gives.</summary>
    public void Write(IRpcWriter writer)
    {
        writer.BeginArray();
        foreach (var call in _calls)
        {
            writer.BeginObject();
            writer.Name("method");
            writer.String(call.Method);
            if (call.Parameters is not null)
            {
                writer.Name("params");
                call.Parameters.Write(writer);
            }
            writer.EndObject();
        }
        writer.EndArray();
    }
}
