using System.Reflection;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What clients ask first: who is there, and what can it do.</summary>
internal sealed class VersionMethods(RpcMethodRegistry registry)
{
    [RpcMethod("spdk_get_version", Phase = RpcPhase.Any, Summary = "The SPDK version whose RPCs these are, and Spindle's own.")]
    public VersionReply GetVersion() => new();

    [RpcMethod("rpc_get_methods", Phase = RpcPhase.Any, Summary = "The names of the RPC methods.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public IReadOnlyList<string> GetMethods(GetMethodsParameters parameters) => registry.Names(parameters.Current, parameters.IncludeAliases);
}

/// <summary>Clients decide by the SPDK release; the fields are its.</summary>
[RpcObject]
internal sealed class VersionReply
{
    internal static string Spindle { get; } =
        (typeof(VersionReply).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+')[0];

    public string Version => $"SPDK v26.01 (Spindle v{Spindle})";

    public VersionFields Fields { get; } = new();
}

/// <summary>The SPDK release with which the RPCs are compatible.</summary>
[RpcObject]
internal sealed class VersionFields
{
    public uint Major => 26;

    public uint Minor => 1;

    public uint Patch => 0;

    public string Suffix => "";
}

[RpcObject]
internal sealed class GetMethodsParameters
{
    [RpcMember(Summary = "Only methods that may be called now.")]
    public bool Current { get; init; }

    [RpcMember(Summary = "Deprecated names too.")]
    public bool IncludeAliases { get; init; }
}
